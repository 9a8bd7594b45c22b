"""Decisions of a person on rows: recorded before they take effect, and never deleted.

A row is identified by its feed, delivery and record. Its text and its posted entries never change; a
decision changes how they are treated from then on:

- correct: some fields have another text; the row's active entries are reversed, and it is validated again
- accept: the given reasons no longer keep the row out
- discard: the row is not a cost (it was not posted)
- reverse (stored as `withdraw`): the row's active entries are reversed and it is not posted again, or
  its plan line is withdrawn
- rebook (stored as `prefer`): of the rows with the same key, this row is posted
- undo (stored as `reopen`): all earlier decisions on the row are void

The effect of all decisions on a row is that of the decisions after its last undo: corrections and waivers
add up, the last decision says whether the row is withheld. `periods` closes and reopens periods.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.clock import utc_timestamp
from showcost.core.ids import RowRef, row_id
from showcost.fx.pinned_snapshots import active_snapshots
from showcost.ledger.active_entries import active_condition
from showcost.ledger.plan import plan_lines_as_of
from showcost.ledger.recorded_transaction import NewRecord, Writer, record_and_write, segment_parameter
from showcost.ledger.schema import DECISION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import duckdb

    from showcost.audit.log import Fact, Record
    from showcost.ledger.store import Ledger


class DecisionKind(StrEnum):
    """The kinds of decision (see the module); the values are stored."""

    CORRECT = "correct"
    ACCEPT = "accept"
    DISCARD = "discard"
    REVERSE = "withdraw"
    REBOOK = "prefer"
    UNDO = "reopen"


@dataclass(frozen=True)
class Decision:
    """A decision on one row: `fields` maps a field to its corrected text, `codes` are the waived reasons."""

    feed: str
    delivery: str
    record: int
    kind: DecisionKind
    fields: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()

    @property
    def row_id(self) -> str:
        """The id of the row in the queue."""
        return row_id(self.feed, self.delivery, self.record)


DECISION_EFFECTS: Final = pa.schema(
    [
        ("row_id", pa.string()),
        ("feed", pa.string()),
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("decision", pa.string()),
        ("fields", pa.string()),
        ("codes", pa.list_(pa.string())),
        ("withheld", pa.bool_()),
        ("preferred", pa.bool_()),
        ("seq", pa.int64()),
    ]
)
"""The effect of all decisions on a row: `decision` is the kind of the last one, `fields` a JSON object of
field to text, `codes` the waived reasons, `seq` the audit record of the last decision. Rows whose decisions
were undone are absent."""


def record_decisions(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    decisions: Sequence[Decision],
    *,
    who: str,
    why: str,
    now: datetime,
    act: str = "",
) -> Record:
    """Record decisions, all of one person and for one reason, and return the audit record.

    `act` is the idempotency key of a command that chose the rows by filters. The connection is that of
    `recovery.writing`. The corrected texts are in the record's segment and the ledger, not in the log. Two
    decisions on one row take effect in order. Raises ValueError without any.
    """
    if not decisions:
        raise ValueError("no decisions to record")
    count = len(decisions)
    row_ids = [decision.row_id for decision in decisions]
    columns: dict[str, Sequence[object]] = {
        "number": range(1, count + 1),
        "decided_at": [utc_timestamp(now)] * count,
        "row_id": row_ids,
        "feed": [decision.feed for decision in decisions],
        "delivery": [decision.delivery for decision in decisions],
        "record": [decision.record for decision in decisions],
        "decision": [decision.kind.value for decision in decisions],
        "fields": [_fields_text(decision.fields) for decision in decisions],
        "codes": [sorted(decision.codes) for decision in decisions],
        "who": [who] * count,
        "why": [why] * count,
    }
    counts = Counter(decision.kind.value for decision in decisions)
    facts: dict[str, Fact] = {"who": who, "why": why, "decisions": dict(sorted(counts.items()))}
    if act:
        facts["act"] = act
    new = NewRecord(
        AuditKind.DECIDED,
        facts,
        subjects=[states.row(name) for name in sorted(set(row_ids))],
        rows=pa.Table.from_pydict(columns, _SEGMENT),
    )
    return record_and_write(ledger, connection, new, DECISIONS)


def _fields_text(fields: Mapping[str, str]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False, sort_keys=True) if fields else _NO_FIELDS


_NO_FIELDS: Final = "{}"


def _write(connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None) -> None:
    connection.execute(_INSERT, segment_parameter(record, segment) | {"seq": record.seq})


DECISIONS: Final = Writer(_write)
"""Writes DECIDED."""


APPLIED: Final = pa.schema([("transaction_date", pa.date32()), ("row_id", pa.string()), ("seq", pa.int64())])
"""The decisions that valid rows were made with: per date and decided row, the record of its last decision.

