"""Raw rows: every record of a feed's deliveries whose transaction date lies in a partition.

Records come with the corrections of people laid over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from showcost.core.engine import engine
from showcost.ingest.landing import LandedDelivery, landed
from showcost.ingest.records import records_schema
from showcost.pipeline.applied_decisions import decisions_of, stamps_by_partition
from showcost.staging import PartitionRows, StagedPartition, split_by_date
from showcost.staging.assets import raw_asset, records_asset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace

_BATCH_ROWS = 100_000


def write_raw_rows(workspace: Workspace, feed: FeedSpec, dates: Sequence[date]) -> list[StagedPartition]:
    """Write the raw rows of the partitions (`dates`, ascending, without gaps) and return what was staged."""
    touching = [one for one in landed(workspace, feed) if any(day in one.summary.dates for day in dates)]
    sources = [one.arrival.delivery for one in touching]
    decisions = decisions_of(workspace, feed)
    marks = stamps_by_partition(workspace, feed, decisions)
    store = workspace.staging
    with engine() as connection:
        rows = _records(
            connection,
            _Source(workspace, feed, sources, decisions.corrected),
            "WHERE transaction_date BETWEEN $first AND $last ORDER BY transaction_date, arrival, record",
            {"first": dates[0], "last": dates[-1]},
        )
        parts = (
            PartitionRows(
                day.isoformat(),
                table,
                {"records": records_of(touching, day), "decisions": marks.get(day.isoformat(), [])},
            )
            for day, table in split_by_date(rows, "transaction_date", dates)
        )
        return store.write_many(raw_asset(feed.name), parts)


def records_of(deliveries: Sequence[LandedDelivery], day: date) -> list[str]:
    """Return the stored records (by sha256) that a date's raw rows are made of, in order of arrival."""
    return [one.records for one in deliveries if day in one.summary.dates]


def undated_records(workspace: Workspace, feed: FeedSpec, corrected: pa.Table) -> pa.Table:
    """Return the records of a feed that have no transaction date, in order of arrival."""
    sources = [one.arrival.delivery for one in landed(workspace, feed) if one.summary.undated]
    with engine() as connection:
        clause = "WHERE transaction_date IS NULL ORDER BY arrival, record"
        return _records(connection, _Source(workspace, feed, sources, corrected), clause, {}).read_all()


def chosen_records(
    workspace: Workspace, feed: FeedSpec, places: Sequence[tuple[str, int]], corrected: pa.Table
) -> pa.Table:
    """Return records by delivery and record; no other delivery is opened."""
    sources = sorted({delivery for delivery, _ in places})
    with engine() as connection:
        connection.register(
            "chosen",
            pa.table(
                {
                    "delivery": pa.array([delivery for delivery, _ in places], pa.string()),
                    "record": pa.array([record for _, record in places], pa.int64()),
                }
            ),
        )
        clause = "SEMI JOIN chosen USING (delivery, record) ORDER BY transaction_date, arrival, record"
        return _records(connection, _Source(workspace, feed, sources, corrected), clause, {}).read_all()


def rows_of_same_keys(
    workspace: Workspace,
    feed: FeedSpec,
    keys: pa.Array,
    corrected: pa.Table,
    sources: Sequence[str] | None = None,
) -> pa.Table:
    """Return the dated records of a feed, of all partitions, that share one of `keys` with another one.

    `sources` are the deliveries that may have them; all of the feed when None.
    """
    if sources is None:
        sources = [one.arrival.delivery for one in landed(workspace, feed) if one.summary.dates]
    with engine() as connection:
        connection.register("wanted", pa.table({"row_key": keys}))
        clause = """
            SEMI JOIN wanted USING (row_key) WHERE transaction_date IS NOT NULL
            QUALIFY count(*) OVER (PARTITION BY row_key) > 1 ORDER BY arrival, record"""
        return _records(connection, _Source(workspace, feed, sources, corrected), clause, {}).read_all()


@dataclass(frozen=True)
class _Source:
    """The records of some deliveries (by sha256), and those of the feed that a person corrected."""

    workspace: Workspace
    feed: FeedSpec
    deliveries: Sequence[str]
    corrected: pa.Table


def _records(
    connection: duckdb.DuckDBPyConnection, source: _Source, clause: str, parameters: dict[str, object]
) -> pa.RecordBatchReader:
    """Select from records, corrected ones in place of what was read; each file is verified before."""
    schema = records_schema(source.feed)
    columns = ", ".join(f'"{name}"' for name in schema.names)
    read = f"SELECT {columns} FROM read_parquet($paths)"  # noqa: S608 -- names of our own
    paths = source.workspace.staging.verified_paths(records_asset(source.feed.name), source.deliveries)
    if not source.corrected.num_rows:
        if not paths:
            return pa.RecordBatchReader.from_batches(schema, [])
        laid_over = read
    else:
        connection.register("corrected", source.corrected)
        laid_over = f"SELECT {columns} FROM corrected"  # noqa: S608 -- names of our own
        if paths:
            laid_over = f"{read} ANTI JOIN corrected USING (delivery, record) UNION ALL {laid_over}"
    return connection.sql(
        f"SELECT {columns} FROM ({laid_over}) {clause}",  # noqa: S608 -- names and clauses of our own
        params=({"paths": [str(path) for path in paths]} if paths else {}) | parameters,
    ).to_arrow_reader(_BATCH_ROWS)
