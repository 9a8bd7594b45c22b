"""Decisions applied to a feed's records: corrected rows, and the partitions that each decision affects.

A decision may move a row to another date, and may change the outcome of other rows with the same key. So
each staged partition names the decisions that it was made with as *stamps*: one for each decided row that is
or was delivered in it (`<row id>:<audit record>`), and one for each of its other rows with the key of a
decided row (`<row id>:<audit record>+<id of the other row>`). A partition whose stamps differ from the
expected ones is due.
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
from showcost.ledger.decisions import decision_effects
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
    """The effects of all decisions on a feed's rows (`decisions.DECISION_EFFECTS`).

    `corrected` are the corrected records, `superseded` the same records as they were read.
    """

    effects: pa.Table
    corrected: pa.Table
    superseded: pa.Table

    @property
    def for_validation(self) -> DecisionEffects:
        """The effects in the form that validation takes."""
        return DecisionEffects(self.effects.select(EFFECTS.names), self.superseded)


def decisions_of(workspace: Workspace, feed: FeedSpec, as_of: int | None = None) -> FeedDecisions:
    """Return the decisions on the rows of a feed, after the audit record `as_of`, or now."""
    ledger = workspace.ledger
    no_records = records_schema(feed).empty_table()
    with ledger.read() as connection:
        effects = decision_effects(connection, feed.name, as_of)
    corrections = {
        (row["delivery"], row["record"]): fields
        for row in effects.select(["delivery", "record", "fields"]).to_pylist()
        if (fields := json.loads(row["fields"]))
    }
    if not corrections:
        return FeedDecisions(effects, no_records, no_records)
    read, siblings = _records_with(workspace, feed, corrections)
    corrected = correct_records(feed, read, corrections, dates=workspace.production.dates, siblings=siblings)
    return FeedDecisions(effects, corrected, read)


def _records_with(
    workspace: Workspace, feed: FeedSpec, corrections: Mapping[tuple[str, int], Mapping[str, str]]
) -> tuple[pa.Table, pa.Table]:
    """Return the records to correct, and all records of their deliveries if their keys depend on them."""
    deliveries = sorted({delivery for delivery, _ in corrections})
    paths = workspace.staging.verified_paths(records_asset(feed.name), deliveries)
    chosen = pa.table(
        {
            "delivery": pa.array([delivery for delivery, _ in corrections], pa.string()),
            "record": pa.array([record for _, record in corrections], pa.int64()),
        }
    )
    schema = records_schema(feed)
    columns = ", ".join(f'"{name}"' for name in schema.names)
    with engine() as connection:
        connection.register("chosen", chosen)
        source = f"SELECT {columns} FROM read_parquet($paths)"  # noqa: S608 - names of our own columns
        files = {"paths": [str(path) for path in paths]}
        read = connection.sql(
            f"{source} SEMI JOIN chosen USING (delivery, record) ORDER BY arrival, record", params=files
        ).to_arrow_table()
        siblings = connection.sql(source, params=files).to_arrow_table() if feed.key_ordinal else read
    return read.cast(schema), siblings.cast(schema)


def key_places(workspace: Workspace, feed: FeedSpec, as_of: int | None = None) -> dict[str, Path]:
    """Return, per delivery of a feed, the audit segment with the keys and dates of its records.

    Deliveries read up to the audit record `as_of`, or all. Rows of a key are found in it without opening
    the records of unrelated deliveries.
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
    """Return the deliveries with a record that was read with one of these keys."""
    places = key_places(workspace, feed)
    if not places:
        return set()
    with engine() as connection:
        connection.register("wanted_keys", pa.table({"row_key": keys}))
        connection.register("files", _files(places))
        return {
            name
            for (name,) in connection.execute(
                "SELECT DISTINCT files.delivery FROM read_parquet($paths, filename = true) AS places"
                " SEMI JOIN wanted_keys USING (row_key) JOIN files ON files.path = places.filename",
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


_STAMPS: Final = f"""
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
SELECT DISTINCT transaction_date, row_id || ':' || seq AS stamp FROM own
UNION SELECT DISTINCT transaction_date, row_id || ':' || seq || '+' || {ROW_ID_SQL} FROM related
ORDER BY ALL
"""  # noqa: S608 - constants only


def stamps_by_partition(
    workspace: Workspace, feed: FeedSpec, decisions: FeedDecisions
) -> dict[str, list[str]]:
    """Return the stamps that each partition must have (a date, or `all` for the undated rows), sorted."""
    places = key_places(workspace, feed) if decisions.effects.num_rows else {}
    stamps: dict[str, list[str]] = {}
    if not places:
        return stamps
    with engine() as connection:
        connection.register("effects", decisions.effects)
        connection.register("corrected", decisions.corrected)
        connection.register("files", _files(places))
        parameters = {"paths": [str(path) for path in places.values()], "feed": feed.name}
        for day, stamp in connection.execute(_STAMPS, parameters).fetchall():
            stamps.setdefault(day.isoformat() if day else ALL, []).append(stamp)
    return stamps


def replay_stamps(staged: Sequence[str], expected: Sequence[str], row_ids: set[str]) -> list[str]:
    """Return a partition's stamps after a replay: the expected ones for replayed rows, else as staged."""
    kept = [stamp for stamp in staged if stamped_row(stamp) not in row_ids]
    return sorted([*kept, *(stamp for stamp in expected if stamped_row(stamp) in row_ids)])


def stamped_row(stamp: str) -> str:
    """Return the id of the row of the partition that a stamp is about."""
    decided, _, other = stamp.partition("+")
    return other or decided.partition(":")[0]
