"""From raw rows to valid and quarantined rows: schemas, reason-code rules, the claim on a key, the split.

Bad rows are outcomes, never errors. Nothing here reads or writes a file, knows Dagster, or looks a rate up;
what a rate's status is comes in as a table.
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
