"""`trace`: from an entry of the ledger back to the bytes that it came of, and on to its reversals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from showcost.cli.options import as_of_option, moment
from showcost.cli.output import Answer, answers, say, show_table
from showcost.cli.queue import show_decisions
from showcost.config.home import open_home
from showcost.core.money import readable_amount
from showcost.reconciliation.lookup import find_rows
from showcost.reports.trace import reversed_by, trace_row

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 12


@click.command()
@click.argument("entry")
@as_of_option
@answers
def trace(entry: str, as_of: str | None) -> Answer:
    """Trace ENTRY (the id of an entry or a row, at least six digits) to its delivery, rules, rate and run."""
    home = open_home()
    known = moment(home, as_of)
    (row,) = find_rows(home, [entry], known)
    facts = {"as_of": known} | trace_row(home, row, known)
    return Answer(facts, lambda: _show(facts))


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
        show_table("Reasons", columns, [[one[name] for name in columns] for one in facts["reasons"]])
    _show_entries(facts)
    columns = ["code", "field", "expected", "source"]
    show_table("Rules applied", columns, [[one[name] for name in columns] for one in facts["rules"]])
    columns = ["seq", "at", "kind"]
    show_table("Audit records", columns, [[one[name] for name in columns] for one in facts["audit_records"]])


def _show_entries(facts: Mapping[str, Any]) -> None:
    if not facts["entries"]:
        say("Nothing of it was ever posted.\n")
        return
    reversals = reversed_by(facts["entries"])
    columns = ["entry", "kind", "date", "account", "amount", "", "in base", "rate", "of", "reversed by"]
    rows = [
        (
            one["entry_id"][:_SHOWN],
            f"{one['entry_kind']} {one['generation']}",
            one["transaction_date"],
            one["account"],
            readable_amount(one["amount"]),
            one["currency"],
            f"{readable_amount(one['base_amount'])} {one['base_currency']}",
            one["rate"],
            one["rate_date"],
            reversals.get(one["entry_id"], "")[:_SHOWN],
        )
        for one in facts["entries"]
    ]
    show_table("Entries", columns, rows)
    for one in {entry["batch_id"]: entry for entry in facts["entries"]}.values():
        say(
            f"Batch {one['batch_id']}: run {one['run_id']}, posted {one['posted_at']} UTC,"
            f" audit record {one['audit_record']}"
        )
    for snapshot in facts["snapshots"]:
        say(
            f"Snapshot {snapshot['snapshot_id']}: {snapshot['source']}, from the file"
            f" {snapshot['source_sha256']}"
        )
    say()
