"""Tests of parsing text as dates, times and amounts."""
