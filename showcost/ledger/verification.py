"""Proofs of the ledger database: its content is exactly that of the audit log.

Conversions are recomputed from the pinned rates with Python's decimal, and snapshots are hashed by the
reference in Python; the SQL that created them is not used. Data outside the ledger (payloads, staged rows) is
not checked here.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from showcost.audit.log import Discrepancy
from showcost.audit.transitions import AuditKind
from showcost.core.money import AMOUNT_SCALE, EXACT_DIGITS, minor_units
from showcost.fx.conversion import cross_rate
from showcost.fx.pinned_snapshots import IDENTITY
from showcost.fx.snapshot_plan import snapshot_hash, snapshot_id
from showcost.ledger.append_entries import batches_of_record
from showcost.ledger.batches import batch_table
from showcost.ledger.digest import batch_hashes
from showcost.ledger.file_checksums import damaged_blocks
from showcost.ledger.fx_repinning import repin_rows
from showcost.ledger.periods import period_row
from showcost.ledger.plan_lines import differing_lines
from showcost.ledger.schema import (
    DECISION_COLUMNS,
    ENTRY_COLUMNS,
    FIRST_LINE_VERSION,
    LINE_VERSION,
    PLAN_LINE,
    differences,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from showcost.ledger.store import Ledger

ProofResult: TypeAlias = "tuple[int, list[Discrepancy]]"
"""The number of items that a proof checked, and the discrepancies."""

Proof: TypeAlias = "tuple[str, str, Callable[[], ProofResult]]"
"""The name of a proof, the statement that it proves, and its function."""

PLACE: Final = "ledger.duckdb"

_READ_ROWS: Final = 200_000
_ALL_DAYS: Final = (date.min, date.max)


def ledger_proofs(ledger: Ledger, outcomes: Callable[[], Sequence[Path]]) -> list[Proof]:
    """Return the proofs, to be carried out in order; `outcomes` returns the segments of validations."""

    def reading(prove: Callable[[duckdb.DuckDBPyConnection], ProofResult]) -> Callable[[], ProofResult]:
        def work() -> ProofResult:
            ledger.require()
            with ledger.read() as connection:
                return prove(connection)

        return work

    def file() -> ProofResult:
        ledger.require()
        with ledger.read():
            return damaged_blocks(ledger.path)

    return [
        ("database file", "every block matches its checksum", file),
        ("schema", "tables and triggers are as created", reading(_schema)),
        (
            "chain heads",
            "every transaction is in the audit log, and none is missing",
            reading(lambda connection: check_chain_heads(connection, ledger)),
        ),
        (
            "batches",
            "batches are as recorded, and their entries hash to the recorded digests",
            reading(lambda connection: _batches(connection, ledger)),
        ),
        (
            "line versions",
            "no entry has a value that its digest does not cover",
            reading(_line_versions),
        ),
        (
            "fx snapshots",
            "the rates hash to the pinned values",
            reading(lambda connection: _snapshots(connection, ledger)),
        ),
        (
            "conversions",
            "every base amount equals the amount converted at the pinned rates, recomputed",
            reading(_conversions),
        ),
        (
            "decisions",
            "decisions on rows and periods are as recorded",
            reading(lambda connection: _decisions(connection, ledger)),
        ),
        (
            "reversals",
            "every reversal exactly negates one posting, once, after a decision",
            reading(_reversals),
        ),
        (
            "plan lines",
            "plan lines are as recorded, and withdrawn after a decision only",
            reading(lambda connection: _plan_lines(connection, ledger)),
        ),
        (
            "acceptance",
            "every entry and plan line is from a row that is valid in the audit log",
            reading(lambda connection: _acceptance(connection, outcomes())),
        ),
    ]


def _schema(connection: duckdb.DuckDBPyConnection) -> ProofResult:
    return 1, [Discrepancy(PLACE, problem) for problem in differences(connection)]


def check_chain_heads(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> ProofResult:
    """Compare the chain heads of the ledger with the transactions of the audit log."""
    rows: list[tuple[int, str, str]] = connection.execute(
        "SELECT seq, hash, kind FROM chain_heads ORDER BY seq"
    ).fetchall()
    recorded = ledger.audit.transactions()
    findings = []
    checked: set[int] = set()
    for seq, record_hash, kind in rows:
        expected = recorded.get(seq)
        if expected is None or (expected.hash, expected.kind.value) != (record_hash, kind) or seq in checked:
            findings.append(
                Discrepancy(PLACE, f"ledger transaction {seq} ({record_hash}) is not that of the audit log")
            )
        checked.add(seq)
    for seq, transaction in recorded.items():
        if seq not in checked:
            findings.append(
                Discrepancy(PLACE, f"the transaction of record {seq} of the audit log is missing")
            )
        elif transaction.kind is AuditKind.INTENT and not transaction.acknowledged:
            findings.append(
                Discrepancy(
                    f"audit/log.jsonl, record {seq}", "not acknowledged; the next write acknowledges it"
                )
            )
    return len(rows), findings


def _batches(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> ProofResult:
    """Compare the table of batches, and the entries of each batch, with the audit log."""
    expected: dict[str, dict[str, Any]] = {}
    for record in ledger.audit.records():
        if record.kind is AuditKind.INTENT:
            facts: Mapping[str, Any] = record.facts
            posted_at = np.datetime64(facts["posted_at"], "us").astype(object)
            for row in batch_table(
                batches_of_record(record), facts["run_id"], posted_at, record.seq
            ).to_pylist():
                expected[row["batch_id"]] = row
    stored = connection.sql("FROM batches ORDER BY partition_date, batch_id").to_arrow_table().to_pylist()
    findings = [
        _batch_finding(row["partition_date"], row["batch_id"], "it differs from its audit record")
        for row in stored
        if expected.get(row["batch_id"]) != row
    ]
    if len(stored) != len({row["batch_id"] for row in stored}):
        findings.append(Discrepancy(PLACE, "a batch is stored twice"))
    hashes = batch_hashes(connection, *_ALL_DAYS)
    recorded = {
        (row["partition_date"], name): (row["entry_count"], row["digest"]) for name, row in expected.items()
    }
    findings += [
        _entries_finding(day, name, hashes.get((day, name)), recorded.get((day, name)))
        for day, name in sorted(hashes.keys() | recorded.keys())
        if hashes.get((day, name)) != recorded.get((day, name))
    ]
    return sum(entries for entries, _ in hashes.values()), findings


def _line_versions(connection: duckdb.DuckDBPyConnection) -> ProofResult:
    """Check that no entry has a value in a column that its digest does not cover."""
    entries = connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0]
    wrong = connection.execute(_UNCOVERED).fetchall()
    return entries, [
        Discrepancy(f"{PLACE}, entry {entry}", "it has a value in a column that its digest does not cover")
        for (entry,) in wrong
    ]


def _batch_finding(day: date, batch_id: str, problem: str) -> Discrepancy:
    return Discrepancy(f"{PLACE}, batch {batch_id} of {day}", problem)


def _entries_finding(
    day: date, batch_id: str, stored: tuple[int, str] | None, recorded: tuple[int, str] | None
) -> Discrepancy:
    if recorded is None:
        return _batch_finding(day, batch_id, "it has entries, but no audit record")
    if stored is None:
        return _batch_finding(day, batch_id, f"its {recorded[0]} entries are missing")
    return _batch_finding(
        day,
        batch_id,
        f"its {stored[0]} entries hash to {stored[1]}, but {recorded[0]} with {recorded[1]} were recorded",
    )


def _snapshots(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> ProofResult:
    recorded = {
        (date.fromisoformat(snapshot["date"]), snapshot["snapshot_id"], snapshot["hash"])
        for record in ledger.audit.records()
        if record.kind in (AuditKind.FX_PINNED, AuditKind.FX_REPINNED)
        for snapshot in _facts(record.facts)["snapshots"]
    }
    rates = connection.execute(_ALL_RATES).fetchall()
    lines = {
        name: [(currency, rate, published) for _, currency, rate, published in rows]
        for name, rows in groupby(rates, key=lambda row: row[0])
    }
    findings = []
    stored = connection.execute(
        "SELECT snapshot_date, snapshot_id, hash FROM fx_snapshots ORDER BY snapshot_date, snapshot_id"
    ).fetchall()
    for day, name, pinned_hash in stored:
        computed = snapshot_hash(day, lines.pop(name, []))
        if computed != pinned_hash or snapshot_id(day, pinned_hash) != name:
            problem = f"its rates hash to {computed}, but {pinned_hash} was pinned"
            findings.append(Discrepancy(f"{PLACE}, snapshot {name} of {day}", problem))
    findings += [Discrepancy(f"{PLACE}, snapshot {name}", "its rates have no snapshot") for name in lines]
    for day, name, pinned_hash in sorted(set(stored) ^ recorded):
        problem = "it has no audit record" if (day, name, pinned_hash) in stored else "it is missing"
        findings.append(Discrepancy(f"{PLACE}, snapshot {name} of {day}", problem))
    repins = [
        row
        for record in ledger.audit.records()
        if record.kind is AuditKind.FX_REPINNED
        for row in repin_rows(record)
    ]
    stored_repins = connection.sql("FROM fx_repins ORDER BY seq").to_arrow_table().to_pylist()
    findings += [
        Discrepancy(f"{PLACE}, repinning of record {seq}", "it differs from the audit record")
        for seq in _differing(stored_repins, repins)
    ]
    first_pins = Counter(day for day, name, _ in stored if name not in {row["snapshot_id"] for row in repins})
    if len(stored) != len({name for _, name, _ in stored}) or any(count > 1 for count in first_pins.values()):
        findings.append(Discrepancy(PLACE, "a date is pinned twice"))
    return len(stored), findings


def _facts(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    return facts


def _conversions(connection: duckdb.DuckDBPyConnection) -> ProofResult:
    findings = _rate_findings(connection)
    rates = _rates(connection)
    groups = connection.execute(_GROUPS).fetchall()
    checked = 0
    for batch in connection.sql(_AMOUNTS).to_arrow_reader(_READ_ROWS):
        checked += batch.num_rows
        findings += _wrong_amounts(batch, groups, rates)
    return checked, findings


def _wrong_amounts(
    batch: pa.RecordBatch,
    groups: Sequence[tuple[str, str, str]],
    rates: Mapping[str, Mapping[str, Decimal]],
) -> list[Discrepancy]:
    """Convert the amounts of some entries, which are ordered by group, and compare the base amounts."""
    numbers = batch.column("number").to_numpy()
    amounts = batch.column("amount").to_pylist()
    bases = batch.column("base_amount").to_pylist()
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    findings = []
    for start, stop in pairwise(bounds):
        name, currency, base = groups[int(numbers[start]) - 1]
        snapshot_rates = rates.get(name, {})
        if currency == base:
            wrong = [at for at in range(start, stop) if amounts[at] != bases[at]]
        elif currency not in snapshot_rates or base not in snapshot_rates:
            wrong = list(range(start, stop))
        else:
            wrong = _differing_amounts(
                amounts[start:stop], bases[start:stop], snapshot_rates[currency], snapshot_rates[base], base
            )
            wrong = [start + at for at in wrong]
        findings += [
            Discrepancy(
                f"{PLACE}, entry {batch.column('entry_id')[at].as_py()}",
                f"{amounts[at]} units of 0.0001 {currency} do not convert to {bases[at]} units of"
                f" 0.0001 {base} at the rates of {name}",
            )
            for at in wrong
        ]
    return findings


def _differing_amounts(
    amounts: Sequence[int], bases: Sequence[int], original: Decimal, base_rate: Decimal, base: str
) -> list[int]:
    """Return the positions of base amounts that differ from the converted amount; both in units of 10^-4."""
    context = Context(prec=EXACT_DIGITS, rounding=ROUND_HALF_UP)
    unit = Decimal(10) ** (AMOUNT_SCALE - minor_units(base))
    multiply, divide, quantize = context.multiply, context.divide, context.quantize
    # Divide by the unit, round to a whole number, and multiply by the unit again.
    whole, divisor = Decimal(1), original * unit
    expected = [quantize(divide(multiply(amount, base_rate), divisor), whole) * unit for amount in amounts]
    return [at for at, (right, stored) in enumerate(zip(expected, bases, strict=True)) if right != stored]


def _rates(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Decimal]]:
    rates: dict[str, dict[str, Decimal]] = {}
    for name, currency, rate, _ in connection.execute(_ALL_RATES).fetchall():
        rates.setdefault(name, {})[currency] = rate
    return rates


def _rate_findings(connection: duckdb.DuckDBPyConnection) -> list[Discrepancy]:
    """Compare the rates on entries with the pinned rates, each combination once."""
    pinned: dict[str, dict[str, tuple[Decimal, date]]] = {}
    for name, currency, rate, published in connection.execute(_ALL_RATES).fetchall():
        pinned.setdefault(name, {})[currency] = rate, published
    days = dict(connection.execute("SELECT snapshot_id, snapshot_date FROM fx_snapshots").fetchall())
    findings = []
    for row in connection.execute(_SHOWN_RATES).fetchall():
        entry, day, name, currency, base, *shown = row
        if name == IDENTITY:
            if currency != base or shown != [1, 1, 1, day]:
                findings.append(Discrepancy(f"{PLACE}, entry {entry}", f"its rates are not those of {base}"))
            continue
        snapshot_rates = pinned.get(name, {})
        if days.get(name) != day or currency not in snapshot_rates or base not in snapshot_rates:
            findings.append(
                Discrepancy(f"{PLACE}, entry {entry}", f"{name} has no rate of {currency} on {day}")
            )
            continue
        rates = {code: rate for code, (rate, _) in snapshot_rates.items()}
        expected = [
            rates[currency],
            rates[base],
            cross_rate(currency, base, rates),
            min(snapshot_rates[currency][1], snapshot_rates[base][1]),
        ]
        if shown != expected:
            findings.append(Discrepancy(f"{PLACE}, entry {entry}", f"its rates differ from those of {name}"))
    return findings


def _decisions(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> ProofResult:
    """Compare the decisions in the ledger with the segments and records of the audit log."""
    stored = connection.sql(_DECIDED_ROWS.format(source="row_decisions")).to_arrow_table().to_pylist()
    expected: list[dict[str, Any]] = []
    periods: list[dict[str, Any]] = []
    for record in ledger.audit.records():
        if record.kind is AuditKind.DECIDED and record.segment is not None:
            path = str(ledger.audit.segment_path(record.segment))
            source = f"(SELECT {record.seq}::BIGINT AS seq, * FROM read_parquet($path))"
            rows = connection.sql(_DECIDED_ROWS.format(source=source), params={"path": path})
            expected += rows.to_arrow_table().to_pylist()
        elif record.kind in (AuditKind.PERIOD_CLOSED, AuditKind.PERIOD_REOPENED):
            periods.append(period_row(record))
    findings = [
        Discrepancy(f"{PLACE}, decisions of record {seq}", "they differ from the audit record")
        for seq in _differing(stored, expected)
    ]
    stored_periods = connection.sql("FROM period_decisions ORDER BY seq").to_arrow_table().to_pylist()
    findings += [
        Discrepancy(f"{PLACE}, period decision of record {seq}", "it differs from the audit record")
        for seq in _differing(stored_periods, periods)
    ]
    return len(stored) + len(stored_periods), findings


def _differing(stored: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the numbers of the records whose rows differ between the two sides."""
    sides = [Counter((row["seq"], str(sorted(row.items()))) for row in rows) for rows in (stored, expected)]
    return sorted({seq for seq, _ in (sides[0] - sides[1]) + (sides[1] - sides[0])})


