"""Raw rows: the records of a feed's deliveries by transaction date, with people's corrections applied."""

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
    """Write the raw rows of the partitions (`dates`, ascending, without gaps) and return them as staged."""
    deliveries = [
        delivery
        for delivery in landed(workspace, feed)
        if any(day in delivery.summary.dates for day in dates)
    ]
    sources = [delivery.arrival.delivery for delivery in deliveries]
    decisions = decisions_of(workspace, feed)
    stamps = stamps_by_partition(workspace, feed, decisions)
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
                {"records": records_of(deliveries, day), "decisions": stamps.get(day.isoformat(), [])},
            )
            for day, table in split_by_date(rows, "transaction_date", dates)
        )
        return store.write_many(raw_asset(feed.name), parts)


def records_of(deliveries: Sequence[LandedDelivery], day: date) -> list[str]:
    """Return the sha256 of the stored records that a date's raw rows come from, in order of arrival."""
    return [delivery.records for delivery in deliveries if day in delivery.summary.dates]


def undated_records(workspace: Workspace, feed: FeedSpec, corrected: pa.Table) -> pa.Table:
    """Return the records of a feed without a transaction date, in order of arrival."""
    sources = [delivery.arrival.delivery for delivery in landed(workspace, feed) if delivery.summary.undated]
    with engine() as connection:
        clause = "WHERE transaction_date IS NULL ORDER BY arrival, record"
        return _records(connection, _Source(workspace, feed, sources, corrected), clause, {}).read_all()


def chosen_records(
    workspace: Workspace, feed: FeedSpec, places: Sequence[tuple[str, int]], corrected: pa.Table
) -> pa.Table:
    """Return the records at (delivery, record) places; no other delivery is opened."""
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
    """Return the dated records of a feed, of all partitions, with one of `keys` that several records share.

    `sources` are the deliveries that may have them; all of the feed when None.
    """
    if sources is None:
        sources = [
            delivery.arrival.delivery for delivery in landed(workspace, feed) if delivery.summary.dates
        ]
    with engine() as connection:
        connection.register("wanted_keys", pa.table({"row_key": keys}))
        clause = """
            SEMI JOIN wanted_keys USING (row_key) WHERE transaction_date IS NOT NULL
            QUALIFY count(*) OVER (PARTITION BY row_key) > 1 ORDER BY arrival, record"""
        return _records(connection, _Source(workspace, feed, sources, corrected), clause, {}).read_all()


@dataclass(frozen=True)
class _Source:
    """The records of some deliveries (by sha256), and the corrected records of the feed."""

    workspace: Workspace
    feed: FeedSpec
    deliveries: Sequence[str]
    corrected: pa.Table


def _records(
    connection: duckdb.DuckDBPyConnection, source: _Source, clause: str, parameters: dict[str, object]
) -> pa.RecordBatchReader:
    """Select from records, with corrected records in place of the original ones; verifies each file."""
    schema = records_schema(source.feed)
    columns = ", ".join(f'"{name}"' for name in schema.names)
    read = f"SELECT {columns} FROM read_parquet($paths)"  # noqa: S608 -- names of our own
    paths = source.workspace.staging.verified_paths(records_asset(source.feed.name), source.deliveries)
    if not source.corrected.num_rows:
        if not paths:
            return pa.RecordBatchReader.from_batches(schema, [])
        applied = read
    else:
        connection.register("corrected", source.corrected)
        applied = f"SELECT {columns} FROM corrected"  # noqa: S608 -- names of our own
        if paths:
            applied = f"{read} ANTI JOIN corrected USING (delivery, record) UNION ALL {applied}"
    return connection.sql(
        f"SELECT {columns} FROM ({applied}) {clause}",  # noqa: S608 -- names and clauses of our own
        params=({"paths": [str(path) for path in paths]} if paths else {}) | parameters,
    ).to_arrow_reader(_BATCH_ROWS)
