"""SQL and text joins over Arrow tables."""

from __future__ import annotations

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.engine import engine


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
