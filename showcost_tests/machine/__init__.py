"""Comparison of the ledger with a model: the same steps, in any order, give the same entries.

    python -m showcost_tests.machine --runs 1000

`model` has the expected results, `machine` the steps.
"""
