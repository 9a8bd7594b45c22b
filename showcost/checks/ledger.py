"""Checks of the ledger as a whole: append-only, and equal to the sums of its batches."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.audit.log import Head
from showcost.checks.result import CheckOutcome
from showcost.ledger.digest import batch_hashes
from showcost.ledger.queries import balances
from showcost.ledger.schema import differences
from showcost.ledger.verification import check_chain_heads

if TYPE_CHECKING:
    from collections.abc import Sequence

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
