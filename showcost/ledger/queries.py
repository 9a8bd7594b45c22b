"""Queries of the pipeline: the key holders, the rows to be reversed, the sums, and the active rows.

Reports have queries of their own; nothing here writes.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.ledger.active_entries import active_condition, entries_as_of
from showcost.ledger.decisions import REVERSIBLE

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    import duckdb

    from showcost.ledger.store import Ledger


def posted_keys(
    connection: duckdb.DuckDBPyConnection, feed: str, row_keys: pa.Array | pa.ChunkedArray
) -> pa.Table:
    """Return the posted rows of some keys of a feed; keys without active entries are omitted.

    A row that a decision reverses is omitted as well, even before its reversal is posted. Columns: row_key,
    delivery, record, content; ordered by row_key. For the rule on duplicates.
    """
    connection.register("given_keys", pa.table({"row_key": row_keys}))
    try:
        return connection.sql(_POSTED_KEYS, params={"feed": feed, "as_of": None}).to_arrow_table()
    finally:
        connection.unregister("given_keys")


def reversible_rows(connection: duckdb.DuckDBPyConnection, feed: str) -> dict[date, int]:
    """Return the number of active rows of a feed that a decision reverses, per date."""
    return dict(connection.execute(_REVERSIBLE_ROWS, {"feed": feed, "as_of": None}).fetchall())


def balances(
    connection: duckdb.DuckDBPyConnection,
    first: date,
    last: date,
    feed: str | None = None,
    as_of: int | None = None,
) -> pa.Table:
    """Return the sums per feed, transaction date and currency from `first` to `last`, both included.

    Columns: feed, transaction_date, currency, row_count (active rows, by delivery and record),
    entry_count, amount, base_currency, base_amount (both decimal128(38, 4)); ordered by the first three.
    For one feed, or all; as of the audit record `as_of`, or now.
    """
    selection = {"first": first, "last": last, "feed": feed}
    return connection.sql(_BALANCES.format(entries=entries_as_of(as_of)), params=selection).to_arrow_table()


def base_by_account(
    connection: duckdb.DuckDBPyConnection, first: date, last: date, as_of: int | None = None
) -> dict[str, Decimal]:
    """Return the sum of the base amounts per account from `first` to `last`, both included.

    In the base currency; reversals count as entries of their own. As of the audit record `as_of`, or now.
    """
    sums = connection.execute(
        _BASE_BY_ACCOUNT.format(entries=entries_as_of(as_of)), {"first": first, "last": last}
    )
    return dict(sums.fetchall())


_BASE_BY_ACCOUNT: Final = """
SELECT account, sum(base_amount) FROM {entries}
WHERE transaction_date BETWEEN $first AND $last GROUP BY account ORDER BY account
"""

_POSTED_KEYS: Final = f"""
{REVERSIBLE}
SELECT DISTINCT row_key, delivery, record, content
FROM active SEMI JOIN given_keys USING (row_key)
WHERE entry_id NOT IN (SELECT entry_id FROM reversible)
ORDER BY ALL
"""

_REVERSIBLE_ROWS: Final = f"""
{REVERSIBLE}
SELECT transaction_date, count(DISTINCT (delivery, record)) FROM reversible GROUP BY ALL ORDER BY ALL
"""

_BALANCES: Final = f"""
WITH entries AS (FROM {{entries}})
SELECT feed, transaction_date, currency,
    count(DISTINCT (delivery, record)) FILTER ({active_condition("entries")}) AS row_count,
    count(*) AS entry_count, sum(amount) AS amount, base_currency, sum(base_amount) AS base_amount
FROM entries
WHERE transaction_date BETWEEN $first AND $last AND (CAST($feed AS VARCHAR) IS NULL OR feed = $feed)
GROUP BY feed, transaction_date, currency, base_currency
ORDER BY feed, transaction_date, currency
"""


_ACTIVE_ROWS: Final = f"""
WITH entries AS (FROM {{entries}})
SELECT DISTINCT delivery, record FROM entries
WHERE feed = $feed AND {active_condition("entries")}
"""


_ROWS: Final = pa.schema([("delivery", pa.string()), ("record", pa.int64())])


def active_rows(ledger: Ledger, feed: str, as_of: int | None = None) -> pa.Table:
    """Return delivery and record of a feed's rows with active entries, as of an audit record, or now."""
    with ledger.read() as connection:
        rows = connection.sql(
            _ACTIVE_ROWS.format(entries=entries_as_of(as_of)), params={"feed": feed}
        ).to_arrow_table()
    return rows.cast(_ROWS)