Without a date, those of the row on any date.
"""


def leave_out_outdated(
    connection: duckdb.DuckDBPyConnection, feed: str, applied: pa.Table | None
) -> dict[date, int]:
    """Find the rows of `valid_rows` that were made without a decision that is in effect, or with one undone.

    Such a row has its former values: posting it now, after the decision, would make them look decided. It
    waits for its next validation. Makes the temporary table `OUTDATED`, and returns the number of rows per
    date. `applied` has the columns of `APPLIED`; None for rows without decisions.
    """
    if applied is None:
        connection.execute(_NONE_OUTDATED)
        return {}
    connection.register("posting_applied", applied.cast(APPLIED))
    connection.execute(_OUTDATED, {"feed": feed, "as_of": None})
    counts = f"SELECT transaction_date, count(*) FROM {OUTDATED} GROUP BY ALL"
    return dict(connection.execute(counts).fetchall())


def last_decisions(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Return the last decision on each row: seq, decision, fields (a mapping), codes, who, why."""
    rows = connection.sql(_LAST).to_arrow_table().to_pylist()
    for row in rows:
        row["fields"] = {} if row["fields"] == _NO_FIELDS else json.loads(row["fields"])
    return {row["row_id"]: row for row in rows}


def decided_places(connection: duckdb.DuckDBPyConnection, seqs: Sequence[int]) -> list[RowRef]:
    """Return the rows that some audit records decided on, in order."""
    rows = connection.execute(_PLACES, {"seqs": list(seqs)}).fetchall()
    return [RowRef(*row) for row in rows]


def decision_effects(
    connection: duckdb.DuckDBPyConnection, feed: str | None = None, as_of: int | None = None
) -> pa.Table:
    """Return the effect of all decisions per row (`DECISION_EFFECTS`), ordered by row_id.

    For one feed, or all; as of the audit record `as_of`, or now.
    """
    effects = connection.sql(
        f"{_EFFECTS} SELECT {', '.join(DECISION_EFFECTS.names)} FROM effects "
        "WHERE in_effect AND (CAST($feed AS VARCHAR) IS NULL OR feed = $feed) ORDER BY row_id",
        params={"feed": feed, "as_of": as_of},
    ).to_arrow_table()
    return effects.cast(DECISION_EFFECTS)


_SEGMENT: Final = pa.schema(
    [
        ("number", pa.int32()),
        ("decided_at", pa.timestamp("us")),
        *((name, pa.string()) for name in ("row_id", "feed", "delivery")),
        ("record", pa.int64()),
        *((name, pa.string()) for name in ("decision", "fields")),
        ("codes", pa.list_(pa.string())),
        *((name, pa.string()) for name in ("who", "why")),
    ]
)

_INSERT: Final = f"""
INSERT INTO row_decisions BY NAME
SELECT $seq AS seq, {", ".join(name for name in DECISION_COLUMNS if name != "seq")} FROM read_parquet($path)
"""

_LAST: Final = """
SELECT row_id, seq, decision, fields, codes, who, why FROM row_decisions
QUALIFY row_number() OVER (PARTITION BY row_id ORDER BY seq DESC, number DESC) = 1
"""

_PLACES: Final = """
SELECT DISTINCT feed, delivery, record FROM row_decisions
WHERE list_contains(CAST($seqs AS BIGINT[]), seq) ORDER BY ALL
"""

