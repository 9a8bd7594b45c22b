"""Rows by the id of the row or of one of its entries, with outcome, entries and decisions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from showcost.core.engine import engine
from showcost.core.errors import InputError
from showcost.core.ids import ROW_ID_SQL, RowRef
from showcost.ledger.active_entries import entries_as_of
from showcost.ledger.decisions import decision_effects, last_decisions
from showcost.ledger.schema import PLAN_LINE
from showcost.pipeline.outcomes import outcome_logs, outcomes_as_recorded
from showcost.staging import ALL
from showcost.validation.decisions import disposition_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from showcost.workspace import Workspace

MINIMUM_DIGITS: Final = 6
"""Minimum number of digits of an id that a person has to give."""


@dataclass(frozen=True)
class FoundRow:
    """A row with its outcome in the audit log, its entries, and the effect of decisions.

    `day` is its transaction date, if it has one; `disposition` is `valid`, that of the quarantine, or
    `discarded`.
    `entries` are all entries of the row, or its plan lines and their withdrawals in the same form (without
    rate, base amount and batch), oldest first. `effect` is its row of `decisions.DECISION_EFFECTS`,
    None without a decision. `last` is the last decision on it, undone ones included (`last_decisions`).
    """

    place: RowRef
    row_key: str | None
    day: date | None
    disposition: str
    codes: tuple[str, ...]
    entries: tuple[Mapping[str, Any], ...]
    effect: Mapping[str, Any] | None
    last: Mapping[str, Any] | None = None

    @property
    def row_id(self) -> str:
        """The id of the row in the queue."""
        return self.place.row_id

    @property
    def partition(self) -> str:
        """The partition of the row: its date, or `all` for an undated row."""
        return ALL if self.day is None else self.day.isoformat()

    @property
    def active_entries(self) -> tuple[Mapping[str, Any], ...]:
        """The postings of the row that no reversal negates."""
        reversed_ids = {entry["reverses"] for entry in self.entries}
        return tuple(
            entry
            for entry in self.entries
            if entry["entry_kind"] == "posting" and entry["entry_id"] not in reversed_ids
        )

    @property
    def fields(self) -> Mapping[str, str]:
        """The corrected fields and their texts."""
        fields: Mapping[str, str] = json.loads(self.effect["fields"]) if self.effect else {}
        return fields


def check_ids(ids: Sequence[str]) -> None:
    """Raise InputError for a text that cannot be the beginning of an id."""
    for text in ids:
        if len(text) < MINIMUM_DIGITS or set(text) - set("0123456789abcdef"):
            raise InputError(f"invalid id {text!r}: use at least {MINIMUM_DIGITS} hex digits")


def find_rows(workspace: Workspace, ids: Sequence[str], as_of: int | None = None) -> list[FoundRow]:
    """Return the rows with these ids, each once, in the order given; after the audit record `as_of`, or now.

    An id is that of a row or of a ledger entry, or its first digits (at least six) if only one row matches.
    Raises InputError for an id that no row or several rows match.
    """
    check_ids(ids)
    entries = _entry_rows(workspace, ids, as_of)
    recorded = _recorded(workspace, ids, [place for matches in entries.values() for place in matches], as_of)
    chosen: dict[RowRef, None] = {}
    for text in ids:
        places = set(entries.get(text, ())) | {place for place in recorded if place.row_id.startswith(text)}
        if len(places) != 1:
            owners = "no row or entry has" if not places else f"{len(places)} rows have"
            then = "" if as_of is None else f" after audit record {as_of}"
            raise InputError(f"{owners} an id that begins with {text}{then}")
        chosen[places.pop()] = None
    return _completed(workspace, {place: recorded[place] for place in chosen}, as_of)


def rows_at(workspace: Workspace, places: Sequence[RowRef]) -> list[FoundRow]:
    """Return rows by their place in deliveries, in the order given; InputError if one was never validated."""
    recorded = _recorded(workspace, [], places)
    for place in places:
        if place not in recorded:
            raise InputError(f"record {place.record} of delivery {place.delivery} is not validated yet")
    return _completed(workspace, {place: recorded[place] for place in places})


def _entry_rows(workspace: Workspace, ids: Sequence[str], as_of: int | None) -> dict[str, set[RowRef]]:
    """Return, per text, the rows with an entry whose id begins with it."""
    ledger = workspace.ledger
    rows: dict[str, set[RowRef]] = {}
    with ledger.read() as connection:
        connection.register("prefixes", pa.table({"text": pa.array(ids, pa.string())}))
        for text, feed, delivery, record in connection.execute(
            f"SELECT DISTINCT text, feed, delivery, record FROM {entries_as_of(as_of)}"  # noqa: S608 - no values
            " JOIN prefixes ON starts_with(entry_id, text)"
            " UNION SELECT text, feed, delivery, record FROM plan_lines"
            " JOIN prefixes ON starts_with(line_id, text)"
            " WHERE CAST($as_of AS BIGINT) IS NULL OR seq <= $as_of",
            {"as_of": as_of},
        ).fetchall():
            rows.setdefault(text, set()).add(RowRef(feed, delivery, record))
    return rows


_RECORDED: Final = f"""
SELECT delivery, record, row_key, transaction_date, disposition, coalesce(codes, []) AS codes
FROM (SELECT *, $feed AS feed, {ROW_ID_SQL} AS row_id FROM recorded)
WHERE EXISTS (FROM prefixes WHERE starts_with(row_id, text))
    OR (delivery, record) IN (SELECT (delivery, record) FROM named WHERE named.feed = $feed)
