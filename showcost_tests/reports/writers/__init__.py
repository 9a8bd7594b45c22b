"""Tests of the writers of report tables."""
