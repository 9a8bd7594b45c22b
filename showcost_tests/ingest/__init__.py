"""Tests of landing and reading deliveries."""
