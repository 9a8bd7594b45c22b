"""`showcost trace`: from a ledger entry back to the delivered bytes, and forward to its reversals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, resolve_as_of
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.cli.queue import show_decisions
from showcost.core.money import readable_amount
from showcost.reconciliation.lookup import find_rows
from showcost.reports.trace import reversed_by, trace_row

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 12


@click.command()
@click.argument("entry")
@as_of_option
@prints_result
def trace(entry: str, as_of: str | None) -> CommandResult:
    """Trace ENTRY (an entry or row id, at least six digits) to its delivery, rules, rate and run."""
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    (row,) = find_rows(workspace, [entry], as_of_seq)
    facts = {"as_of": as_of_seq} | trace_row(workspace, row, as_of_seq)
    return CommandResult(facts, lambda: _show(facts))


def _show(facts: Mapping[str, Any]) -> None:
    delivery, place = facts["delivery"], facts["place"]
    say(f"Row {facts['id']} of {facts['feed']}, {facts['partition']}: {facts['outcome']}")
    say(f"Delivery {delivery['sha256']} ({delivery['name']}), arrival {delivery['arrival']},")
    say(
        f"  received {delivery['received_at']}; record {place['record']}, bytes {place['byte_start']} to"
        f" {place['byte_end']}"
    )
    say(f"\n{facts['raw']}\n")
    show_decisions(facts["decisions"])
    if facts["reasons"]:
        columns = ["code", "field", "observed", "expected", "source"]
        show_table("Reasons", columns, [[reason[name] for name in columns] for reason in facts["reasons"]])
    _show_entries(facts)
    columns = ["code", "field", "expected", "source"]
    show_table("Rules applied", columns, [[rule[name] for name in columns] for rule in facts["rules"]])
    columns = ["seq", "at", "kind"]
    show_table(
        "Audit records", columns, [[record[name] for name in columns] for record in facts["audit_records"]]
    )


def _show_entries(facts: Mapping[str, Any]) -> None:
    if not facts["entries"]:
        say("This row was never posted.\n")
        return
    reversals = reversed_by(facts["entries"])
    columns = ["entry", "kind", "date", "account", "amount", "", "in base", "rate", "of", "reversed by"]
    rows = [
        (
            entry["entry_id"][:_SHOWN],
            f"{entry['entry_kind']} {entry['generation']}",
            entry["transaction_date"],
            entry["account"],
            readable_amount(entry["amount"]),
            entry["currency"],
            *_converted(entry),
            reversals.get(entry["entry_id"], "")[:_SHOWN],
        )
        for entry in facts["entries"]
    ]
    show_table("Entries" if facts["entries"][0]["batch_id"] else "Plan lines", columns, rows)
    batches = {entry["batch_id"]: entry for entry in facts["entries"] if entry["batch_id"] is not None}
    for batch in batches.values():
        say(
            f"Batch {batch['batch_id']}: run {batch['run_id']}, posted {batch['posted_at']} UTC,"
            f" audit record {batch['audit_record']}"
        )
    for snapshot in facts["snapshots"]:
        say(
            f"Snapshot {snapshot['snapshot_id']}: {snapshot['source']}, from file {snapshot['source_sha256']}"
        )
    say()


def _converted(entry: Mapping[str, Any]) -> tuple[object, object, object]:
    """Return base amount, rate and its date; blank for a plan line, which has none."""
    if entry["base_amount"] is None:
        return "", "", ""
    base = f"{readable_amount(entry['base_amount'])} {entry['base_currency']}"
    return base, entry["rate"], entry["rate_date"]
