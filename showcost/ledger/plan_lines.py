"""Plan lines: valid rows of purchase orders, estimates and budget revisions, recorded in the ledger database.

They are no entries: no rate, no component, no batch and no digest. A line is recorded as every transaction of
the ledger (`recorded_transaction`): its row in a segment of the audit log, the record PLANNED, then the table
`plan_lines`, which is append-only. A person's decision on a row withdraws its line: the table gets a row that
repeats the line. Recording again records nothing.

A valid row has the columns transaction_date (date32), row_key, content, delivery (text), arrival, record
(int64), flags (list of text), and the fields of its record kind.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.clock import utc_timestamp
from showcost.core.errors import CheckFailedError
from showcost.core.hashing import SHORT, sha256_bytes
from showcost.ledger.decisions import OUTDATED, REVERSIBLE
from showcost.ledger.new_entries import refuse_closed, yes_or_no
from showcost.ledger.recorded_transaction import NewRecord, Writer, record_and_write, segment_parameter
from showcost.ledger.schema import PLAN_COLUMNS, PLAN_FIELDS, PLAN_LINE, PLAN_WITHDRAWAL
from showcost.values.column import NO, YES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import duckdb

    from showcost.audit.log import AuditLog, Fact, Record
    from showcost.config.record_kinds import RecordKind
    from showcost.ledger.new_entries import PostingContext
    from showcost.ledger.schema import Column
    from showcost.ledger.store import Ledger


def prepare_lines(
    connection: duckdb.DuckDBPyConnection,
    context: PostingContext,
    dates: Sequence[date],
    counts: Mapping[date, int],
) -> None:
    """Create the temporary view of the lines to be recorded for the rows of `valid_rows` on `dates`.

    `counts` are the valid rows per date. Raises CheckFailedError, and nothing may be recorded then, if a row
    would be lost, is already recorded with other content, or belongs to a closed period.
    """
    parameters = {"feed": context.feed, "as_of": None}
    connection.execute(_WITHDRAWABLE, parameters)
    connection.execute(_HOLDERS, {"feed": context.feed})
    connection.execute(
        _candidates_sql(context.record_kind),
        {
            "production": context.production,
            "feed": context.feed,
            "record_kind": context.record_kind.name,
            "dates": list(dates),
        },
    )
    connection.execute(_WITHDRAWALS, {"dates": list(dates)})
    connection.execute(_NEW_LINES)
    _refuse_changed(connection, context.feed)
    _refuse_lost(connection, context.feed, {day: counts.get(day, 0) for day in dates})
    refuse_closed(connection, context.feed, "plan_new_lines", "plan lines")


def commit_lines(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, feed: str, *, run_id: str, now: datetime
) -> Counter[date]:
    """Record the prepared lines of a feed, by the protocol; return the number of lines per date.

    Withdrawals count as lines. Each partition must have been validated.
    """
    lines = connection.sql(_LINES).to_arrow_table()
    if not lines.num_rows:
        return Counter()
    days: Counter[date] = Counter(lines.column("stated_on").to_pylist())
    facts: dict[str, Fact] = {
        "feed": feed,
        "run_id": run_id,
        "recorded_at": utc_timestamp(now).isoformat(timespec="microseconds"),
        "lines": dict(sorted(Counter(lines.column("line_kind").to_pylist()).items())),
        "digest": _digest(connection),
    }
    new = NewRecord(
        AuditKind.PLANNED,
        facts,
        subjects=[states.plan(feed)],
        needs=[states.partition(feed, day) for day in sorted(days)],
        rows=lines,
    )
    record_and_write(ledger, connection, new, PLAN_LINES)
    return days


def _digest(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the sha256 of the canonical lines to be recorded: what an outside verifier can recompute."""
    lines = connection.execute(f"SELECT {CANONICAL_PLAN_LINE} FROM ({_LINES})").fetchall()
    return sha256_bytes("".join(line for (line,) in lines).encode())


def _write(connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None) -> None:
    connection.execute(_INSERT, segment_parameter(record, segment) | {"seq": record.seq})


PLAN_LINES: Final = Writer(_write)
"""Writes PLANNED."""


