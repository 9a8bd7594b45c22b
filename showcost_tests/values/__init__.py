"""Tests of text read as dates, times and amounts."""
