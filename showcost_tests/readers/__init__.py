"""Tests of the readers: accepted records are right, rejected ones are kept, nothing is lost."""
