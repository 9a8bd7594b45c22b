"""`showcost run`: materialise partitions through Dagster."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from showcost.cli.home import open_home
from showcost.cli.interrupts import interruption, noticing_interrupts
from showcost.cli.options import from_option, span, to_option
from showcost.cli.output import CommandResult, plural, prints_result, progress_bar, say, show_table
from showcost.pipeline.due import due_spans

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime

    from showcost.orchestration.runs import RunOutcome
    from showcost.workspace import Workspace


_WARNING: Final = "WARN"


@click.command()
@from_option
@to_option
@prints_result
def run(first: datetime | None, last: datetime | None) -> CommandResult:
    """Materialise the partitions of a date range; without a range, all due partitions.

    A partition is due when new deliveries or decisions affect it, or when a missing rate is now available.
    The exit status is 1 if a step failed, or a check with severity ERROR.
    """
    workspace = open_home()
    feeds = workspace.feeds
    if first or last:
        outcomes = run_spans(workspace, [(*span(workspace, first, last), None)])
    else:
        spans = due_spans(workspace, feeds)
        outcomes = run_spans(workspace, [(due.first, due.last, due.feeds) for due in spans])
    passed = all(outcome.passed for outcome in outcomes)
    return CommandResult(
        {"runs": [asdict(outcome) for outcome in outcomes], "success": passed},
        lambda: show_runs(outcomes),
        status=0 if passed else 1,
    )


def run_spans(
    workspace: Workspace, spans: Sequence[tuple[date, date, Collection[str] | None]]
) -> list[RunOutcome]:
    """Run the job over spans of dates, one run each, with a progress bar on a terminal.

    A span is (first date, last date, names of the feeds to run); None for the feeds: see `run_range`. Raises
    RunInterruptedError after Ctrl-C; the spans that follow are not begun.
    """
    from showcost.orchestration.runs import run_range  # noqa: PLC0415 -- Dagster takes seconds to import

    outcomes: list[RunOutcome] = []
    since = workspace.audit.head().seq
    with noticing_interrupts() as interrupted:
        for first, last, feeds in spans:
            try:
                with progress_bar(f"{first} to {last}") as report:
                    outcomes.append(run_range(workspace, first, last, report, feeds, _say_waiting))
            except KeyboardInterrupt:
                interrupted.set()
            if interrupted.is_set():
                raise interruption(workspace, since)
    return outcomes


def _say_waiting(sentence: str) -> None:
    say(sentence, to_stderr=True)


def show_runs(outcomes: Sequence[RunOutcome]) -> None:
    """Show outcomes: failures and failed checks in full, warnings as counts of partitions."""
    warned: dict[tuple[str, str], tuple[int, int]] = {}
    for outcome in outcomes:
        for step, message in outcome.failures:
            say(f"{step} failed: {message}")
        for check in outcome.failed_checks:
            if check.severity != _WARNING:
                say(f"CHECK FAILED {check.asset}, {check.check}: {check.message}")
                continue
            failed, checked = warned.get((check.asset, check.check), (0, 0))
            warned[check.asset, check.check] = (failed + check.failed, checked + check.checked)
    if warned:
        columns = ["asset", "check", "partitions"]
        rows = [(*key, f"{failed} of {checked}") for key, (failed, checked) in warned.items()]
        show_table("Warnings (the rows are in quarantine)", columns, rows)
    for outcome in outcomes:
        how = "succeeded" if outcome.passed else "failed"
        count = plural(outcome.partitions, "partition")
        checks = f"; {plural(len(outcome.errors), 'check')} failed" if outcome.errors else ""
        say(f"Run {outcome.run_id} {how}: {count} in {outcome.seconds} s{checks}.")
    if not outcomes:
        say("No partitions are due.")