"""  # noqa: S608 - constants only


def _recorded(
    workspace: Workspace, ids: Sequence[str], named: Sequence[RowRef], as_of: int | None = None
) -> dict[RowRef, Mapping[str, Any]]:
    """Return the outcomes in the audit log of the rows with these ids or places."""
    outcomes: dict[RowRef, Mapping[str, Any]] = {}
    logs = outcome_logs(workspace.audit, as_of)
    places = pa.table(
        {
            "feed": pa.array([place.feed for place in named], pa.string()),
            "delivery": pa.array([place.delivery for place in named], pa.string()),
            "record": pa.array([place.record for place in named], pa.int64()),
        }
    )
    for feed in workspace.feeds:
        if feed.name not in logs:
            continue
        with engine() as connection:
            outcomes_as_recorded(connection, logs[feed.name])
            connection.register("prefixes", pa.table({"text": pa.array(ids, pa.string())}))
            connection.register("named", places)
            for row in connection.sql(_RECORDED, params={"feed": feed.name}).to_arrow_table().to_pylist():
                outcomes[RowRef(feed.name, row["delivery"], row["record"])] = row
    return outcomes


# A plan line is shown like an entry, without what it lacks: rate, base amount, batch.
_ENTRIES: Final = f"""
FROM (
    SELECT ledger_entries.*, batches.seq, batches.run_id, batches.posted_at
    FROM ledger_entries SEMI JOIN places USING (feed, delivery, record)
    JOIN batches USING (batch_id)
    UNION ALL BY NAME
    SELECT line_id AS entry_id,
        CASE line_kind WHEN '{PLAN_LINE}' THEN 'posting' ELSE 'reversal' END AS entry_kind,
        generation, withdraws AS reverses, record_kind AS component, stated_on AS transaction_date,
        production, feed, record_kind, row_key, content, delivery, arrival, record, account, currency, amount,
        flags, seq
    FROM plan_lines SEMI JOIN places USING (feed, delivery, record))
WHERE CAST($as_of AS BIGINT) IS NULL OR seq <= $as_of
ORDER BY seq, generation, component, entry_id
"""  # noqa: S608 - constants only


def _completed(
    workspace: Workspace, recorded: Mapping[RowRef, Mapping[str, Any]], as_of: int | None = None
) -> list[FoundRow]:
    ledger = workspace.ledger
    entries: dict[RowRef, list[Mapping[str, Any]]] = {}
    places = pa.table(
        {
            "feed": pa.array([place.feed for place in recorded], pa.string()),
            "delivery": pa.array([place.delivery for place in recorded], pa.string()),
            "record": pa.array([place.record for place in recorded], pa.int64()),
        }
    )
    with ledger.read() as connection:
        connection.register("places", places)
        for row in connection.sql(_ENTRIES, params={"as_of": as_of}).to_arrow_table().to_pylist():
            entries.setdefault(RowRef(row["feed"], row["delivery"], row["record"]), []).append(row)
        decided = decision_effects(connection, as_of=as_of)
        effects = {row["row_id"]: row for row in decided.to_pylist()}
        last = last_decisions(connection)
    return [
        FoundRow(
            place=place,
            row_key=row["row_key"],
            day=row["transaction_date"],
            disposition=disposition_of(row["disposition"], row["codes"]),
            codes=tuple(row["codes"]),
            entries=tuple(entries.get(place, ())),
            effect=effects.get(place.row_id),
            last=last.get(place.row_id),
        )
        for place, row in recorded.items()
    ]
