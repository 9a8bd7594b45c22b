"""Queries of the pipeline: the key holders, the rows to be reversed, the sums, and the active rows.

A feed has entries or plan lines, by its record kind; the queries about rows cover both. Reports have queries
of their own; nothing here writes.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.ledger.active_entries import active_condition, entries_as_of
from showcost.ledger.decisions import REVERSIBLE
from showcost.ledger.plan import plan_lines_as_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

    import duckdb

    from showcost.ledger.store import Ledger


def posted_keys(
    connection: duckdb.DuckDBPyConnection, feed: str, row_keys: pa.Array | pa.ChunkedArray
) -> pa.Table:
    """Return the posted rows of some keys of a feed; keys without active entries or plan lines are omitted.

    A row that a decision reverses is omitted as well, even before its reversal is posted. Columns: row_key,
    delivery, record, content; ordered by row_key. For the rule on duplicates.
    """
    connection.register("given_keys", pa.table({"row_key": row_keys}))
    try:
        return connection.sql(_POSTED_KEYS, params={"feed": feed, "as_of": None}).to_arrow_table()
    finally:
        connection.unregister("given_keys")


def active_places(connection: duckdb.DuckDBPyConnection, places: pa.Table) -> pa.Table:
    """Return those places of rows (feed, delivery, record) that have active entries, each once.

    A row that a decision reverses is omitted, as in `posted_keys`.
    """
    connection.register("given_places", places)
    try:
        return connection.sql(_ACTIVE_PLACES, params={"feed": None, "as_of": None}).to_arrow_table()
    finally:
        connection.unregister("given_places")


def reversible_rows(connection: duckdb.DuckDBPyConnection, feed: str) -> dict[date, int]:
    """Return the number of active rows of a feed to be reversed, by a decision or for new rates, per date."""
    rows = connection.execute(_REVERSIBLE_ROWS, {"feed": feed, "as_of": None}).fetchall()
    return _by_feed([feed], rows)[feed]


def active_row_counts(connection: duckdb.DuckDBPyConnection, feed: str) -> dict[date, int]:
    """Return the number of rows of a feed with active entries or plan lines, per date."""
    return _by_feed([feed], connection.execute(_ACTIVE_ROW_COUNTS, {"feed": feed}).fetchall())[feed]


def reversible_by_feed(
    connection: duckdb.DuckDBPyConnection, feeds: Sequence[str]
) -> dict[str, dict[date, int]]:
    """Return the number of active rows to be reversed per date of each of these feeds."""
    rows = connection.execute(_REVERSIBLE_ROWS, {"feed": None, "as_of": None}).fetchall()
    return _by_feed(feeds, rows)


def active_rows_by_feed(
    connection: duckdb.DuckDBPyConnection, feeds: Sequence[str]
) -> dict[str, dict[date, int]]:
    """Return the number of rows with active entries or plan lines per date of each of these feeds."""
    return _by_feed(feeds, connection.execute(_ACTIVE_ROW_COUNTS, {"feed": None}).fetchall())


def _by_feed(feeds: Sequence[str], rows: Sequence[tuple[str, date, int]]) -> dict[str, dict[date, int]]:
    counts: dict[str, dict[date, int]] = {feed: {} for feed in feeds}
    for feed, day, count in rows:
        if feed in counts:
            counts[feed][day] = count
    return counts


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
WHERE entry_id NOT IN (SELECT entry_id FROM decided)
UNION ALL
SELECT row_key, delivery, record, content
FROM active_lines SEMI JOIN given_keys USING (row_key)
WHERE line_id NOT IN (SELECT line_id FROM withdrawable)
ORDER BY ALL
"""

_ACTIVE_PLACES: Final = f"""
{REVERSIBLE}
SELECT DISTINCT feed, delivery, record FROM active SEMI JOIN given_places USING (feed, delivery, record)
WHERE entry_id NOT IN (SELECT entry_id FROM reversible)
"""

_REVERSIBLE_ROWS: Final = f"""
{REVERSIBLE}
SELECT feed, transaction_date, count(DISTINCT (delivery, record)) FROM (
    SELECT feed, transaction_date, delivery, record FROM reversible
    UNION ALL SELECT feed, stated_on, delivery, record FROM withdrawable)
GROUP BY ALL ORDER BY ALL
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
WITH entries AS (FROM {{entries}}), lines AS (FROM {{lines}})
SELECT DISTINCT transaction_date, delivery, record FROM entries
WHERE feed = $feed AND {active_condition("entries")}
UNION ALL SELECT stated_on, delivery, record FROM lines WHERE feed = $feed
"""

_ACTIVE_ROW_COUNTS: Final = f"""
SELECT feed, transaction_date, count(DISTINCT (delivery, record)) FROM (
    SELECT feed, transaction_date, delivery, record FROM {entries_as_of(None)} WHERE {active_condition()}
    UNION ALL SELECT feed, stated_on, delivery, record FROM {plan_lines_as_of(None)})
WHERE CAST($feed AS VARCHAR) IS NULL OR feed = $feed
GROUP BY ALL ORDER BY ALL
"""


_ROWS: Final = pa.schema([("delivery", pa.string()), ("record", pa.int64())])


def active_rows(ledger: Ledger, feed: str, as_of: int | None = None) -> pa.Table:
    """Return delivery and record of a feed's rows with active entries or plan lines.

    As of an audit record, or now.
    """
    query = _ACTIVE_ROWS.format(entries=entries_as_of(as_of), lines=plan_lines_as_of(as_of))
    with ledger.read() as connection:
        rows = connection.sql(
            f"SELECT DISTINCT delivery, record FROM ({query})", params={"feed": feed}
        ).to_arrow_table()
    return rows.cast(_ROWS)
