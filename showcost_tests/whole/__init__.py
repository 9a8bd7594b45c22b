"""Tests of the whole way of a cost: from the inbox to the ledger, with and without Dagster."""
