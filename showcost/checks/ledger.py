"""Checks of the ledger as a whole: append-only, and equal to the sums of its batches."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.audit.log import Head
from showcost.checks.result import CheckOutcome
from showcost.config.production import PRODUCTION_FILE
from showcost.core.money import readable_amount
from showcost.fx.conversion import convert
from showcost.ledger.digest import batch_hashes
from showcost.ledger.journal import (
    ENTRY,
    missing_control_accounts,
    open_journal,
    rounds_documents,
)
from showcost.ledger.queries import balances
from showcost.ledger.schema import differences
from showcost.ledger.verification import check_chain_heads
from showcost.reports.commitments import EXCEEDED, open_commitments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from showcost.config.production import Production
    from showcost.workspace import Workspace

FRESH_WITHIN: Final = timedelta(days=1)
"""The ledger counts as fresh when its newest partition was materialised within this time of the deadline."""

_BATCHES: Final = """
SELECT partition_date, batch_id, entry_count, digest, totals, base_total
FROM batches WHERE partition_date BETWEEN $first AND $last ORDER BY partition_date, batch_id
"""


def append_only(workspace: Workspace, dates: Sequence[date]) -> dict[date, CheckOutcome]:
    """Check, per date with batches or entries, that no entry changed after posting.

    An altered table or trigger fails every date.
    """
    with workspace.ledger.read() as connection:
        altered = differences(connection)
        recorded = connection.execute(_BATCHES, {"first": dates[0], "last": dates[-1]}).fetchall()
        current = batch_hashes(connection, dates[0], dates[-1])
    expected = {(day, batch): (entries, digest) for day, batch, entries, digest, _, _ in recorded}
    outcomes: dict[date, CheckOutcome] = {}
    for day in sorted({day for day, _ in expected.keys() | current.keys()}):
        keys = sorted(key for key in expected.keys() | current.keys() if key[0] == day)
        changed = [batch for _, batch in keys if expected.get((day, batch)) != current.get((day, batch))]
        message = "; ".join([*altered, *(f"batch {batch} differs from its posting" for batch in changed)])
        outcomes[day] = CheckOutcome(
            passed=not message,
            message=message or f"{len(keys)} batches as posted; triggers in place",
            facts={"batches": len(keys), "changed": len(changed)},
        )
    return outcomes


def batches_balance(workspace: Workspace, dates: Sequence[date]) -> dict[date, CheckOutcome]:
    """Check, per date, that the sums of the entries equal the sums recorded with the batches."""
    with workspace.ledger.read() as connection:
        recorded = connection.execute(_BATCHES, {"first": dates[0], "last": dates[-1]}).fetchall()
        sums = balances(connection, dates[0], dates[-1]).to_pylist()
    entries: dict[date, dict[str, Decimal]] = {}
    for row in sums:
        _add(entries.setdefault(row["transaction_date"], {}), row["currency"], row["amount"])
        _add(entries[row["transaction_date"]], _IN_BASE, row["base_amount"])
    batches: dict[date, dict[str, Decimal]] = {}
    for day, _, _, _, totals, base_total in recorded:
        for currency, total in json.loads(totals).items():
            _add(batches.setdefault(day, {}), currency, Decimal(total))
        _add(batches.setdefault(day, {}), _IN_BASE, base_total)
    outcomes: dict[date, CheckOutcome] = {}
    for day in sorted(entries.keys() | batches.keys()):
        ours, theirs = entries.get(day, {}), batches.get(day, {})
        wrong = [
            f"{name}: entries {ours.get(name, 0)}, batches {theirs.get(name, 0)}"
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name) != theirs.get(name)
        ]
        shown = ", ".join(f"{total} {name}" for name, total in sorted(ours.items()))
        facts: dict[str, str | int] = {f"sum_{name.replace(' ', '_')}": str(ours[name]) for name in ours}
        outcomes[day] = CheckOutcome(passed=not wrong, message="; ".join(wrong) or shown, facts=facts)
    return outcomes


def documents_balance(workspace: Workspace, dates: Sequence[date]) -> dict[date, CheckOutcome]:
    """Check, per date with entries, that the journal has both sides of every document.

    Every document comes to zero per original currency and in base, and its payable is its converted total,
    computed anew from the entries. Every entry that is not zero is in the journal once, and every line is on
    an account of the chart. Fails for each date while production.yaml does not name the control accounts that
    the journal needs.
    """
    if missing := missing_control_accounts(workspace.production):
        message = f"not checked: {PRODUCTION_FILE} names no control_accounts for {', '.join(missing)}"
        return dict.fromkeys(dates, CheckOutcome(passed=False, message=message))
    accounts = [account.number for account in workspace.chart]
    with workspace.ledger.read() as connection:
        open_journal(connection, workspace.production)
        connection.register("chart_accounts", pa.table({"account": pa.array(accounts, pa.string())}))
        between: dict[str, date | str] = {"first": dates[0], "last": dates[-1], "entry": ENTRY}
        rows = connection.execute(_DOCUMENTS, between).fetchall()
        mispriced = _mispriced(connection, workspace.production, between)
    outcomes: dict[date, CheckOutcome] = {}
    for day, documents, unbalanced, unlisted, lines, entries, posted in rows:
        problems = [
            *([f"{unbalanced} documents do not balance"] if unbalanced else []),
            *([f"{unlisted} lines are on accounts that the chart does not list"] if unlisted else []),
            *([f"the payable of {mispriced[day]} documents is not their total"] if mispriced[day] else []),
            *([f"the journal has {entries} entries, the ledger {posted}"] if entries != posted else []),
        ]
        outcomes[day] = CheckOutcome(
            passed=not problems,
            message="; ".join(problems) or f"{documents} documents balance in {lines} lines",
            facts={"documents": documents, "lines": lines, "unbalanced": unbalanced},
        )
    return outcomes


def _mispriced(
    connection: duckdb.DuckDBPyConnection, production: Production, between: Mapping[str, date | str]
) -> Counter[date]:
    """Count, per date, the documents whose payable is not their total, converted with the decimal module."""
    totals: dict[tuple[date, str, str], Decimal] = {}
    statement = _TOTALS.format(rounds=rounds_documents(production))
    for day, document, currency, net, base_net, original, base, is_rounded in connection.execute(
        statement, between
    ).fetchall():
        rates = {currency: original, production.base_currency: base, "EUR": Decimal(1)}
        total = base_net
        if is_rounded:
            total = convert(net, currency, production.base_currency, rates)
        key = (day, document, currency)
        totals[key] = totals.get(key, Decimal(0)) + total
    payables = {
        (day, document, currency): -amount
        for day, document, currency, amount in connection.execute(_PAYABLES, between).fetchall()
    }
    return Counter(
        key[0] for key in totals.keys() | payables.keys() if totals.get(key, 0) != payables.get(key, 0)
    )


_TOTALS: Final = """
SELECT transaction_date, document_id, currency, sum(amount), sum(base_amount),
    eur_rate_original, eur_rate_base, bool_or({rounds})
