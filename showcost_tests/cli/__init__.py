"""Tests of the command line: what each command answers, and how it ends."""
