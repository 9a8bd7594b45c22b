"""Tests of qualified spend."""
