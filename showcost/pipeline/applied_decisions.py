"""Decisions applied to a feed's records: corrected rows, and rows accepted as costs of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.audit.transitions import AuditKind
from showcost.core.engine import engine
from showcost.core.ids import DOCUMENT_SQL, RowRef, own_key
from showcost.ingest.corrections import correct_records
from showcost.ingest.records import records_schema, stored_records
from showcost.ledger.decisions import decision_effects
from showcost.staging.assets import records_asset
from showcost.validation.decisions import EFFECTS, DecisionEffects
from showcost.validation.duplicates import CONFLICT, DUPLICATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace


_KEY_CODES: Final = frozenset({DUPLICATE, CONFLICT})
"""Codes of a row whose key another row holds: accepting it makes it a cost of its own."""


@dataclass(frozen=True)
class FeedDecisions:
    """The effects of all decisions on a feed's rows (`decisions.DECISION_EFFECTS`).

    `corrected` are the corrected records and those accepted as costs of their own, which have keys of their
    own; `superseded` are the same records as they were read.
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
    with workspace.ledger.read() as connection:
        effects = decision_effects(connection, feed.name, as_of)
    return _applied(workspace, feed, effects)


def decisions_of_feeds(workspace: Workspace, feeds: Sequence[FeedSpec]) -> dict[str, FeedDecisions]:
    """Return the decisions on the rows of feeds, by feed; the ledger is opened once, which takes longest."""
    with workspace.ledger.read() as connection:
        effects = decision_effects(connection)
    return {feed.name: apply_decisions(workspace, feed, effects) for feed in feeds}


def apply_decisions(workspace: Workspace, feed: FeedSpec, of_feeds: pa.Table) -> FeedDecisions:
    """Apply decisions to the records of a feed; `of_feeds` are their effects on rows of any feed."""
    effects = of_feeds.filter(pc.equal(of_feeds.column("feed"), feed.name))
    return _applied(workspace, feed, effects)


def _applied(workspace: Workspace, feed: FeedSpec, effects: pa.Table) -> FeedDecisions:
    no_records = records_schema(feed).empty_table()
    # A decision that neither corrects nor accepts, such as 200,000 discards in one act, changes no record.
    waived = pc.list_value_length(effects.column("codes"))
    changing = pc.or_(pc.not_equal(effects.column("fields"), "{}"), pc.greater(waived, 0))
    changed = {
        (row["delivery"], row["record"]): (json.loads(row["fields"]), bool(_KEY_CODES & set(row["codes"])))
        for row in effects.filter(changing).select(["delivery", "record", "fields", "codes"]).to_pylist()
    }
    corrections = {place: fields for place, (fields, accepted) in changed.items() if fields or accepted}
    if not corrections:
        return FeedDecisions(effects, no_records, no_records)
    read, siblings = _records_with(workspace, feed, corrections)
    corrected = correct_records(feed, read, corrections, dates=workspace.production.dates, siblings=siblings)
    accepted = {place for place, (_, is_accepted) in changed.items() if is_accepted}
    return FeedDecisions(effects, _with_own_keys(feed, corrected, accepted), read)


def _with_own_keys(feed: FeedSpec, records: pa.Table, accepted: set[tuple[str, int]]) -> pa.Table:
    """Give records that a person accepted as costs of their own a key that no other record has."""
    places = zip(records.column("delivery").to_pylist(), records.column("record").to_pylist(), strict=True)
    keys = [
        own_key(RowRef(feed.name, *place), key) if key is not None and place in accepted else key
        for place, key in zip(places, records.column("row_key").to_pylist(), strict=True)
    ]
    column = records.schema.get_field_index("row_key")
    return records.set_column(column, records.schema.field(column), pa.array(keys, pa.string()))


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
    with engine() as connection:
        connection.register("chosen", chosen)
        source = stored_records(schema, paths)
        files = {"paths": [str(path) for path in paths]}
        read = connection.sql(
            f"{source} SEMI JOIN chosen USING (delivery, record) ORDER BY arrival, record", params=files
        ).to_arrow_table()
        siblings = (
            connection.sql(source, params=files).to_arrow_table()
            if feed.key_ordinal or feed.kind.line is not None
            else read
        )
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
        connection.register("files", places_table(places))
        return {
            name
            for (name,) in connection.execute(
                _DELIVERIES_WITH,
                {"paths": [str(path) for path in places.values()]},
            ).fetchall()
        }


_DELIVERIES_WITH: Final = f"""
SELECT DISTINCT files.delivery FROM read_parquet($paths, filename = true) AS places
SEMI JOIN (SELECT DISTINCT {DOCUMENT_SQL} AS document FROM wanted_keys) AS wanted
    ON document = {DOCUMENT_SQL}
JOIN files ON files.path = places.filename
"""  # noqa: S608 - constants only


def places_table(places: Mapping[str, Path]) -> pa.Table:
    """Return the columns delivery and path of `key_places`."""
    return pa.table(
        {
            "delivery": pa.array(places, pa.string()),
            "path": pa.array([str(path) for path in places.values()], pa.string()),
        }
    )
