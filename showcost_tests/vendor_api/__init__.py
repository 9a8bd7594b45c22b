"""Tests of vendor APIs."""
