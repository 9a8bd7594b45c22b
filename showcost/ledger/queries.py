"""What the other stages ask of the ledger: which keys are posted, and what the sums are.

Reports have queries of their own; nothing here writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from datetime import date

    import duckdb


def posted_keys(
    connection: duckdb.DuckDBPyConnection, feed: str, row_keys: pa.Array | pa.ChunkedArray
) -> pa.Table:
    """Return where and with which content keys of a feed are posted; those that are not are left out.

    Columns: row_key, delivery, record, content; ordered by row_key. For the rule on duplicates.
    """
    connection.register("asked_keys", pa.table({"row_key": row_keys}))
    try:
        return connection.sql(_POSTED_KEYS, params={"feed": feed}).to_arrow_table()
    finally:
        connection.unregister("asked_keys")


def balances(
    connection: duckdb.DuckDBPyConnection, first: date, last: date, feed: str | None = None
) -> pa.Table:
    """Return the sums per feed, transaction date and currency from `first` to `last`, both included.

    Columns: feed, transaction_date, currency, row_count (distinct delivery and record), entry_count, amount,
    base_currency, base_amount (both decimal128(38, 4)); ordered by the first three. For one feed, or all.
    """
    asked = {"first": first, "last": last, "feed": feed}
    return connection.sql(_BALANCES, params=asked).to_arrow_table()


_POSTED_KEYS: Final = """
SELECT DISTINCT row_key, delivery, record, content
FROM ledger_entries SEMI JOIN asked_keys USING (row_key)
WHERE feed = $feed AND entry_kind = 'posting'
ORDER BY ALL
"""

_BALANCES: Final = """
SELECT feed, transaction_date, currency, count(DISTINCT (delivery, record)) AS row_count,
    count(*) AS entry_count, sum(amount) AS amount, base_currency, sum(base_amount) AS base_amount
FROM ledger_entries
WHERE transaction_date BETWEEN $first AND $last AND (CAST($feed AS VARCHAR) IS NULL OR feed = $feed)
GROUP BY feed, transaction_date, currency, base_currency
ORDER BY feed, transaction_date, currency
"""
