"""Tests of the components of the code location."""
