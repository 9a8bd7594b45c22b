"""Tests of showcost.reports."""
