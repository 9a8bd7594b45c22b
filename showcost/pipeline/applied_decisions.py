"""What people decided about a feed's rows, brought to its records: corrected rows, and where they belong.

A decision may move a row to another date, and may change what becomes of the other rows of its key. So every
staged partition names the decisions that it was made with: *marks*, one for each decided row that is or was
delivered in it (`<row id>:<audit record>`), and one for each other row of it that has the key of a decided
row (`<row id>:<audit record>+<id of the other row>`). A partition whose marks are not what they must be is
due.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.audit.transitions import AuditKind
from showcost.core.engine import engine
from showcost.core.ids import ROW_ID_SQL
from showcost.ingest.corrections import correct_records
from showcost.ingest.records import records_schema
from showcost.ledger.decisions import effective_decisions
from showcost.staging import ALL
from showcost.staging.assets import records_asset
from showcost.validation.decisions import EFFECTS, DecisionEffects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class FeedDecisions:
    """The effect of all decisions about a feed's rows (`decisions.EFFECTIVE`).

    `corrected` are the records that have a correction, as corrected, and `superseded` the same as read.
    """

    effects: pa.Table
    corrected: pa.Table
    superseded: pa.Table

    @property
    def decided(self) -> DecisionEffects:
        """What validation asks for."""
        return DecisionEffects(self.effects.select(EFFECTS.names), self.superseded)


def decisions_of(workspace: Workspace, feed: FeedSpec, as_of: int | None = None) -> FeedDecisions:
    """Return what is decided about the rows of a feed, as known after an audit record, or now."""
    ledger = workspace.ledger
    none = records_schema(feed).empty_table()
    with ledger.read() as connection:
        effects = effective_decisions(connection, feed.name, as_of)
    corrections = {
        (one["delivery"], one["record"]): fields
        for one in effects.select(["delivery", "record", "fields"]).to_pylist()
        if (fields := json.loads(one["fields"]))
    }
    if not corrections:
        return FeedDecisions(effects, none, none)
    read, siblings = _records_with(workspace, feed, corrections)
    corrected = correct_records(feed, read, corrections, dates=workspace.production.dates, siblings=siblings)
    return FeedDecisions(effects, corrected, read)


def _records_with(
    workspace: Workspace, feed: FeedSpec, corrections: Mapping[tuple[str, int], Mapping[str, str]]
) -> tuple[pa.Table, pa.Table]:
    """Return the records that are corrected, and all records of their deliveries where those are needed."""
    deliveries = sorted({delivery for delivery, _ in corrections})
    paths = workspace.staging.verified_paths(records_asset(feed.name), deliveries)
    wanted = pa.table(
        {
            "delivery": pa.array([delivery for delivery, _ in corrections], pa.string()),
            "record": pa.array([record for _, record in corrections], pa.int64()),
        }
    )
    schema = records_schema(feed)
    columns = ", ".join(f'"{name}"' for name in schema.names)
    with engine() as connection:
        connection.register("wanted", wanted)
        source = f"SELECT {columns} FROM read_parquet($paths)"  # noqa: S608 - names of our own columns
        files = {"paths": [str(path) for path in paths]}
        read = connection.sql(
            f"{source} SEMI JOIN wanted USING (delivery, record) ORDER BY arrival, record", params=files
        ).to_arrow_table()
        siblings = connection.sql(source, params=files).to_arrow_table() if feed.key_ordinal else read
    return read.cast(schema), siblings.cast(schema)


def key_places(workspace: Workspace, feed: FeedSpec, as_of: int | None = None) -> dict[str, Path]:
    """Return, per delivery of a feed, the segment that says which keys and dates its records have.

    Of those that were read up to an audit record, or all. To find the rows with a key, no other delivery's
    records need to be opened.
    """
    audit = workspace.audit
    latest = {
        str(record.facts["delivery"]): record.segment
        for record in audit.records()
        if record.kind is AuditKind.RECORDS_READ
        and record.facts["feed"] == feed.name
        and record.segment is not None
        and (as_of is None or record.seq <= as_of)
    }
    return {delivery: audit.segment_path(segment) for delivery, segment in latest.items()}


def deliveries_with(workspace: Workspace, feed: FeedSpec, keys: pa.Array | pa.ChunkedArray) -> set[str]:
    """Return the deliveries that have a record with one of these keys, as it was read."""
    places = key_places(workspace, feed)
    if not places:
        return set()
    with engine() as connection:
        connection.register("wanted", pa.table({"row_key": keys}))
        connection.register("files", _files(places))
        return {
            name
            for (name,) in connection.execute(
                "SELECT DISTINCT files.delivery FROM read_parquet($paths, filename = true) AS places"
                " SEMI JOIN wanted USING (row_key) JOIN files ON files.path = places.filename",
                {"paths": [str(path) for path in places.values()]},
            ).fetchall()
        }


def _files(places: Mapping[str, Path]) -> pa.Table:
    return pa.table(
        {
            "delivery": pa.array(places, pa.string()),
            "path": pa.array([str(path) for path in places.values()], pa.string()),
        }
    )


_MARKS: Final = f"""
WITH decided AS (SELECT row_id, delivery, record, seq FROM effects),
placed AS (
    SELECT files.delivery, places.record, places.row_key, places.transaction_date
    FROM read_parquet($paths, filename = true) AS places JOIN files ON files.path = places.filename
    UNION ALL SELECT delivery, record, row_key, transaction_date FROM corrected
), own AS (
    SELECT decided.*, row_key, transaction_date FROM decided JOIN placed USING (delivery, record)
), related AS (
    SELECT own.row_id, own.seq, placed.transaction_date, placed.feed, placed.delivery, placed.record
    FROM own JOIN (SELECT *, $feed AS feed FROM placed) AS placed USING (row_key)
    WHERE (own.delivery, own.record) <> (placed.delivery, placed.record)
        AND placed.transaction_date IS NOT NULL
)
SELECT DISTINCT transaction_date, row_id || ':' || seq AS mark FROM own
UNION SELECT DISTINCT transaction_date, row_id || ':' || seq || '+' || {ROW_ID_SQL} FROM related
ORDER BY ALL
"""  # noqa: S608 - constants only


def stamps_by_partition(
    workspace: Workspace, feed: FeedSpec, decisions: FeedDecisions
) -> dict[str, list[str]]:
    """Return the marks that each partition must have (a date, or `all` for the undated rows), sorted."""
    places = key_places(workspace, feed) if decisions.effects.num_rows else {}
    marks: dict[str, list[str]] = {}
    if not places:
        return marks
    with engine() as connection:
        connection.register("effects", decisions.effects)
        connection.register("corrected", decisions.corrected)
        connection.register("files", _files(places))
        asked = {"paths": [str(path) for path in places.values()], "feed": feed.name}
        for day, mark in connection.execute(_MARKS, asked).fetchall():
            marks.setdefault(day.isoformat() if day else ALL, []).append(mark)
    return marks


def replay_stamps(staged: Sequence[str], wanted: Sequence[str], row_ids: set[str]) -> list[str]:
    """Return the marks of a partition after rows of it were replayed: of these as wanted, else as was."""
    kept = [mark for mark in staged if stamped_row(mark) not in row_ids]
    return sorted([*kept, *(mark for mark in wanted if stamped_row(mark) in row_ids)])


def stamped_row(mark: str) -> str:
    """Return the id of the row of the partition for which a mark is there."""
    decided, _, other = mark.partition("+")
    return other or decided.partition(":")[0]
