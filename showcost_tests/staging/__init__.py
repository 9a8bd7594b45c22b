"""Tests of showcost.staging."""
