"""Tests of runs and of the web UI, outside of the definitions."""