# A posting is out of date when the row was corrected, or a correction of it undone, since it was posted.
_EFFECTS: Final = """
WITH decisions AS (
    SELECT *, count(*) FILTER (decision = 'reopen') OVER earlier AS undo_count,
        bool_or(decision = 'correct') OVER earlier AS corrected_so_far
    FROM row_decisions WHERE CAST($as_of AS BIGINT) IS NULL OR seq <= $as_of
    WINDOW earlier AS (PARTITION BY row_id ORDER BY seq, number)
), sorted AS (
    SELECT *, undo_count = max(undo_count) OVER (PARTITION BY row_id) AND decision <> 'reopen' AS in_effect
    FROM decisions ORDER BY row_id, seq, number
), effects AS (
    SELECT row_id, any_value(feed) AS feed, any_value(delivery) AS delivery, any_value(record) AS record,
        coalesce(bool_or(in_effect), false) AS in_effect,
        last(decision) AS decision,
        list_reduce(list_prepend('{}', coalesce(list(fields) FILTER (in_effect), [])),
            lambda merged, later: CAST(json_merge_patch(merged, later) AS VARCHAR)) AS fields,
        list_sort(list_distinct(coalesce(flatten(list(codes) FILTER (in_effect)), []))) AS codes,
        last(decision) IN ('discard', 'withdraw') AS withheld,
        coalesce(bool_or(decision = 'prefer') FILTER (in_effect), false) AS preferred,
        max(seq) AS seq,
        max(seq) FILTER (decision = 'correct' OR (decision = 'reopen' AND corrected_so_far)) AS changed_seq
    FROM sorted GROUP BY row_id
)
"""

OUTDATED: Final = "posting_outdated"
"""The temporary table of `leave_out_outdated`, with the columns delivery, record and transaction_date."""

_NONE_OUTDATED: Final = (
    f"CREATE TEMP TABLE {OUTDATED} (delivery VARCHAR, record BIGINT, transaction_date DATE)"
)

_OUTDATED: Final = f"""
CREATE TEMP TABLE {OUTDATED} AS
{_EFFECTS} SELECT delivery, record, valid_rows.transaction_date
FROM valid_rows JOIN (FROM effects WHERE feed = $feed) AS decided USING (delivery, record)
LEFT JOIN posting_applied AS applied
    ON applied.row_id = decided.row_id
    AND (applied.transaction_date IS NULL OR applied.transaction_date = valid_rows.transaction_date)
WHERE (CASE WHEN decided.in_effect THEN decided.seq END) IS DISTINCT FROM applied.seq
"""

REVERSIBLE: Final = f"""
{_EFFECTS}, active AS (
    SELECT ledger_entries.*, batches.seq AS posted_seq
    FROM ledger_entries JOIN batches USING (batch_id)
    WHERE {active_condition()} AND (CAST($feed AS VARCHAR) IS NULL OR ledger_entries.feed = $feed)
), decided AS (
    SELECT active.* FROM active JOIN effects USING (feed, delivery, record)
    WHERE withheld OR coalesce(changed_seq > posted_seq, false)
), repinned AS (
    SELECT active.* FROM active SEMI JOIN fx_repins ON fx_repins.snapshot_date = transaction_date
    JOIN {active_snapshots()} AS snapshot ON snapshot.snapshot_date = transaction_date
    LEFT JOIN fx_rates AS original
        ON original.snapshot_id = snapshot.snapshot_id AND original.currency = active.currency
    LEFT JOIN fx_rates AS of_base
        ON of_base.snapshot_id = snapshot.snapshot_id AND of_base.currency = active.base_currency
    WHERE active.currency <> base_currency AND (eur_rate_original, eur_rate_base)
        IS DISTINCT FROM (original.rate, of_base.rate)
), reversible AS (
    FROM decided UNION FROM repinned
), active_lines AS (
    FROM {plan_lines_as_of(None)} WHERE CAST($feed AS VARCHAR) IS NULL OR feed = $feed
), withdrawable AS (
    SELECT active_lines.* FROM active_lines JOIN effects USING (feed, delivery, record)
    WHERE withheld OR coalesce(changed_seq > active_lines.seq, false)
)
"""
"""The active entries, and the active entries to be reversed; and the same of plan lines.

A WITH clause with the parameters `feed` (or null for all) and `as_of`; `active` and `reversible` have the
columns of `ledger_entries` and `posted_seq`, `active_lines` and `withdrawable` those of `plan_lines`.
`reversible` are those that a decision reverses (`decided`) and those at other rates than the active snapshot
of their date (`repinned`): these keep their key, and are posted again.
"""
