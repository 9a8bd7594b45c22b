"""Validation of raw rows: schemas, rules with reason codes, key claims, and the split into tables.

Bad rows are results, never errors. This package reads and writes no files, does not import Dagster, and
looks up no rates: the status of rates is handed in as a table.
"""

from showcost.validation.columns import ColumnInfo, RowTable, arrow_schema, column_schema
from showcost.validation.schemas import Failure, SchemaResult, schema_result
from showcost.validation.validate import CHUNK_ROWS, RowCounts, ValidationResult, validate

__all__ = [
    "CHUNK_ROWS",
    "ColumnInfo",
    "Failure",
    "RowCounts",
    "RowTable",
    "SchemaResult",
    "ValidationResult",
    "arrow_schema",
    "column_schema",
    "schema_result",
    "validate",
]
