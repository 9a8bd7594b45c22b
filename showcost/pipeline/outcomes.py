"""Row outcomes from the audit log: the last validation of each partition, with later replays applied.

A replay records the rows that it validated again and their partitions. The last replay of a row counts,
unless its partition was validated after that.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from showcost.audit import transitions as states
from showcost.audit.log import CONFIGURATION, FILES
from showcost.audit.transitions import AuditKind, SubjectType
from showcost.core.engine import engine, view_files
from showcost.core.file_ranges import view_ranges
from showcost.core.hashing import SHORT
from showcost.pipeline.configuration import record_configuration
from showcost.staging import ALL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import duckdb

    from showcost.audit.log import AuditLog, Fact
    from showcost.audit.transitions import Subject
    from showcost.core.file_ranges import FileRange
    from showcost.validation.validate import ValidationResult
    from showcost.workspace import Workspace


class RecordedOutcomes(NamedTuple):
    """A segment with outcomes, and the number of its audit record."""

    path: Path
    seq: int


class OutcomeLog(NamedTuple):
    """The outcomes of one feed in the audit log.

    `validated` has the last validation of each partition, `replayed` all replays in order; `parts` are all
    partitions named in either.
    """

    validated: Mapping[str, RecordedOutcomes]
    replayed: tuple[RecordedOutcomes, ...]
    parts: frozenset[str]


def outcome_logs(audit: AuditLog, as_of: int | None = None) -> dict[str, OutcomeLog]:
    """Return the outcomes per feed, after the audit record `as_of`, or now."""
    validated: dict[str, dict[str, RecordedOutcomes]] = {}
    replayed: dict[str, list[RecordedOutcomes]] = {}
    parts: dict[str, set[str]] = {}
    for record in audit.records():
        if as_of is not None and record.seq > as_of:
            break
        if record.kind not in (AuditKind.VALIDATED, AuditKind.REPLAYED) or record.segment is None:
            continue
        outcomes = RecordedOutcomes(audit.segments / record.segment.name, record.seq)
        feed = str(record.facts["feed"])
        for part in _partitions(record.subjects):
            parts.setdefault(feed, set()).add(part)
            if record.kind is AuditKind.VALIDATED:
                validated.setdefault(feed, {})[part] = outcomes
        if record.kind is AuditKind.REPLAYED:
            replayed.setdefault(feed, []).append(outcomes)
    return {
        feed: OutcomeLog(validated.get(feed, {}), tuple(replayed.get(feed, ())), frozenset(names))
        for feed, names in parts.items()
    }


def outcomes_since(audit: AuditLog, feed: str, seq: int) -> list[RecordedOutcomes]:
    """Return all outcomes of a feed that were recorded after an audit record, replaced ones included."""
    return [
        RecordedOutcomes(audit.segments / record.segment.name, record.seq)
        for record in audit.records()
        if record.kind in (AuditKind.VALIDATED, AuditKind.REPLAYED)
        and record.segment is not None
        and record.seq > seq
        and record.facts["feed"] == feed
    ]


def _partitions(subjects: Iterable[str]) -> list[str]:
    """Return the partitions among the subjects of a record."""
    named = [states.parse(text) for text in subjects]
    return [subject.name.partition("/")[2] for subject in named if subject.type is SubjectType.PARTITION]


def outcomes_as_recorded(connection: duckdb.DuckDBPyConnection, log: OutcomeLog) -> None:
    """Make the temporary view `recorded`, each row of the feed once.

    Columns: part, delivery, record, byte_start, row_key, transaction_date, disposition (`valid`, or that of
    the quarantine), codes, content, and seq, the number of the audit record with this outcome.
    """
    connection.register("outcome_parts", _parts(log.validated))
    connection.register("outcome_replays", outcomes_table(log.replayed))
    validated = _as_view(
        connection, "validated_files", {outcomes.path for outcomes in log.validated.values()}
    )
    connection.execute(_VALIDATED if validated else _NOTHING_VALIDATED)
    replayed = _as_view(connection, "replayed_files", {outcomes.path for outcomes in log.replayed})
    connection.execute(_REPLAYED + _LATEST if replayed else _VALIDATED_ONLY)


def _as_view(connection: duckdb.DuckDBPyConnection, name: str, segments: Collection[Path]) -> bool:
    """Make segments readable as a view; return whether there are any."""
    if not segments:
        return False
    view_files(connection, name, sorted(segments), filename=True)
    return True


def _parts(validated: Mapping[str, RecordedOutcomes]) -> pa.Table:
    return pa.table(
        {
            "part": pa.array(validated, pa.string()),
            "segment": pa.array([str(outcomes.path) for outcomes in validated.values()], pa.string()),
            "seq": pa.array([outcomes.seq for outcomes in validated.values()], pa.int64()),
        }
    )


def outcomes_table(replayed: Iterable[RecordedOutcomes]) -> pa.Table:
    """Return the columns segment (the path as text) and seq of recorded outcomes."""
    listed = list(replayed)
    return pa.table(
        {
            "segment": pa.array([str(outcomes.path) for outcomes in listed], pa.string()),
            "seq": pa.array([outcomes.seq for outcomes in listed], pa.int64()),
        }
    )


_PART: Final = f"coalesce(CAST(rows.transaction_date AS VARCHAR), '{ALL}')"

_COLUMNS: Final = """rows.delivery, rows.record, rows.byte_start, rows.row_key, rows.transaction_date,
    rows.disposition, rows.codes, rows.content"""

_VALIDATED: Final = f"""
CREATE TEMP VIEW validated_outcomes AS
SELECT outcome_parts.part, {_COLUMNS}, outcome_parts.seq
FROM validated_files AS rows
JOIN outcome_parts ON outcome_parts.segment = rows.filename AND outcome_parts.part = {_PART}
"""  # noqa: S608 - constants only

_NOTHING_VALIDATED: Final = """
CREATE TEMP TABLE validated_outcomes (part VARCHAR, delivery VARCHAR, record BIGINT, byte_start BIGINT,
    row_key VARCHAR, transaction_date DATE, disposition VARCHAR, codes VARCHAR[], content VARCHAR, seq BIGINT)