def _reversals(connection: duckdb.DuckDBPyConnection) -> ProofResult:
    rows: list[tuple[str, str]] = connection.execute(_BAD_REVERSALS).fetchall()
    reversals = connection.execute(
        "SELECT count(*) FROM ledger_entries WHERE entry_kind <> 'posting'"
    ).fetchall()[0][0]
    return int(reversals), [Discrepancy(f"{PLACE}, entry {entry}", problem) for entry, problem in rows]


def _plan_lines(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> ProofResult:
    """Compare the plan lines with the segments of the audit log."""
    count, differing = differing_lines(connection, ledger.audit)
    return count, [Discrepancy(f"{PLACE}, plan line {line}", problem) for line, problem in differing]


def _acceptance(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Path]) -> ProofResult:
    rows = connection.execute(
        "SELECT (SELECT count(DISTINCT row_key) FROM ledger_entries WHERE entry_kind = 'posting')"
        f" + (SELECT count(DISTINCT row_key) FROM plan_lines WHERE line_kind = '{PLAN_LINE}')"
    ).fetchall()[0][0]
    if not rows:
        return 0, []
    accepted = _NO_ROWS if not outcomes else _ACCEPTED
    parameters = {"segments": [str(path) for path in outcomes]} if outcomes else {}
    unaccepted = connection.execute(_UNACCEPTED.format(accepted=accepted), parameters).fetchall()
    return rows, [
        Discrepancy(
            f"{PLACE}, {line_or_entry}",
            f"record {record} of delivery {delivery} was never valid with this content",
        )
        for line_or_entry, delivery, record in unaccepted
    ]