def differing_lines(
    connection: duckdb.DuckDBPyConnection, audit: AuditLog
) -> tuple[int, list[tuple[str, str]]]:
    """Return the number of plan lines, and (line, problem) of each that is not as the log has it.

    A withdrawal must repeat a line that it withdraws alone, after a decision on its row.
    """
    recorded = [
        (record.seq, str(audit.segment_path(record.segment)))
        for record in audit.records()
        if record.kind is AuditKind.PLANNED and record.segment is not None
    ]
    count: int = connection.execute("SELECT count(*) FROM plan_lines").fetchall()[0][0]
    problems: list[tuple[str, str]] = connection.execute(_BAD_WITHDRAWALS).fetchall()
    if not recorded:
        unrecorded = connection.execute("SELECT line_id FROM plan_lines ORDER BY ALL LIMIT 20").fetchall()
        return count, [*((line, _DIFFERS) for (line,) in unrecorded), *problems]
    files = {"seq": [seq for seq, _ in recorded], "file": [file for _, file in recorded]}
    connection.register("plan_segments", pa.table(files))
    differing = connection.execute(_DIFFERING, {"files": files["file"]}).fetchall()
    return count, [*((line, _DIFFERS) for (line,) in differing), *problems]


_DIFFERS: Final = "it is missing or differs from the audit log"


def _candidates_sql(kind: RecordKind) -> str:
    return _CANDIDATES.format(fields=", ".join(_field(kind, column) for column in PLAN_FIELDS))


def _field(kind: RecordKind, column: Column) -> str:
    """Return the expression of a column over the valid rows of a kind; null where it has no such field."""
    if column.name not in kind.by_name:
        return f'CAST(NULL AS {column.type}) AS "{column.name}"'
    if column.type != "BOOLEAN":
        return f'"{column.name}"'
    yes, no = kind.yes_or_no[column.name]
    said = yes_or_no(column.name, (*YES, yes), (*NO, no))
    return f"coalesce({said}, false) AS {column.name}"


def _refuse_changed(connection: duckdb.DuckDBPyConnection, feed: str) -> None:
    lines, first = connection.execute(_CHANGED).fetchall()[0]
    if lines:
        raise CheckFailedError(
            f"{feed}, from {first}: {lines} plan lines are already recorded with other content; validate the"
            " partition again; nothing was recorded"
        )


def _refuse_lost(connection: duckdb.DuckDBPyConnection, feed: str, counts: Mapping[date, int]) -> None:
    """Raise CheckFailedError unless each valid row of a date has a plan line of its own."""
    found = dict(connection.execute(_KEYS).fetchall())
    for day, rows in counts.items():
        if found.get(day, 0) != rows:
            raise CheckFailedError(
                f"{feed}, {day}: {rows} valid rows yield {found.get(day, 0)} plan lines; nothing was recorded"
            )


