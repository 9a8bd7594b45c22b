"""SQL over Arrow tables: queries see the tables that they are given, and nothing else."""

from __future__ import annotations

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.engine import engine


def query(sql: str, parameters: dict[str, str] | None = None, **tables: pa.Table) -> pa.Table:
    """Return the result of a query over tables, each known in it by the name it is handed in under."""
    with engine() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql, params=parameters).to_arrow_table()


def joined(between: str, *parts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Join the texts of each row that are there; null for a row that has none.

    Arrow's own skipping of nulls (`binary_join_element_wise` in pyarrow 26) loses the rows that have nothing
    but nulls.
    """
    each = [pc.fill_null(pc.binary_join_element_wise(between, part, ""), "") for part in parts]
    together = pc.binary_join_element_wise(*each, "") if len(each) > 1 else each[0]
    given = reduce(pc.or_, [pc.is_valid(part) for part in parts])
    return pc.if_else(given, pc.utf8_slice_codeunits(together, len(between)), pa.scalar(None, pa.string()))
