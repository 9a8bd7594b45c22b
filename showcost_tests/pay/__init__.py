"""Tests of the pay rules."""
