"""Proofs of the ledger database: what it holds is what the audit log announced, and nothing else.

Conversions are computed anew with Python's decimal from the pinned rates, snapshots hashed by the reference
in words; nothing of the SQL that made them is used. What lies outside the ledger (payloads, staged rows) is
not looked at here.
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
from showcost.fx.snapshots import snapshot_hash, snapshot_id
from showcost.ledger.batches import batch_table
from showcost.ledger.commit import batches_of_record
from showcost.ledger.digest import batch_hashes
from showcost.ledger.file_checksums import damaged_blocks
from showcost.ledger.periods import row_of
from showcost.ledger.schema import DECISION_COLUMNS, ENTRY_COLUMNS, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from showcost.ledger.store import Ledger

Found: TypeAlias = "tuple[int, list[Discrepancy]]"
"""How much a step looked at, and what it found."""

Proof: TypeAlias = "tuple[str, str, Callable[[], Found]]"
"""The name of a step, what it proves, and the work."""

PLACE: Final = "ledger.duckdb"

_STRETCH: Final = 200_000
_DAYS: Final = (date.min, date.max)


def prove_ledger(ledger: Ledger, outcomes: Callable[[], Sequence[Path]]) -> list[Proof]:
    """Return the proofs, to be carried out in order; `outcomes` gives the segments of validations."""

    def reading(prove: Callable[[duckdb.DuckDBPyConnection], Found]) -> Callable[[], Found]:
        def work() -> Found:
            ledger.require()
            with ledger.read() as connection:
                return prove(connection)

        return work

    def file() -> Found:
        ledger.require()
        with ledger.read():
            return damaged_blocks(ledger.path)

    return [
        ("database file", "every byte of it has its checksum", file),
        ("schema", "tables and triggers are as made", reading(_schema)),
        (
            "chain heads",
            "every transaction was announced in the audit log, and none is missing",
            reading(lambda connection: prove_heads(connection, ledger)),
        ),
        (
            "batches",
            "every entry hashes to the digest that was announced with its batch",
            reading(lambda connection: _batches(connection, ledger)),
        ),
        (
            "fx snapshots",
            "the rates are those that were pinned",
            reading(lambda connection: _snapshots(connection, ledger)),
        ),
        (
            "conversions",
            "every base amount follows from amount and pinned rates, computed anew",
            reading(_conversions),
        ),
        (
            "decisions",
            "the decisions about rows and periods are those of the audit log",
            reading(lambda connection: _decisions(connection, ledger)),
        ),
        (
            "reversals",
            "every reversal negates one posting exactly, once, and rests on a decision",
            reading(_reversals),
        ),
        (
            "acceptance",
            "every entry comes of a row that the audit log has as valid",
            reading(lambda connection: _acceptance(connection, outcomes())),
        ),
    ]


def _schema(connection: duckdb.DuckDBPyConnection) -> Found:
    found = [Discrepancy(PLACE, problem) for problem in differences(connection)]
    return 1, found


def prove_heads(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> Found:
    """Hold the chain heads of the ledger against the transactions that the log announced."""
    rows: list[tuple[int, str, str]] = connection.execute(
        "SELECT seq, hash, kind FROM chain_heads ORDER BY seq"
    ).fetchall()
    announced = ledger.audit.transactions()
    findings = []
    seen: set[int] = set()
    for seq, found, kind in rows:
        wanted = announced.get(seq)
        if wanted is None or (wanted.hash, wanted.kind.value) != (found, kind) or seq in seen:
            findings.append(
                Discrepancy(
                    PLACE, f"it was written by record {seq}, {found}, which the audit log does not have so"
                )
            )
        seen.add(seq)
    for seq, transaction in announced.items():
        if seq not in seen:
            findings.append(
                Discrepancy(PLACE, f"the transaction of record {seq} of the audit log is missing")
            )
        elif transaction.kind is AuditKind.INTENT and not transaction.acknowledged:
            findings.append(
                Discrepancy(
                    f"audit/log.jsonl, record {seq}", "it was never acknowledged; the next write settles it"
                )
            )
    return len(rows), findings


def _batches(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> Found:
    """Compare the table of batches, and the entries under each, with what was announced."""
    expected: dict[str, dict[str, Any]] = {}
    for record in ledger.audit.records():
        if record.kind is AuditKind.INTENT:
            facts: Mapping[str, Any] = record.facts
            posted_at = np.datetime64(facts["posted_at"], "us").astype(object)
            for row in batch_table(
                batches_of_record(record), facts["run_id"], posted_at, record.seq
            ).to_pylist():
                expected[row["batch_id"]] = row
    recorded = connection.sql("FROM batches ORDER BY partition_date, batch_id").to_arrow_table().to_pylist()
    findings = [
        _batch_finding(row["partition_date"], row["batch_id"], "is not as it was announced")
        for row in recorded
        if expected.get(row["batch_id"]) != row
    ]
    if len(recorded) != len({row["batch_id"] for row in recorded}):
        findings.append(Discrepancy(PLACE, "a batch is there twice"))
    hashes = batch_hashes(connection, *_DAYS)
    wanted = {
        (row["partition_date"], name): (row["entry_count"], row["digest"]) for name, row in expected.items()
    }
    findings += [
        _entries_finding(day, name, hashes.get((day, name)), wanted.get((day, name)))
        for day, name in sorted(hashes.keys() | wanted.keys())
        if hashes.get((day, name)) != wanted.get((day, name))
    ]
    return sum(entries for entries, _ in hashes.values()), findings


def _batch_finding(day: date, batch_id: str, problem: str) -> Discrepancy:
    return Discrepancy(f"{PLACE}, batch {batch_id} of {day}", problem)


def _entries_finding(
    day: date, batch_id: str, found: tuple[int, str] | None, wanted: tuple[int, str] | None
) -> Discrepancy:
    if wanted is None:
        return _batch_finding(day, batch_id, "it has entries, but was never announced")
    if found is None:
        return _batch_finding(day, batch_id, f"its {wanted[0]} entries are missing")
    return _batch_finding(
        day,
        batch_id,
        f"its {found[0]} entries hash to {found[1]}, announced were {wanted[0]} with {wanted[1]}",
    )


def _snapshots(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> Found:
    announced = {
        (date.fromisoformat(one["date"]), one["snapshot_id"], one["hash"])
        for record in ledger.audit.records()
        if record.kind is AuditKind.FX_PINNED
        for one in _facts(record.facts)["snapshots"]
    }
    rates = connection.execute(_ALL_RATES).fetchall()
    lines = {
        name: [(currency, rate, published) for _, currency, rate, published in of_snapshot]
        for name, of_snapshot in groupby(rates, key=lambda row: row[0])
    }
    findings = []
    found = connection.execute(
        "SELECT snapshot_date, snapshot_id, hash FROM fx_snapshots ORDER BY snapshot_date, snapshot_id"
    ).fetchall()
    for day, name, recorded in found:
        computed = snapshot_hash(day, lines.pop(name, []))
        if computed != recorded or snapshot_id(day, recorded) != name:
            problem = f"its rates hash to {computed}, pinned was {recorded}"
            findings.append(Discrepancy(f"{PLACE}, snapshot {name} of {day}", problem))
    findings += [
        Discrepancy(f"{PLACE}, snapshot {name}", "its rates belong to no snapshot") for name in lines
    ]
    for day, name, recorded in sorted(set(found) ^ announced):
        side = "was never announced" if (day, name, recorded) in found else "is missing"
        findings.append(Discrepancy(f"{PLACE}, snapshot {name} of {day}", side))
    if len(found) != len({day for day, _, _ in found}):
        findings.append(Discrepancy(PLACE, "a date is pinned twice"))
    return len(found), findings


def _facts(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    return facts


def _conversions(connection: duckdb.DuckDBPyConnection) -> Found:
    findings = _rate_findings(connection)
    rates = _rates(connection)
    groups = connection.execute(_GROUPS).fetchall()
    looked_at = 0
    for batch in connection.sql(_AMOUNTS).to_arrow_reader(_STRETCH):
        looked_at += batch.num_rows
        findings += _wrong_amounts(batch, groups, rates)
    return looked_at, findings


def _wrong_amounts(
    batch: pa.RecordBatch,
    groups: Sequence[tuple[str, str, str]],
    rates: Mapping[str, Mapping[str, Decimal]],
) -> list[Discrepancy]:
    """Convert the amounts of a stretch of entries, which are ordered by group, and compare."""
    numbers = batch.column("number").to_numpy()
    amounts = batch.column("amount").to_pylist()
    bases = batch.column("base_amount").to_pylist()
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    findings = []
    for start, stop in pairwise(bounds):
        name, currency, base = groups[int(numbers[start]) - 1]
        of_snapshot = rates.get(name, {})
        if currency == base:
            wrong = [at for at in range(start, stop) if amounts[at] != bases[at]]
        elif currency not in of_snapshot or base not in of_snapshot:
            wrong = list(range(start, stop))
        else:
            wrong = _converted_otherwise(
                amounts[start:stop], bases[start:stop], of_snapshot[currency], of_snapshot[base], base
            )
            wrong = [start + at for at in wrong]
        findings += [
            Discrepancy(
                f"{PLACE}, entry {batch.column('entry_id')[at].as_py()}",
                f"{amounts[at]} units of {currency} are not {bases[at]} units of {base} by {name}",
            )
            for at in wrong
        ]
    return findings


def _converted_otherwise(
    amounts: Sequence[int], bases: Sequence[int], original: Decimal, base_rate: Decimal, base: str
) -> list[int]:
    """Return the places at which the base amount is not the amount converted; both in units of 10^-4."""
    context = Context(prec=EXACT_DIGITS, rounding=ROUND_HALF_UP)
    unit = Decimal(10) ** (AMOUNT_SCALE - minor_units(base))
    multiply, divide, quantize = context.multiply, context.divide, context.quantize
    # The unit is divided away before, and multiplied back after, rounding to a whole number of it.
    one, divisor = Decimal(1), original * unit
    expected = [quantize(divide(multiply(amount, base_rate), divisor), one) * unit for amount in amounts]
    return [at for at, (wanted, found) in enumerate(zip(expected, bases, strict=True)) if wanted != found]


def _rates(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Decimal]]:
    rates: dict[str, dict[str, Decimal]] = {}
    for name, currency, rate, _ in connection.execute(_ALL_RATES).fetchall():
        rates.setdefault(name, {})[currency] = rate
    return rates


def _rate_findings(connection: duckdb.DuckDBPyConnection) -> list[Discrepancy]:
    """Compare the rates that entries show with the pinned ones, each combination once."""
    pinned: dict[str, dict[str, tuple[Decimal, date]]] = {}
    for name, currency, rate, published in connection.execute(_ALL_RATES).fetchall():
        pinned.setdefault(name, {})[currency] = rate, published
    days = dict(connection.execute("SELECT snapshot_id, snapshot_date FROM fx_snapshots").fetchall())
    findings = []
    for row in connection.execute(_SHOWN_RATES).fetchall():
        entry, day, name, currency, base, *shown = row
        of_snapshot = pinned.get(name, {})
        if days.get(name) != day or currency not in of_snapshot or base not in of_snapshot:
            findings.append(
                Discrepancy(f"{PLACE}, entry {entry}", f"{name} has no rate of {currency} on {day}")
            )
            continue
        rates = {code: rate for code, (rate, _) in of_snapshot.items()}
        expected = [
            rates[currency],
            rates[base],
            cross_rate(currency, base, rates),
            min(of_snapshot[currency][1], of_snapshot[base][1]),
        ]
        if shown != expected:
            findings.append(
                Discrepancy(f"{PLACE}, entry {entry}", f"the rates that it shows are not those of {name}")
            )
    return findings


def _decisions(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> Found:
    """Compare the decisions in the ledger with the segments and records that announced them."""
    found = connection.sql(_DECIDED_ROWS.format(source="row_decisions")).to_arrow_table().to_pylist()
    expected: list[dict[str, Any]] = []
    periods: list[dict[str, Any]] = []
    for record in ledger.audit.records():
        if record.kind is AuditKind.DECIDED and record.segment is not None:
            path = str(ledger.audit.segment_path(record.segment))
            source = f"(SELECT {record.seq}::BIGINT AS seq, * FROM read_parquet($path))"
            rows = connection.sql(_DECIDED_ROWS.format(source=source), params={"path": path})
            expected += rows.to_arrow_table().to_pylist()
        elif record.kind in (AuditKind.PERIOD_CLOSED, AuditKind.PERIOD_REOPENED):
            periods.append(row_of(record))
    findings = [
        Discrepancy(f"{PLACE}, decisions of record {seq}", "they are not as they were recorded")
        for seq in _differing(found, expected)
    ]
    of_periods = connection.sql("FROM period_decisions ORDER BY seq").to_arrow_table().to_pylist()
    findings += [
        Discrepancy(f"{PLACE}, period decision of record {seq}", "it is not as it was recorded")
        for seq in _differing(of_periods, periods)
    ]
    return len(found) + len(of_periods), findings


def _differing(found: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the numbers of the records of which rows are on one side only, or more often."""
    sides = [Counter((row["seq"], str(sorted(row.items()))) for row in rows) for rows in (found, expected)]
    return sorted({seq for seq, _ in (sides[0] - sides[1]) + (sides[1] - sides[0])})


