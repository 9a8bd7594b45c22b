"""Tests of showcost.ledger."""
