"""Tests of the readers of statements."""