"""

_VALIDATED_ONLY: Final = "CREATE TEMP VIEW recorded AS FROM validated_outcomes"

# The same rows may be replayed twice to the same outcome, which is one segment with two records.
_REPLAYED: Final = f"""
CREATE TEMP TABLE replayed_outcomes AS
SELECT {_PART} AS part, {_COLUMNS}, outcome_replays.seq
FROM replayed_files AS rows
JOIN outcome_replays ON outcome_replays.segment = rows.filename
QUALIFY row_number() OVER (PARTITION BY rows.delivery, rows.record ORDER BY outcome_replays.seq DESC) = 1;
"""  # noqa: S608 - constants only

_LATEST: Final = """
CREATE TEMP VIEW recorded AS
SELECT validated.* FROM validated_outcomes AS validated
LEFT JOIN replayed_outcomes AS replayed USING (delivery, record)
WHERE replayed.seq IS NULL OR replayed.seq < validated.seq
UNION ALL BY NAME
SELECT replayed.* FROM replayed_outcomes AS replayed LEFT JOIN outcome_parts AS parts USING (part)
WHERE parts.seq IS NULL OR parts.seq < replayed.seq
"""


VALID: Final = "valid"
"""The disposition of a row that may be posted; the others are those of the quarantine."""


def differing_parts(log: OutcomeLog, parts: Sequence[str], ranges: Sequence[FileRange]) -> list[str]:
    """Return the partitions whose valid rows, in `ranges` of staged files, are not all those of the log."""
    with engine() as connection:
        connection.register("chosen", pa.table({"part": pa.array(parts, pa.string())}))
        if ranges:
            view_ranges(connection, "staged_rows", ranges)
        else:
            connection.execute(_NO_ROWS)
        outcomes_as_recorded(connection, log)
        return [part for (part,) in connection.execute(_DIFFERING_PARTS).fetchall()]


_NO_ROWS: Final = """
CREATE TEMP TABLE staged_rows (transaction_date DATE, delivery VARCHAR, record BIGINT, content VARCHAR)
"""

# Rows that are as often on one side as on the other sum to zero.
_DIFFERING_PARTS: Final = f"""
SELECT DISTINCT part FROM (
    SELECT CAST(transaction_date AS VARCHAR) AS part, delivery, record, content, 1 AS side FROM staged_rows
    UNION ALL
    SELECT part, delivery, record, content, -1 AS side FROM recorded SEMI JOIN chosen USING (part)
    WHERE disposition = '{VALID}')
