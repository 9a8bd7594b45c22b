"""`run` and `digest`: materialising partitions, and comparing what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.commands.options import from_option, span, to_option
from showcost.commands.output import Answer, answers, progress_bar, say, show_table
from showcost.config.home import Home, open_home
from showcost.ledger.digest import digest as ledger_digest
from showcost.ledger.store import Ledger

if TYPE_CHECKING:
    from datetime import date, datetime

    from showcost.running import RunOutcome


@click.command()
@from_option
@to_option
@answers
def run(first: datetime | None, last: datetime | None) -> Answer:
    """Materialise the partitions of a range through Dagster, in one run."""
    home = open_home()
    start, end = span(home, first, last)
    outcome = run_with_progress(home, start, end)
    return Answer(run_facts(outcome), lambda: show_run(outcome), status=0 if outcome.success else 1)


def run_with_progress(home: Home, first: date, last: date) -> RunOutcome:
    """Run the job over a range, with a bar on a terminal."""
    # Dagster takes seconds to import: only the commands that run it pay for it.
    from showcost.running import run_range  # noqa: PLC0415

    with progress_bar("materialising") as report:
        return run_range(home, first, last, report)


def run_facts(outcome: RunOutcome) -> dict[str, object]:
    """Return a run's outcome as facts."""
    return {
        "run_id": outcome.run_id,
        "success": outcome.success,
        "partitions": outcome.partitions,
        "failures": [{"step": step, "message": message} for step, message in outcome.failures],
        "failed_checks": [
            {"asset": one.asset, "check": one.check, "severity": one.severity, "message": one.message}
            for one in outcome.failed_checks
        ],
    }


def show_run(outcome: RunOutcome) -> None:
    """Show a run's outcome: failures first, then the checks that did not hold."""
    for step, message in outcome.failures:
        say(f"{step} failed: {message}")
    checks = [(one.severity, one.asset, one.check, one.message) for one in outcome.failed_checks]
    if checks:
        show_table("Checks that did not hold", ["severity", "asset", "check", "message"], checks)
    how = "succeeded" if outcome.success else "failed"
    say(f"Run {outcome.run_id} {how}: {outcome.partitions} partitions in {outcome.seconds} s.")


@click.command()
@from_option
@to_option
@click.option("--partitions", is_flag=True, help="Also show the digest of each date.")
@answers
def digest(first: datetime | None, last: datetime | None, *, partitions: bool) -> Answer:
    """Print the ledger digest of a range, to compare runs and machines."""
    home = open_home()
    start, end = span(home, first, last)
    with Ledger(home.ledger).read() as connection:
        found = ledger_digest(connection, start, end)
    entries = sum(rows for rows, _ in found.partitions.values())
    facts = {
        "from": start,
        "to": end,
        "digest": found.hash,
        "entries": entries,
        "partitions": {
            str(day): {"entries": rows, "digest": value} for day, (rows, value) in found.partitions.items()
        },
    }

    def show() -> None:
        if partitions:
            rows = [(day, count, value) for day, (count, value) in found.partitions.items()]
            columns = ["date", "entries", "digest"]
            show_table("Partitions", columns, rows, figures=columns)
        say(f"{found.hash}  {start} to {end}, {entries} entries")

    return Answer(facts, show)
