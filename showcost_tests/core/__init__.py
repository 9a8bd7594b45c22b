"""Tests of showcost.core."""
