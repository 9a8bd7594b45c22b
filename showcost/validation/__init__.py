"""Validation of raw rows: schemas, rules with reason codes, key claims, and the split into tables.

Bad rows are results, never errors. This package reads and writes no files, does not import Dagster, and
looks up no rates: the status of rates is handed in as a table.
"""
