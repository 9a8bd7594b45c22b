"""Tests of the reconciliation of statements."""
