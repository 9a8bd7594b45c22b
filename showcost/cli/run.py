"""`run` and `digest`: materialising partitions, and comparing what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from showcost.cli.options import from_option, span, to_option
from showcost.cli.output import Answer, answers, progress_bar, say, show_table
from showcost.config.feeds import load_feeds
from showcost.config.home import Home, open_home
from showcost.pipeline.due import due_spans

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from showcost.orchestration.runs import RunOutcome


_WARNING: Final = "WARN"


@click.command()
@from_option
@to_option
@answers
def run(first: datetime | None, last: datetime | None) -> Answer:
    """Materialise the partitions of a range through Dagster, in one run; without a range, all that is due.

    Due is what is not made of all that has landed, and rows whose rate has come.
    """
    home = open_home()
    feeds = load_feeds(home.production.code)
    spans = [span(home, first, last)] if first or last else due_spans(home, feeds)
    outcomes = run_spans(home, spans)
    return Answer(
        {"runs": [asdict(one) for one in outcomes], "success": all(one.success for one in outcomes)},
        lambda: show_runs(outcomes),
        status=0 if all(one.success for one in outcomes) else 1,
    )


def run_spans(home: Home, spans: Sequence[tuple[date, date]]) -> list[RunOutcome]:
    """Run the job over spans of dates, one run each, with a bar on a terminal."""
    from showcost.orchestration.runs import run_range  # noqa: PLC0415 -- Dagster takes seconds to import

    outcomes: list[RunOutcome] = []
    for first, last in spans:
        with progress_bar(f"{first} to {last}") as report:
            outcomes.append(run_range(home, first, last, report))
    return outcomes


def show_runs(outcomes: Sequence[RunOutcome]) -> None:
    """Show outcomes: failures and broken checks in full, warnings by how many partitions they name."""
    warned: dict[tuple[str, str], tuple[int, int]] = {}
    for outcome in outcomes:
        for step, message in outcome.failures:
            say(f"{step} failed: {message}")
        for one in outcome.failed_checks:
            if one.severity != _WARNING:
                say(f"CHECK FAILED {one.asset}, {one.check}: {one.message}")
                continue
            failed, judged = warned.get((one.asset, one.check), (0, 0))
            warned[one.asset, one.check] = (failed + one.failed, judged + one.judged)
    if warned:
        columns = ["asset", "check", "partitions"]
        rows = [(*key, f"{failed} of {judged}") for key, (failed, judged) in warned.items()]
        show_table("Checks that warn (the rows are in quarantine)", columns, rows)
    for outcome in outcomes:
        how = "succeeded" if outcome.success else "failed"
        count = f"{outcome.partitions} partition{'s' * (outcome.partitions != 1)}"
        say(f"Run {outcome.run_id} {how}: {count} in {outcome.seconds} s.")
    if not outcomes:
        say("Nothing is due.")
