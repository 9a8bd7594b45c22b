"""Checked tables, SQL and text joins over Arrow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.engine import engine
from showcost.core.errors import IntegrityError


@dataclass(frozen=True)
class CheckedTable(ABC):
    """An Arrow table with exactly the columns of its class, in order, checked when it is made.

    Arrow tables are untyped for mypy; a subclass is a type of its own, so that a function which takes raw
    rows cannot be given valid rows. Raises IntegrityError for other columns.
    """

    table: pa.Table

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """Names and types of the columns, in order."""

    def __post_init__(self) -> None:
        require_columns(self.table, self.schema, type(self).__name__)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column by its name."""
        return self.table.column(name)


def require_columns(table: pa.Table, schema: pa.Schema, name: str) -> None:
    """Raise IntegrityError unless a table has exactly the columns of a schema, by name and type, in order."""
    actual = dict(zip(table.schema.names, table.schema.types, strict=True))
    for column in schema:
        if actual.get(column.name) != column.type:
            actual_type = actual.get(column.name, "none")
            raise IntegrityError(
                f"{name}: the column {column.name} must be {column.type}, found {actual_type}"
            )
    if table.schema.names != schema.names:
        raise IntegrityError(f"{name}: expected the columns {schema.names}, found {table.schema.names}")


def query(sql: str, parameters: dict[str, str] | None = None, **tables: pa.Table) -> pa.Table:
    """Return the result of a query that sees only the given tables, under their keyword names."""
    with engine() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql, params=parameters).to_arrow_table()


def join_texts(between: str, *parts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Join the non-null texts of each row; null for a row that has none.

    Arrow's null handling (`binary_join_element_wise` with `skip`, pyarrow 26) loses rows of only nulls.
    """
    prefixed = [pc.fill_null(pc.binary_join_element_wise(between, part, ""), "") for part in parts]
    together = pc.binary_join_element_wise(*prefixed, "") if len(prefixed) > 1 else prefixed[0]
    any_valid = reduce(pc.or_, [pc.is_valid(part) for part in parts])
    return pc.if_else(
        any_valid, pc.utf8_slice_codeunits(together, len(between)), pa.scalar(None, pa.string())
    )
