"""Fuzzing of the reader: laws that hold for any bytes, and what makes up bytes to hold against them.

The test suite runs a short, seeded mutation fuzz that needs nothing beside the package. `python -m
showcost_tests.fuzz --seconds 3600` runs longer, guided by coverage where atheris is installed (extra `fuzz`).
"""
