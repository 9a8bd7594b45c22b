"""Raw rows: the records of a feed's deliveries by transaction date, with people's corrections applied.

A raw partition has no rows of its own: it names the records that it consists of, which are stored once, as
landed, sorted by date (decision record 27).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.engine import engine
from showcost.core.ids import DOCUMENT_SQL
from showcost.ingest.landing import LandedDelivery, landed
from showcost.ingest.records import records_schema, stored_records
from showcost.pipeline.applied_decisions import decisions_of
from showcost.pipeline.decision_stamps import stamps_by_partition
from showcost.staging.assets import raw_asset, records_asset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import duckdb

    from showcost.config.feed import FeedSpec
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.staging import StagedPartition
    from showcost.workspace import Workspace

_BATCH_ROWS = 100_000
_FEW_ROWS = 25_000
"""Rows of a batch that is typed as a whole: with all their columns they take several times their size."""
_PLACES = ("transaction_date", "delivery", "record")


def write_raw_rows(workspace: Workspace, feed: FeedSpec, dates: Sequence[date]) -> list[StagedPartition]:
    """Store the raw partitions of `dates` (ascending) and return them as staged.

    Each has the sha256 of the records that it consists of, its decision stamps, and its number of rows.
    """
    deliveries = landed(workspace, feed)
    decisions = decisions_of(workspace, feed)
    stamps = stamps_by_partition(workspace, feed, decisions)
    rows = raw_counts(deliveries, decisions, dates)
    notes = {
        day.isoformat(): (
            rows[day],
            {"records": records_of(deliveries, day), "decisions": stamps.get(day.isoformat(), [])},
        )
        for day in dates
    }
    return workspace.staging.note(raw_asset(feed.name), notes)


def raw_counts(
    deliveries: Sequence[LandedDelivery], decisions: FeedDecisions, dates: Sequence[date]
) -> Counter[date]:
    """Return the number of raw rows per date: as landed, and moved by corrections."""
    rows: Counter[date] = Counter()
    for delivery in deliveries:
        rows.update(delivery.summary.dates)
    rows.update(decisions.corrected.column("transaction_date").to_pylist())
    rows.subtract(decisions.superseded.column("transaction_date").to_pylist())
    return Counter({day: rows[day] for day in dates})


def read_raw_rows(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], decisions: FeedDecisions
) -> pa.Table:
    """Return the raw rows of `dates` (ascending, without gaps), by date, arrival and record."""
    sources = _sources(workspace, feed, dates)
    with engine() as connection:
        return _records(
            connection,
            _Source(workspace, feed, sources, decisions.corrected),
            "WHERE transaction_date BETWEEN $first AND $last ORDER BY transaction_date, arrival, record",
            {"first": dates[0], "last": dates[-1]},
        ).read_all()


def rows_of_days(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], decisions: FeedDecisions
) -> pa.Table | None:
    """Return the raw rows of some dates, for kinds whose rows are lines of a person's day; else None."""
    if not feed.kind.has_pay_rules:
        return None
    with engine() as connection:
        return _records(
            connection,
            _Source(workspace, feed, _sources(workspace, feed, dates), decisions.corrected),
            "WHERE list_contains(CAST($dates AS DATE[]), transaction_date) ORDER BY arrival, record",
            {"dates": list(dates)},
        ).read_all()


def raw_places(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], decisions: FeedDecisions
) -> pa.Table:
    """Return transaction_date, delivery and record of the raw rows of some dates."""
    sources = _sources(workspace, feed, dates)
    with engine() as connection:
        return _records(
            connection,
            _Source(workspace, feed, sources, decisions.corrected, _PLACES),
            "WHERE list_contains(CAST($dates AS DATE[]), transaction_date)",
            {"dates": list(dates)},
        ).read_all()


def raw_numbers(
    workspace: Workspace, feed: FeedSpec, dates: Sequence[date], decisions: FeedDecisions
) -> pa.Table:
    """Return delivery, record and document number of the raw rows of some dates."""
    names = ("transaction_date", "delivery", "record", feed.kind.document)
    with engine() as connection:
        return _records(
            connection,
            _Source(workspace, feed, _sources(workspace, feed, dates), decisions.corrected, names),
            "WHERE list_contains(CAST($dates AS DATE[]), transaction_date)",
            {"dates": list(dates)},
        ).read_all()


def _sources(workspace: Workspace, feed: FeedSpec, dates: Sequence[date]) -> list[str]:
    """Return the deliveries with records of some dates, in order of arrival."""
    return [
        delivery.arrival.delivery
        for delivery in landed(workspace, feed)
        if any(day in delivery.summary.dates for day in dates)
    ]


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


def records_at(
    workspace: Workspace, feed: FeedSpec, places: pa.Table, corrected: pa.Table
) -> Iterator[pa.Table]:
    """Yield the records at some places (columns delivery and record), a bounded number at a time.

    Deliveries without landed records are left out.
    """
    store, asset = workspace.staging, records_asset(feed.name)
    sources = [
        delivery
        for delivery in places.column("delivery").unique().to_pylist()
        if store.metadata(asset, delivery) is not None
    ]
    with engine() as connection:
        connection.register("chosen", places)
        clause = "SEMI JOIN chosen USING (delivery, record)"
        for batch in _records(
            connection, _Source(workspace, feed, sources, corrected), clause, {}, _FEW_ROWS
        ):
            yield pa.Table.from_batches([batch])


def rows_of_same_keys(
    workspace: Workspace,
    feed: FeedSpec,
    keys: pa.Array,
    corrected: pa.Table,
    sources: Sequence[str] | None = None,
) -> pa.Table:
    """Return the dated records of a feed, of all partitions, with one of `keys` that several records share.

    Lines without numbers share the key of their document (`core.ids.line_key`).

    `sources` are the deliveries that may have them; all of the feed when None.
    """
    if sources is None:
        sources = [
            delivery.arrival.delivery for delivery in landed(workspace, feed) if delivery.summary.dates
        ]
    with engine() as connection:
        connection.register("wanted_keys", pa.table({"row_key": keys}))
        clause = _OF_SAME_DOCUMENT
        return _records(connection, _Source(workspace, feed, sources, corrected), clause, {}).read_all()


_OF_SAME_DOCUMENT: Final = f"""
SEMI JOIN (SELECT DISTINCT {DOCUMENT_SQL} AS document FROM wanted_keys) AS wanted ON document = {DOCUMENT_SQL}
WHERE transaction_date IS NOT NULL
QUALIFY count(*) OVER (PARTITION BY {DOCUMENT_SQL}) > 1 ORDER BY arrival, record
"""  # noqa: S608 - constants only


@dataclass(frozen=True)
class _Source:
    """The records of some deliveries (by sha256), and the corrected records of the feed.

    `names` are the columns to be read, all of them when empty.
    """

    workspace: Workspace
    feed: FeedSpec
    deliveries: Sequence[str]
    corrected: pa.Table
    names: Sequence[str] = ()


def _records(
    connection: duckdb.DuckDBPyConnection,
    source: _Source,
    clause: str,
    parameters: dict[str, object],
    batch_rows: int = _BATCH_ROWS,
) -> pa.RecordBatchReader:
    """Select from records, with corrected records in place of the original ones; verifies each file."""
    schema = records_schema(source.feed)
    if source.names:
        schema = pa.schema([schema.field(name) for name in source.names])
    columns = ", ".join(f'"{name}"' for name in schema.names)
    paths = source.workspace.staging.verified_paths(records_asset(source.feed.name), source.deliveries)
    read = stored_records(schema, paths)
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
    ).to_arrow_reader(batch_rows)