GROUP BY part, delivery, record, content HAVING sum(side) <> 0 ORDER BY part
"""  # noqa: S608 - constants only


_OUTCOMES: Final = f"""
SELECT delivery, record, CAST(NULL AS BIGINT) AS byte_start, row_key, transaction_date,
    '{VALID}' AS disposition, flags AS codes,
    content, NULL AS reasons
FROM valid_rows
UNION ALL
SELECT delivery, record, byte_start, row_key, transaction_date, disposition, codes,
    NULL AS content, sha256(reasons)[:{SHORT}] AS reasons
FROM quarantine_rows
ORDER BY transaction_date, delivery, record, byte_start
"""  # noqa: S608 - constants only


def record_validated(
    workspace: Workspace,
    feed: str,
    outcome: ValidationResult,
    partitions: Sequence[date | str],
    files: Mapping[str, Sequence[str]],
) -> None:
    """Record the outcome of each row of some partitions, before valid and quarantined rows are switched.

    `files` are the sha256 of the files with these rows, by asset: only what they contain may be posted. The
    segment has codes and hashes (`reasons` is the hash of the reasons), no text of a row.
    """
    facts: dict[str, Fact] = {
        "feed": feed,
        "from": str(partitions[0]),
        "to": str(partitions[-1]),
        FILES: files,
    }
    subjects = [states.partition(feed, day) for day in partitions]
    _record(workspace, AuditKind.VALIDATED, facts, (outcome.valid, outcome.quarantine), subjects)


def record_replayed(
    workspace: Workspace,
    feed: str,
    outcomes: tuple[pa.Table, pa.Table],
    partitions: Sequence[str],
    row_ids: Sequence[str],
    files: Mapping[str, Sequence[str]],
) -> None:
    """Record the outcome of replayed rows, before their partitions are switched.

    `outcomes` are the valid and the quarantined rows, `partitions` the former and the new partitions of the
    rows, `files` the sha256 of the files with all rows of these partitions. The segment has the same columns
    as that of a validation.
    """
    subjects = [
        *(states.partition(feed, part) for part in partitions),
        *(states.row(name) for name in sorted(row_ids)),
    ]
    _record(workspace, AuditKind.REPLAYED, {"feed": feed, FILES: files}, outcomes, subjects)


def _record(
    workspace: Workspace,
    kind: AuditKind,
    facts: Mapping[str, Fact],
    outcomes: tuple[pa.Table, pa.Table],
    subjects: Sequence[Subject],
) -> None:
    audit = workspace.audit
    with engine() as connection:
        connection.register("valid_rows", outcomes[0])
        connection.register("quarantine_rows", outcomes[1])
        rows = connection.sql(_OUTCOMES).to_arrow_table()
    dispositions: Counter[str] = Counter(rows.column("disposition").to_pylist())
    codes: Counter[str] = Counter(pc.list_flatten(rows.column("codes")).to_pylist())
    deliveries = sorted(rows.column("delivery").unique().to_pylist())
    counted: dict[str, Fact] = {
        CONFIGURATION: record_configuration(workspace),
        "rows": rows.num_rows,
        "dispositions": dict(sorted(dispositions.items())),
        "codes": dict(sorted(codes.items())),
    }
    audit.append(
        kind,
        {**facts, **counted},
        subjects=subjects,
        needs=[states.delivery(sha256) for sha256 in deliveries],
        segment=audit.store_segment(kind, rows),
    )
