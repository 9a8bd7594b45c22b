"""`fx`: show, pin, import and check the daily rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from showcost.checks.fx import all_unchanged, calendar, irs_band, jumps, pinned_rates
from showcost.cli.options import as_of_option, days_between, from_option, moment, span, to_option
from showcost.cli.output import Answer, answers, say, show_table
from showcost.config.home import open_home
from showcost.pipeline.fx_snapshots import import_rates, stage_snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from showcost.checks.result import Verdict


@click.group()
def fx() -> None:
    """Show, pin, import and check FX snapshots."""


@fx.command()
@from_option
@to_option
@click.option("--all-currencies", is_flag=True, help="Not only those of the production.")
@as_of_option
@answers
def show(first: datetime | None, last: datetime | None, *, all_currencies: bool, as_of: str | None) -> Answer:
    """Show the pinned rates of a range, in units per euro."""
    home = open_home()
    start, end = span(home, first, last)
    wanted = None if all_currencies else set(home.production.currencies)
    known = moment(home, as_of)
    pinned = pinned_rates(home, [start, end], known) if home.ledger.exists() else {}
    rows = [
        {"date": day, "currency": code, "rate": rate, "published": published, "snapshot_id": snapshot}
        for day, rates in pinned.items()
        for code, rate, published, snapshot in rates
        if wanted is None or code in wanted
    ]

    def display() -> None:
        columns = ["date", "currency", "rate", "published", "snapshot_id"]
        show_table("Units per euro", columns, [[row[name] for name in columns] for row in rows])
        if not rows:
            say("Nothing is pinned in this range; `showcost fx pin` pins what is published.")

    return Answer({"as_of": known, "rates": rows}, display)


@fx.command()
@from_option
@to_option
@answers
def pin(first: datetime | None, last: datetime | None) -> Answer:
    """Pin the snapshots of a range that are not pinned yet; those that are stay as they are."""
    home = open_home()
    start, end = span(home, first, last)
    outcome = stage_snapshots(home, days_between(start, end))
    result = outcome.result
    facts = {
        "pinned": result.pinned,
        "kept": len(result.kept),
        "pending": result.pending,
        "missing": result.missing,
        "revised_since_pinned": [one.snapshot_date for one in result.differing],
        "last_publication": outcome.last_publication,
        "unavailable": outcome.unavailable,
    }

    def display() -> None:
        say(
            f"{len(result.pinned)} pinned, {len(result.kept)} pinned before, {len(result.pending)} pending, "
            f"{len(result.missing)} without a rate; rates are known up to {outcome.last_publication}."
        )
        if outcome.unavailable:
            say(outcome.unavailable)

    return Answer(facts, display)


@fx.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@answers
def import_file(file: Path) -> Answer:
    """Keep a rate FILE (the ECB's CSV, zip or XML) as a source of rates."""
    imported = import_rates(open_home(), file)
    facts = {"sha256": imported.sha256, "first": imported.first, "last": imported.last}
    told = f"{file.name}: rates from {imported.first} to {imported.last} are known now."
    return Answer(facts, lambda: say(told))


@fx.command()
@answers
def check() -> Answer:
    """Check pinned snapshots, calendar, jumps, and the yearly averages of the IRS."""
    home = open_home()
    verdicts: Mapping[str, Verdict] = {
        "snapshots_unchanged": all_unchanged(home),
        "calendar_complete": calendar(home),
        "day_on_day_jump": jumps(home),
        "irs_yearly_average": irs_band(home),
    }
    passed = all(verdict.passed for verdict in verdicts.values())
    facts = {
        "passed": passed,
        "checks": {
            name: {"passed": verdict.passed, "message": verdict.message} for name, verdict in verdicts.items()
        },
    }

    def display() -> None:
        rows = [
            (name, "holds" if one.passed else "DOES NOT HOLD", one.message) for name, one in verdicts.items()
        ]
        show_table("FX checks", ["check", "result", "message"], rows)

    return Answer(facts, display, status=0 if passed else 1)
