"""Fuzzing of the reader: properties of any reading, and generators of bytes to check them with.

The test suite runs a short, seeded mutation fuzz that needs nothing beside the package. `python -m
showcost_tests.fuzz --seconds 3600` runs longer, guided by coverage where atheris is installed (extra `fuzz`).
"""
