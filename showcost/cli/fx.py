"""`showcost fx`: show, pin, import and check daily rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from showcost.checks.fx import all_unchanged, calendar, irs_band, jumps, pinned_rates
from showcost.cli.home import home_option, open_home
from showcost.cli.options import as_of_option, days_between, from_option, resolve_as_of, span, to_option
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.pipeline.fx_snapshots import import_rates, pin_snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from showcost.checks.result import CheckOutcome


@click.group()
@home_option
def fx() -> None:
    """Show, pin, import and check FX snapshots."""


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
@prints_result
def import_file(file: Path) -> CommandResult:
    """Import a rate FILE (the ECB's CSV, zip or XML) as a source of rates."""
    imported = import_rates(open_home(), file)
    facts = {"sha256": imported.sha256, "first": imported.first, "last": imported.last}
    message = f"Imported rates from {imported.first} to {imported.last} ({file.name})."
    return CommandResult(facts, lambda: say(message))


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
