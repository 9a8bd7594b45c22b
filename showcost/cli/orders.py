"""`showcost queue orders`: invoices beyond their purchase order, and open commitments per currency."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, resolve_as_of
from showcost.cli.output import ID_SHOWN, CommandResult, prints_result, say, say_more, show_table
from showcost.core.money import readable_amount
from showcost.reports.commitments import (
    EXCEEDED,
    commitment_totals,
    open_commitments,
    order_exceptions,
    order_findings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.reports.commitments import CommitmentTotal, OrderFinding


@click.command()
@as_of_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Maximum lines to show as text.",
)
@prints_result
def orders(as_of: str | None, limit: int) -> CommandResult:
    """List invoice lines beyond their purchase order (SC-PO-001), and the open commitments.

    These lines are posted. Approve an excess by a changed order line, or correct the order number of the row.
    """
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    production = workspace.production
    with workspace.ledger.read() as connection:
        open_commitments(connection, production, production.dates.end, as_of_seq)
        totals, findings = commitment_totals(connection), order_findings(connection)
        reasons = Counter(line.finding for line in order_exceptions(connection))
    facts = {
        "as_of": as_of_seq,
        "commitments": [asdict(total) for total in totals],
        "findings": [{"code": EXCEEDED} | asdict(finding) for finding in findings],
        "not_set_off": dict(sorted(reasons.items())),
    }
    return CommandResult(facts, lambda: _show(totals, findings, reasons, limit))


def _show(
    totals: Sequence[CommitmentTotal],
    findings: Sequence[OrderFinding],
    reasons: Mapping[str, int],
    limit: int,
) -> None:
    columns = ["currency", "lines", "ordered", "invoiced", "open", "over"]
    sums = [
        (
            total.currency,
            total.lines,
            *map(readable_amount, (total.ordered, total.invoiced, total.open, total.over)),
        )
        for total in totals
    ]
    show_table("Purchase orders", columns, sums)
    if reasons:
        named = "Invoice lines that name an order and are not set off against a line of their account"
        show_table(named, ["reason", "lines"], sorted(reasons.items()))
    if not findings:
        say(f"No invoice line is beyond its purchase order ({EXCEEDED}).")
        return
    _show_findings(findings, limit)


def _show_findings(findings: Sequence[OrderFinding], limit: int) -> None:
    columns = ["entry", "date", "vendor", "invoice", "order", "account", "amount", "excess", "", "finding"]
    rows = [
        (
            finding.entry_id[:ID_SHOWN],
            finding.transaction_date,
            finding.vendor_code,
            finding.document_no,
            finding.po_no,
            finding.account,
            readable_amount(finding.amount),
            readable_amount(finding.excess),
            finding.currency,
            finding.finding,
        )
        for finding in findings[:limit]
    ]
    show_table(f"Invoice lines beyond their purchase order ({EXCEEDED})", columns, rows)
    say_more(len(findings), limit)
