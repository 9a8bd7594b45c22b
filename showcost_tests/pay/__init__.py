"""Tests of pay rules."""