_ALL_RATES: Final = """
SELECT snapshot_id, currency, rate, publication_date FROM fx_rates ORDER BY snapshot_id, currency, rate
"""

_GROUPS: Final = """
SELECT snapshot_id, currency, base_currency FROM ledger_entries GROUP BY ALL ORDER BY ALL
"""

_AMOUNTS: Final = f"""
SELECT dense_rank() OVER (ORDER BY snapshot_id, currency, base_currency) AS number, entry_id,
    CAST(CAST(amount AS DECIMAL(38, 4)) * {10**AMOUNT_SCALE} AS BIGINT) AS amount,
    CAST(CAST(base_amount AS DECIMAL(38, 4)) * {10**AMOUNT_SCALE} AS BIGINT) AS base_amount
FROM ledger_entries ORDER BY number
"""

_SHOWN_RATES: Final = """
SELECT min(entry_id), transaction_date, snapshot_id, currency, base_currency, eur_rate_original,
    eur_rate_base, rate, rate_date
FROM ledger_entries
GROUP BY transaction_date, snapshot_id, currency, base_currency, eur_rate_original, eur_rate_base, rate,
    rate_date
ORDER BY 1
"""

_DECIDED_ROWS: Final = f"SELECT {', '.join(DECISION_COLUMNS)} FROM {{source}} AS decided ORDER BY seq, number"

