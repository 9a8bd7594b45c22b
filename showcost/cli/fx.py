"""`showcost fx`: show, pin, import, accept, repin and check daily rates."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from showcost.checks.fx import all_unchanged, calendar, irs_band, jumps, pinned_rates
from showcost.cli.home import home_option, open_home
from showcost.cli.options import (
    as_of_option,
    days_between,
    from_option,
    recorded_option,
    resolve_as_of,
    span,
    to_option,
)
from showcost.cli.output import CommandResult, plural, prints_result, say, show_table
from showcost.cli.selection import has_instance
from showcost.core.errors import InputError
from showcost.fx.snapshot_plan import rate_text
from showcost.ledger.fx_repinning import repin_rows
from showcost.pipeline.fx_repinning import differing_dates, repin
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.rate_files import ImportDecision, accept_rates, import_rates, stored_history
from showcost.pipeline.replay import ReplayResult
from showcost.reconciliation.decisions import who_and_why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from showcost.checks.result import CheckOutcome

_SHOWN: Final = 5


@click.group()
@home_option
def fx() -> None:
    """Show, pin, import, accept, repin and check FX snapshots."""


@fx.command()
@from_option
@to_option
@click.option("--all-currencies", is_flag=True, help="All currencies, not only the production's.")
@as_of_option
@prints_result
def show(
    first: datetime | None, last: datetime | None, *, all_currencies: bool, as_of: str | None
) -> CommandResult:
    """Show the pinned rates of a date range, in units per euro."""
    workspace = open_home()
    start, end = span(workspace, first, last)
    currencies = None if all_currencies else set(workspace.production.currencies)
    as_of_seq = resolve_as_of(workspace, as_of)
    pinned = pinned_rates(workspace, [start, end], as_of_seq)
    rows = [
        {"date": day, "currency": code, "rate": rate, "published": published, "snapshot_id": snapshot}
        for day, rates in pinned.items()
        for code, rate, published, snapshot in rates
        if currencies is None or code in currencies
    ]

    def display() -> None:
        columns = ["date", "currency", "rate", "published", "snapshot_id"]
        show_table("Units per euro", columns, [[row[name] for name in columns] for row in rows])
        if not rows:
            say("No rates are pinned in this range; `showcost fx pin` pins published rates.")

    return CommandResult({"as_of": as_of_seq, "rates": rows}, display)


@fx.command()
@from_option
@to_option
@prints_result
def pin(first: datetime | None, last: datetime | None) -> CommandResult:
    """Pin the snapshots of a date range that are not pinned yet. Pinned snapshots never change."""
    workspace = open_home()
    start, end = span(workspace, first, last)
    outcome = pin_snapshots(workspace, days_between(start, end))
    result = outcome.result
    facts = {
        "pinned": result.pinned,
        "kept": len(result.kept),
        "pending": result.pending,
        "missing": result.missing,
        "revised_since_pinned": [snapshot.snapshot_date for snapshot in result.differing],
        "last_publication": outcome.last_publication,
        "unavailable": outcome.unavailable,
    }

    def display() -> None:
        say(
            f"{len(result.pinned)} pinned, {len(result.kept)} already pinned, {len(result.pending)} pending, "
            f"{len(result.missing)} without a rate; latest published rates: {outcome.last_publication}."
        )
        if outcome.unavailable:
            say(outcome.unavailable)

    return CommandResult(facts, display)


@fx.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Let the file replace the known rates of its days.")
@click.option("--accept-jump", is_flag=True, help="Accept rates that move beyond the limit.")
@recorded_option("--who", default="", help="Who decides; recorded in the audit log.")
@recorded_option("--why", default="", help="Why; recorded in the audit log, so no personal data.")
@prints_result
def import_file(file: Path, *, replace: bool, accept_jump: bool, who: str, why: str) -> CommandResult:
    """Import a rate FILE (the ECB's CSV, zip or XML) as a source of rates.

    A file that contradicts known rates, or with a rate that moves beyond `fx.jump_percent`, is refused.
    """
    workspace = open_home()
    decision = ImportDecision(replace=replace, accept_jump=accept_jump, who=who.strip(), why=why.strip())
    imported = import_rates(workspace, file, decision)
    differing = differing_dates(workspace, stored_history(workspace))
    facts = {
        "sha256": imported.sha256,
        "first": imported.first,
        "last": imported.last,
        "again": imported.again,
        "replaced": imported.replaced,
        "accepted": [str(jump) for jump in imported.accepted],
        "pinned_otherwise": differing,
    }

    def display() -> None:
        done = "were imported before; nothing to do" if imported.again else "imported"
        say(f"Rates from {imported.first} to {imported.last} ({file.name}) {done}.")
        for jump in imported.accepted:
            say(f"Accepted: {jump}.")
        _say_differing(differing)

    return CommandResult(facts, display)


def _say_differing(days: Sequence[date]) -> None:
    if days:
        listed = ", ".join(map(str, days[:_SHOWN])) + (", …" if len(days) > _SHOWN else "")
        say(
            f"{plural(len(days), 'date')} pinned with other rates than the rate files have: {listed}."
            " To replace them: `showcost fx repin DATE … --who --why`."
        )


@fx.command()
@click.argument("published", type=click.DateTime(formats=["%Y-%m-%d"]), metavar="DATE")
@click.argument("currency")
@recorded_option("--who", required=True, help="Who decides; recorded in the audit log.")
@recorded_option("--why", required=True, help="Why; recorded in the audit log, so no personal data.")
@prints_result
def accept(published: datetime, currency: str, who: str, why: str) -> CommandResult:
    """Accept the rate of CURRENCY published on DATE although it moved beyond the limit."""
    workspace = open_home()
    who, why = who_and_why(who, why)
    day, code = published.date(), currency.upper()
    rates = [
        Decimal(row["rate"])
        for row in stored_history(workspace).rates.to_pylist()
        if (row["date"], row["currency"]) == (day, code)
    ]
    if not rates:
        raise InputError(f"no rate of {code} was published on {day}")
    new = accept_rates(workspace, [(day, code, rates[0])], ImportDecision(who=who, why=why))
    text = rate_text(rates[0])
    facts = {"date": day, "currency": code, "rate": text, "already_done": not new}
    sentence = (
        f"{code} of {day} at {text} accepted; `showcost run` posts the rows that waited for it."
        if new
        else f"{code} of {day} at {text} was accepted before; nothing to do."
    )
    return CommandResult(facts, lambda: say(sentence))


@fx.command("repin")
@click.argument("days", type=click.DateTime(formats=["%Y-%m-%d"]), metavar="DATE...", nargs=-1, required=True)
@recorded_option("--who", required=True, help="Who decides; recorded in the audit log.")
@recorded_option("--why", required=True, help="Why; recorded in the audit log, so no personal data.")
@prints_result
def repin_dates(days: tuple[datetime, ...], who: str, why: str) -> CommandResult:
    """Replace the pinned rates of DATEs by those of the rate files.

    Entries at other rates are reversed at their own rates and posted again at the new ones. The old rates are
    kept: reports as of an earlier moment do not change.
    """
    workspace = open_home()
    who, why = who_and_why(who, why)
    outcome = repin(workspace, [day.date() for day in days], who=who, why=why)
    if outcome.touched and has_instance(workspace):
        from showcost.orchestration.events import report_replay  # noqa: PLC0415 -- Dagster takes seconds to import

        report_replay(workspace, ReplayResult((), outcome.touched, {}))
    snapshots = [] if outcome.record is None else repin_rows(outcome.record)
    facts = {
        "audit_record": None if outcome.record is None else outcome.record.seq,
        "already_done": outcome.record is None,
        "snapshots": snapshots,
        "appended_entries": outcome.appended,
        "waiting_for_a_run": outcome.waiting,
        "pinned_otherwise": outcome.others,
        "accruals_at_the_old_rate": outcome.accruals,
    }

    def display() -> None:
        if outcome.record is None:
            say("The pinned rates are those of the rate files; nothing to replace.")
        else:
            say(f"Rates of {plural(len(snapshots), 'date')} replaced (audit record {outcome.record.seq}).")
        for feed, entries in outcome.appended.items():
            say(f"{feed}: {entries} entries appended, reversals included.")
        for feed in outcome.waiting:
            say(f"{feed}: not all its deliveries are read; `showcost run` posts its entries again.")
        if outcome.accruals:
            say(f"{plural(outcome.accruals, 'provisional accrual')} keep the old rate until released.")
        _say_differing(outcome.others)

    return CommandResult(facts, display)


@fx.command()
@prints_result
def check() -> CommandResult:
    """Check pinned snapshots, the publication calendar, jumps, and IRS yearly averages."""
    workspace = open_home()
    outcomes: Mapping[str, CheckOutcome] = {
        "snapshots_unchanged": all_unchanged(workspace),
        "calendar_complete": calendar(workspace),
        "day_on_day_jump": jumps(workspace),
        "irs_yearly_average": irs_band(workspace),
    }
    passed = all(outcome.passed for outcome in outcomes.values())
    facts = {
        "passed": passed,
        "checks": {
            name: {"passed": outcome.passed, "message": outcome.message} for name, outcome in outcomes.items()
        },
    }

    def display() -> None:
        rows = [
            (name, "passed" if outcome.passed else "FAILED", outcome.message)
            for name, outcome in outcomes.items()
        ]
        show_table("FX checks", ["check", "result", "message"], rows)

    return CommandResult(facts, display, status=0 if passed else 1)
