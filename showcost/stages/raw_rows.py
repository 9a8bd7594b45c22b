"""Raw rows: every record of a feed's deliveries whose transaction date lies in a partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from showcost.ingest.landing import LandedDelivery, landed, records_asset
from showcost.ingest.records import records_schema
from showcost.stages.names import raw_asset
from showcost.staging import Part, Staged, StagingStore, split_by_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home

_BATCH_ROWS = 100_000


def stage_raw_rows(home: Home, feed: FeedSpec, dates: Sequence[date]) -> list[Staged]:
    """Write the raw rows of the partitions (`dates`, ascending, without gaps) and return what was staged."""
    touching = [one for one in landed(home, feed) if any(day in one.summary.dates for day in dates)]
    sources = [one.arrival.delivery for one in touching]
    store = StagingStore(home.path)
    with duckdb.connect() as connection:
        rows = _records(
            connection,
            home,
            feed,
            sources,
            "WHERE transaction_date BETWEEN $first AND $last ORDER BY transaction_date, arrival, record",
            {"first": dates[0], "last": dates[-1]},
        )
        return store.write_many(raw_asset(feed.name), _parts(rows, dates, touching))


def _parts(
    rows: pa.RecordBatchReader, dates: Sequence[date], touching: Sequence[LandedDelivery]
) -> Iterator[Part]:
    for day, table in split_by_date(rows, "transaction_date", dates):
        yield Part(day.isoformat(), table, {"records": records_of(touching, day)})


def records_of(deliveries: Sequence[LandedDelivery], day: date) -> list[str]:
    """Return the stored records (by sha256) that a date's raw rows are made of, in order of arrival."""
    return [one.records for one in deliveries if day in one.summary.dates]


def undated_records(home: Home, feed: FeedSpec) -> pa.Table:
    """Return the records of a feed that have no transaction date, in order of arrival."""
    sources = [one.arrival.delivery for one in landed(home, feed) if one.summary.undated]
    with duckdb.connect() as connection:
        clause = "WHERE transaction_date IS NULL ORDER BY arrival, record"
        return _records(connection, home, feed, sources, clause, {}).read_all()


def rivals(home: Home, feed: FeedSpec, keys: pa.Array) -> pa.Table:
    """Return the dated records of a feed, of all partitions, that share one of `keys` with another one."""
    sources = [one.arrival.delivery for one in landed(home, feed) if one.summary.dates]
    with duckdb.connect() as connection:
        connection.register("wanted", pa.table({"row_key": keys}))
        clause = """
            SEMI JOIN wanted USING (row_key) WHERE transaction_date IS NOT NULL
            QUALIFY count(*) OVER (PARTITION BY row_key) > 1 ORDER BY arrival, record"""
        return _records(connection, home, feed, sources, clause, {}).read_all()


def _records(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    feed: FeedSpec,
    sources: Sequence[str],
    clause: str,
    parameters: dict[str, object],
) -> pa.RecordBatchReader:
    """Select from the records of some deliveries (`sources`, by sha256), each file verified before."""
    schema = records_schema(feed)
    if not sources:
        return pa.RecordBatchReader.from_batches(schema, [])
    paths = StagingStore(home.path).verified_paths(records_asset(feed.name), sources)
    columns = ", ".join(f'"{name}"' for name in schema.names)
    return connection.sql(
        f"SELECT {columns} FROM read_parquet($paths) {clause}",  # noqa: S608 -- names and clauses of our own
        params={"paths": [str(path) for path in paths]} | parameters,
    ).to_arrow_reader(_BATCH_ROWS)