FROM (FROM journal WHERE line_kind = $entry)
JOIN (SELECT entry_id, eur_rate_original, eur_rate_base, fx_policy FROM ledger_entries) USING (entry_id)
WHERE transaction_date BETWEEN $first AND $last
GROUP BY transaction_date, document_id, currency, eur_rate_original, eur_rate_base
"""

_PAYABLES: Final = """
SELECT transaction_date, document_id, currency, sum(base_amount)
FROM journal JOIN journal_contra_accounts AS contra USING (record_kind)
WHERE line_kind <> $entry AND account = contra_account AND transaction_date BETWEEN $first AND $last
GROUP BY transaction_date, document_id, currency
"""

_DOCUMENTS: Final = """
WITH chosen AS (FROM journal WHERE transaction_date BETWEEN $first AND $last),
balances AS (
    SELECT transaction_date, document_id, currency, sum(amount) AS original, sum(base_amount) AS base
    FROM chosen GROUP BY ALL),
documents AS (
    SELECT transaction_date, count(DISTINCT document_id) AS documents,
        count(DISTINCT document_id) FILTER (original <> 0 OR base <> 0) AS unbalanced
    FROM balances GROUP BY ALL),
lines AS (
    SELECT transaction_date, count(*) FILTER (chart.account IS NULL) AS unlisted, count(*) AS lines,
        count(*) FILTER (line_kind = $entry) AS entries
    FROM chosen LEFT JOIN chart_accounts AS chart USING (account) GROUP BY ALL),
posted AS (
    SELECT transaction_date, count(*) AS posted FROM ledger_entries
    WHERE transaction_date BETWEEN $first AND $last AND (amount <> 0 OR base_amount <> 0) GROUP BY ALL)
SELECT transaction_date, documents, unbalanced, unlisted, lines, entries, posted
FROM documents JOIN lines USING (transaction_date) JOIN posted USING (transaction_date)
ORDER BY transaction_date
"""


def within_purchase_orders(workspace: Workspace, dates: Sequence[date]) -> dict[date, CheckOutcome]:
    """Fail each date with an invoice that exceeds its order or lacks a required one (SC-PO-001)."""
    production = workspace.production
    with workspace.ledger.read() as connection:
        open_commitments(connection, production, production.dates.end, None)
        rows = connection.execute(_EXCEEDED, {"first": dates[0], "last": dates[-1]}).fetchall()
    by_date: dict[date, list[tuple[str, str, Decimal, str, str | None]]] = {}
    for day, *row in rows:
        by_date.setdefault(day, []).append(tuple(row))
    return {day: _exceeded(findings) for day, findings in by_date.items()}


def _exceeded(findings: Sequence[tuple[str, str, Decimal, str, str | None]]) -> CheckOutcome:
    """Fail with the findings of a date; the message has the first of them."""
    named = "; ".join(
        f"entry {entry[:_ID_SHOWN]} {' '.join(filter(None, (finding, order)))}:"
        f" {readable_amount(excess)} {currency}"
        for entry, finding, excess, currency, order in findings[:_NAMED]
    )
    more = f"; and {len(findings) - _NAMED} more" if len(findings) > _NAMED else ""
    return CheckOutcome(
        passed=False,
        message=f"{EXCEEDED}, {len(findings)} invoice lines: {named}{more}",
        facts={"findings": len(findings)},
    )


_NAMED: Final = 3
_ID_SHOWN: Final = 12

_EXCEEDED: Final = """
SELECT transaction_date, entry_id, finding, excess, currency, po_no FROM order_findings
WHERE transaction_date BETWEEN $first AND $last ORDER BY transaction_date, excess DESC, entry_id
"""


def audit_chain(workspace: Workspace) -> CheckOutcome:
    """Check that the audit log is complete, and that log and ledger attest each other."""
    ledger = workspace.ledger
    discrepancies = ledger.audit.verify()
    if not discrepancies:
        with ledger.read() as connection:
            discrepancies = check_chain_heads(connection, ledger)[1]
    head = ledger.audit.head() if not discrepancies else Head(0, "")
    return CheckOutcome(
        passed=not discrepancies,
        message=str(discrepancies[0]) if discrepancies else f"{head.seq} records, head {head.hash}",
        facts={"records": head.seq, "head": head.hash, "findings": len(discrepancies)},
    )


_IN_BASE: Final = "in base"


def _add(sums: dict[str, Decimal], name: str, amount: Decimal) -> None:
    sums[name] = sums.get(name, Decimal(0)) + amount