def _reversals(connection: duckdb.DuckDBPyConnection) -> Found:
    rows: list[tuple[str, str]] = connection.execute(_BAD_REVERSALS).fetchall()
    reversals = connection.execute(
        "SELECT count(*) FROM ledger_entries WHERE entry_kind <> 'posting'"
    ).fetchall()[0][0]
    return int(reversals), [Discrepancy(f"{PLACE}, entry {entry}", problem) for entry, problem in rows]


def _acceptance(connection: duckdb.DuckDBPyConnection, outcomes: Sequence[Path]) -> Found:
    rows = connection.execute(
        "SELECT count(DISTINCT row_key) FROM ledger_entries WHERE entry_kind = 'posting'"
    ).fetchall()[0][0]
    if not rows:
        return 0, []
    accepted = _NOTHING if not outcomes else _ACCEPTED
    parameters = {"segments": [str(path) for path in outcomes]} if outcomes else {}
    found = connection.execute(_UNACCEPTED.format(accepted=accepted), parameters).fetchall()
    return rows, [
        Discrepancy(
            f"{PLACE}, entry {entry}",
            f"record {record} of delivery {delivery} was never accepted with this content",
        )
        for entry, delivery, record in found
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
    if column.name not in {"entry_id", "batch_id", "entry_kind", "reverses", "amount", "base_amount"}
)