def _names(columns: Iterable[Column]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


_OF_SEGMENT: Final = _names(column for column in PLAN_COLUMNS if column.name != "seq")


def _canonical(column: Column) -> str:
    as_text = column.type.startswith(("DECIMAL", "DATE"))
    return f'CAST("{column.name}" AS VARCHAR)' if as_text else f'"{column.name}"'


CANONICAL_PLAN_LINE: Final = "CAST(json_array({}) AS VARCHAR) || chr(10)".format(
    ", ".join(_canonical(column) for column in PLAN_COLUMNS if column.name != "seq")
)
"""The canonical line of a plan line as a DuckDB expression, its line feed included."""

_LINE_ID: Final = f"""
sha256(CAST(json_array('plan', production, feed, row_key, version) AS VARCHAR))[:{SHORT}]
"""

_WITHDRAWABLE: Final = f"CREATE TEMP TABLE plan_withdrawable AS {REVERSIBLE} FROM withdrawable"

# Per key that was ever recorded: its latest revision, and whether that is active after the withdrawals.
_HOLDERS: Final = f"""
CREATE TEMP TABLE plan_holders AS
SELECT row_key, max(generation) AS latest,
    bool_or(line_id NOT IN (SELECT withdraws FROM plan_lines WHERE withdraws IS NOT NULL)
        AND line_id NOT IN (SELECT line_id FROM plan_withdrawable)) AS is_active
FROM plan_lines WHERE feed = $feed AND line_kind = '{PLAN_LINE}'
    AND row_key IN (SELECT row_key FROM valid_rows)
GROUP BY row_key
"""

_CANDIDATES: Final = f"""
CREATE TEMP TABLE plan_candidates AS
WITH rows AS (
    SELECT row_key, content, delivery, arrival, record, transaction_date AS stated_on,
        coalesce(list_sort(flags), []) AS flags, {{fields}}
    FROM valid_rows ANTI JOIN {OUTDATED} USING (delivery, record)
    WHERE list_contains(CAST($dates AS DATE[]), transaction_date)),
numbered AS (
    SELECT rows.*,
        CASE WHEN latest IS NULL THEN 1 WHEN is_active THEN latest ELSE latest + 1 END AS generation,
        CAST($production AS VARCHAR) AS production, CAST($feed AS VARCHAR) AS feed,
        CAST($record_kind AS VARCHAR) AS record_kind,
        'line' || CASE WHEN generation > 1 THEN ' ' || generation ELSE '' END AS version
    FROM rows LEFT JOIN plan_holders USING (row_key)),
identified AS (SELECT * EXCLUDE (version), {_LINE_ID} AS line_id FROM numbered)
SELECT identified.*, '{PLAN_LINE}' AS line_kind, CAST(NULL AS VARCHAR) AS withdraws, recorded_content,
    recorded_delivery, recorded_record
FROM identified LEFT JOIN (
    SELECT line_id, content AS recorded_content, delivery AS recorded_delivery, record AS recorded_record
    FROM plan_lines) USING (line_id)
"""

# Recording a row also withdraws the former line of its key, on any date: a key has one active line.
_WITHDRAWALS: Final = f"""
CREATE TEMP TABLE plan_withdrawals AS
WITH withdrawal AS (
    SELECT *, 'withdrawal' || CASE WHEN generation > 1 THEN ' ' || generation ELSE '' END AS version
    FROM plan_withdrawable
    WHERE list_contains(CAST($dates AS DATE[]), stated_on) OR row_key IN (
        SELECT row_key FROM valid_rows WHERE list_contains(CAST($dates AS DATE[]), transaction_date)))
SELECT * EXCLUDE (version, seq) REPLACE (
    {_LINE_ID} AS line_id, '{PLAN_WITHDRAWAL}' AS line_kind, line_id AS withdraws)
FROM withdrawal
"""

_NEW_LINES: Final = """
CREATE TEMP VIEW plan_new_lines AS
SELECT * EXCLUDE (recorded_content, recorded_delivery, recorded_record), stated_on AS transaction_date
FROM plan_candidates WHERE recorded_content IS NULL
UNION ALL BY NAME SELECT *, stated_on AS transaction_date FROM plan_withdrawals
"""

_LINES: Final = f"SELECT {_OF_SEGMENT} FROM plan_new_lines ORDER BY stated_on, line_id"

_CHANGED: Final = """
SELECT count(*), min(stated_on) FROM plan_candidates
WHERE recorded_content <> content AND (recorded_delivery, recorded_record) <> (delivery, record)
"""

_KEYS: Final = "SELECT stated_on, count(DISTINCT row_key) FROM plan_candidates GROUP BY ALL"

_INSERT: Final = f"""
INSERT INTO plan_lines BY NAME SELECT CAST($seq AS BIGINT) AS seq, {_OF_SEGMENT} FROM read_parquet($path)
"""

_DIFFERING: Final = f"""
WITH stored AS (SELECT seq, {_OF_SEGMENT} FROM plan_lines),
recorded AS (
    SELECT segments.seq, {_OF_SEGMENT} FROM read_parquet($files, filename = true) AS rows
    JOIN plan_segments AS segments ON segments.file = rows.filename)
SELECT DISTINCT line_id FROM (
    (FROM stored EXCEPT ALL FROM recorded) UNION ALL (FROM recorded EXCEPT ALL FROM stored))
ORDER BY ALL LIMIT 20
"""

_SAME: Final = " AND ".join(
    f'withdrawal."{column.name}" IS NOT DISTINCT FROM line."{column.name}"'
    for column in PLAN_COLUMNS
    if column.name not in {"seq", "line_id", "line_kind", "withdraws"}
)

_BAD_WITHDRAWALS: Final = f"""
SELECT withdrawal.line_id, CASE
    WHEN line.line_id IS NULL THEN 'the line that it withdraws is not in the table'
    WHEN NOT ({_SAME}) THEN 'it does not repeat line ' || line.line_id
    WHEN count(*) OVER (PARTITION BY withdrawal.withdraws) > 1
        THEN 'line ' || withdrawal.withdraws || ' is withdrawn twice'
    WHEN (withdrawal.feed, withdrawal.delivery, withdrawal.record)
        NOT IN (SELECT (feed, delivery, record) FROM row_decisions)
        THEN 'there is no decision for the withdrawal of line ' || line.line_id
    END AS problem
FROM (FROM plan_lines WHERE line_kind <> '{PLAN_LINE}' OR withdraws IS NOT NULL) AS withdrawal
LEFT JOIN (FROM plan_lines WHERE line_kind = '{PLAN_LINE}') AS line ON line.line_id = withdrawal.withdraws
QUALIFY problem IS NOT NULL
ORDER BY ALL LIMIT 20
"""
