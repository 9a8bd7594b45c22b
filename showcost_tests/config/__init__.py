"""Tests of configuration: accepted settings, and errors for invalid ones."""
