"""Tests of the reconciliation queue: decisions, replay, periods, trace, and what people see of them."""