_BAD_REVERSALS: Final = f"""
WITH reversal AS (SELECT * FROM ledger_entries WHERE entry_kind <> 'posting' OR reverses IS NOT NULL)
SELECT reversal.entry_id, CASE
    WHEN reversal.entry_kind <> 'reversal' THEN 'it is neither a posting nor a reversal'
    WHEN posting.entry_id IS NULL THEN 'it reverses no posting of the ledger'
    WHEN NOT ({_SAME} AND reversal.amount = -posting.amount AND reversal.base_amount = -posting.base_amount)
        THEN 'it is not the exact negation of entry ' || posting.entry_id
    WHEN count(*) OVER (PARTITION BY reversal.reverses) > 1
        THEN 'entry ' || reversal.reverses || ' is reversed twice'
    WHEN (reversal.feed, reversal.delivery, reversal.record)
        NOT IN (SELECT (feed, delivery, record) FROM row_decisions)
        THEN 'nobody decided on the reversal of entry ' || posting.entry_id
    END AS problem
FROM reversal
LEFT JOIN (FROM ledger_entries WHERE entry_kind = 'posting') AS posting
    ON posting.entry_id = reversal.reverses
QUALIFY problem IS NOT NULL
ORDER BY ALL LIMIT 20
"""

_NOTHING: Final = (
    "SELECT NULL AS delivery, NULL AS record, NULL AS content, NULL AS transaction_date WHERE false"
)

_ACCEPTED: Final = """
SELECT delivery, record, content, transaction_date
FROM read_parquet($segments, union_by_name = true) WHERE disposition = 'valid'
"""

_UNACCEPTED: Final = """
SELECT min(entry_id), delivery, record
FROM (
    SELECT entry_id, delivery, record, content, transaction_date
    FROM ledger_entries WHERE entry_kind = 'posting')
ANTI JOIN ({accepted}) USING (delivery, record, content, transaction_date)
GROUP BY delivery, record ORDER BY 1 LIMIT 20
"""
