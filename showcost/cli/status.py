"""`showcost status`: rows and amounts by state, per feed and delivery."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from showcost.cli.control_totals import control_total_facts, say_control_totals
from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, chosen_feeds, feed_option, resolve_as_of
from showcost.cli.output import CommandResult, plural, prints_result, say, show_table
from showcost.cli.pay_findings import say_findings
from showcost.core.money import readable_amount
from showcost.core.reason_catalogue import CATALOGUE
from showcost.pipeline.accruals import open_accruals
from showcost.reconciliation.pay_findings import counts_of_findings, open_findings
from showcost.reports.status import STATES, FeedStatus, Tally, feed_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace


@click.command()
@feed_option
@click.option("--deliveries", is_flag=True, help="Also list each delivery.")
@as_of_option
@prints_result
def status(feed_name: str | None, *, deliveries: bool, as_of: str | None) -> CommandResult:
    """Show row counts and amounts by state, per feed, and whether they reconcile."""
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    return status_result(
        workspace, chosen_feeds(workspace, feed_name), deliveries=deliveries, as_of=as_of_seq
    )


def status_result(
    workspace: Workspace, feeds: Sequence[FeedSpec], *, deliveries: bool = False, as_of: int | None = None
) -> CommandResult:
    """Return counts and amounts per feed; the exit status is 1 if they do not reconcile."""
    states = [feed_status(workspace, feed, as_of) for feed in feeds]
    total = _total(states)
    balances = all(tally.balances for state in states for _, tally in state.deliveries) and total.balances
    provisional = _provisional(workspace, as_of)
    at = None if as_of is None else workspace.audit.time_as_of(as_of)
    findings = counts_of_findings(open_findings(workspace, feeds, at))
    facts = {
        "provisional": [asdict(total) for total in provisional],
        "feeds": {
            state.feed: _tally(state.total)
            | {
                "codes": state.codes,
                "control_totals": control_total_facts(state.control_totals),
                "findings": findings.get(state.feed, {}),
                # Of a past moment it is not known, which is not the same as none.
                "pay_rules_not_checked": state.unchecked if as_of is None else None,
                "deliveries": [
                    {"name": delivery.shown_name, "delivery": delivery.arrival.delivery} | _tally(tally)
                    for delivery, tally in state.deliveries
                ],
            }
            for state in states
        },
        "total": _tally(total),
        "balances": balances,
    }

    def show() -> None:
        _show_status(states, total, deliveries=deliveries)
        _show_amounts(states, total)
        show_provisional(provisional)
        say_findings(findings)
        _say_unchecked(states)

    return CommandResult(facts, show, status=0 if balances else 1)


def _say_unchecked(states: Sequence[FeedStatus]) -> None:
    """Print the number of rows to which pay rules could not be applied."""
    for state in states:
        codes = ", ".join(f"{count} {code}" for code, count in state.unchecked.items() if code != "rows")
        if codes:
            count = plural(state.unchecked["rows"], "posted or valid row")
            say(f"{state.feed}: pay rules not checked on {count}: {codes}. The guild pack has the reasons.")


def _total(states: Sequence[FeedStatus]) -> Tally:
    """Return the rows of all feeds, with the amounts of costs only.

    An amount that was ordered, estimated or budgeted is never added to one that was spent.
    """
    total = Tally()
    for state in states:
        if state.is_plan:
            total.add_rows(state.total)
        else:
            total.add(state.total)
    return total


@dataclass(frozen=True)
class ProvisionalTotal:
    """Open provisional accruals of a feed in one currency. Never part of the ledger."""

    feed: str
    currency: str
    accruals: int
    amount: Decimal
    base_amount: Decimal


def _provisional(workspace: Workspace, as_of: int | None) -> list[ProvisionalTotal]:
    dates = workspace.production.dates
    rows = open_accruals(workspace, dates.start, dates.end, as_of=as_of)
    sums: dict[tuple[str, str], ProvisionalTotal] = {}
    for row in rows.to_pylist():
        key = (row["feed"], row["currency"])
        so_far = sums.get(key, ProvisionalTotal(*key, 0, Decimal(0), Decimal(0)))
        base = row["base_amount"] or Decimal(0)
        sums[key] = ProvisionalTotal(
            *key, so_far.accruals + 1, so_far.amount + row["amount"], so_far.base_amount + base
        )
    return [sums[key] for key in sorted(sums)]


def show_provisional(totals: Sequence[ProvisionalTotal]) -> None:
    """Show provisional accruals, if there are any."""
    if totals:
        columns = ["feed", "currency", "accruals", "amount", "in base"]
        rows = [
            (
                total.feed,
                total.currency,
                total.accruals,
                readable_amount(total.amount),
                readable_amount(total.base_amount),
            )
            for total in totals
        ]
        show_table(
            "Provisional accruals for missing days, from vendors' terms (not in the ledger)", columns, rows
        )


def _tally(tally: Tally) -> dict[str, object]:
    return {
        "received": tally.received,
        **{state: getattr(tally, state) for state in STATES},
        "amounts": tally.amounts,
        "balances": tally.balances,
    }


def _show_status(states: Sequence[FeedStatus], total: Tally, *, deliveries: bool) -> None:
    columns = ["feed", "received", *STATES, "balances"]
    rows = [(state.feed, *_figures(state.total)) for state in states]
    show_table("Rows", columns, [*rows, ("all feeds", *_figures(total))])
    if deliveries:
        of_deliveries = [
            (state.feed, delivery.shown_name, *_figures(tally))
            for state in states
            for delivery, tally in state.deliveries
        ]
        show_table("Deliveries", ["feed", "file", *columns[1:]], of_deliveries)
    show_reasons(states)
    for state in states:
        say_control_totals(state.feed, state.control_totals)


def _show_amounts(states: Sequence[FeedStatus], total: Tally) -> None:
    """Show the sums per currency and state of costs, and per feed of plans, if there are any."""
    names = ("received", *STATES)
    if costs := _sums(total):
        show_table("Amounts of the rows (where readable)", ["currency", *names], costs)
    plans = [(state.feed, *sums) for state in states if state.is_plan for sums in _sums(state.total)]
    if plans:
        columns = ["feed", "currency", *names]
        show_table("Amounts of orders, estimates and budget revisions (no cost)", columns, plans)


def _sums(tally: Tally) -> list[tuple[str, ...]]:
    """Return currency and sums per state, a row per currency."""
    return [
        (code, *(_sum(tally, name, code) for name in ("received", *STATES)))
        for code in sorted(tally.amounts.get("received", {}))
    ]


def _sum(tally: Tally, name: str, code: str) -> str:
    amount = tally.amounts.get(name, {}).get(code)
    return "" if amount is None else readable_amount(amount)


def _figures(tally: Tally) -> tuple[object, ...]:
    counts = tuple(getattr(tally, state) for state in STATES)
    return (tally.received, *counts, "yes" if tally.balances else "NO")


def show_reasons(states: Sequence[FeedStatus]) -> None:
    """Show the reason codes of all rows that are not posted, over all feeds."""
    codes: dict[str, int] = {}
    for state in states:
        for code, rows in state.codes.items():
            codes[code] = codes.get(code, 0) + rows
    if codes:
        reasons = [
            (code, rows, CATALOGUE[code].meaning, CATALOGUE[code].action)
            for code, rows in sorted(codes.items())
        ]
        show_table(
            "Reasons (a row may have several)",
            ["code", "rows", "meaning", "what to do"],
            reasons,
        )
