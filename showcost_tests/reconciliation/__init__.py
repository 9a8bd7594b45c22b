"""Tests of the reconciliation queue: decisions, replay, periods, trace, and their commands."""