_SAME: Final = " AND ".join(
    f"reversal.{column.name} IS NOT DISTINCT FROM posting.{column.name}"
    for column in ENTRY_COLUMNS
    if column.name
    not in {"entry_id", "batch_id", "entry_kind", "reverses", "amount", "base_amount", "line_version"}
)

_HAS_LATER_VALUE: Final = " OR ".join(
    f"{column.name} IS NOT NULL" for column in ENTRY_COLUMNS if column.since > FIRST_LINE_VERSION
)

_UNCOVERED: Final = f"""
SELECT entry_id FROM ledger_entries
WHERE line_version NOT IN ({FIRST_LINE_VERSION}, {LINE_VERSION})
    OR (line_version = {FIRST_LINE_VERSION} AND ({_HAS_LATER_VALUE}))
ORDER BY entry_id LIMIT 20
"""

_BAD_REVERSALS: Final = f"""
WITH reversal AS (SELECT * FROM ledger_entries WHERE entry_kind <> 'posting' OR reverses IS NOT NULL)
SELECT reversal.entry_id, CASE
    WHEN reversal.entry_kind <> 'reversal' THEN 'it is neither a posting nor a reversal'
    WHEN posting.entry_id IS NULL THEN 'the entry that it reverses is not a posting of the ledger'
    WHEN NOT ({_SAME} AND reversal.amount = -posting.amount AND reversal.base_amount = -posting.base_amount)
        THEN 'it is not the exact negation of entry ' || posting.entry_id
    WHEN count(*) OVER (PARTITION BY reversal.reverses) > 1
        THEN 'entry ' || reversal.reverses || ' is reversed twice'
    WHEN (reversal.feed, reversal.delivery, reversal.record)
        NOT IN (SELECT (feed, delivery, record) FROM row_decisions)
        AND posting.snapshot_id NOT IN (SELECT replaced FROM fx_repins)
        THEN 'there is no decision for the reversal of entry ' || posting.entry_id
    END AS problem
FROM reversal
LEFT JOIN (FROM ledger_entries WHERE entry_kind = 'posting') AS posting
    ON posting.entry_id = reversal.reverses
QUALIFY problem IS NOT NULL
ORDER BY ALL LIMIT 20
"""

_NO_ROWS: Final = (
    "SELECT NULL AS delivery, NULL AS record, NULL AS content, NULL AS transaction_date WHERE false"
)

_ACCEPTED: Final = """
SELECT delivery, record, content, transaction_date
FROM read_parquet($segments, union_by_name = true) WHERE disposition = 'valid'
"""

_UNACCEPTED: Final = f"""
SELECT min(name), delivery, record
FROM (
    SELECT 'entry ' || entry_id AS name, delivery, record, content, transaction_date
    FROM ledger_entries WHERE entry_kind = 'posting'
    UNION ALL SELECT 'plan line ' || line_id, delivery, record, content, stated_on
    FROM plan_lines WHERE line_kind = '{PLAN_LINE}')
ANTI JOIN ({{accepted}}) USING (delivery, record, content, transaction_date)
GROUP BY delivery, record ORDER BY 1 LIMIT 20
"""
