"""Pay findings at the command line: listed, dismissed, and told of in the answers of other commands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from showcost.cli.options import chosen_feeds, moment
from showcost.cli.output import ID_SHOWN, Answer, answers, say, say_more, show_table
from showcost.cli.selection import (
    ask,
    check_how_chosen,
    has_instance,
    narrowing,
    optional_text,
    time_as_of,
    wanted_rows,
)
from showcost.config.home import Home, open_home
from showcost.core.errors import InputError
from showcost.core.reasons import CATALOGUE
from showcost.reconciliation import pay_findings as pay_queue
from showcost.reconciliation.pay_findings import (
    dismissed_findings,
    is_chosen,
    named_findings,
    place_of,
    standing_findings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.pay.findings_log import Finding, Line


def finding_facts(finding: Finding) -> Mapping[str, object]:
    """Return what a finding says, with the id of its row."""
    return {
        "id": finding.finding_id,
        "row": place_of(finding).row_id,
        "feed": finding.feed,
        "date": finding.transaction_date,
        "code": finding.code,
        "field": finding.field,
        "told": finding.told,
        "source": finding.source,
        "pay_rules": finding.pay_rules,
        "cause": finding.cause,
    }


def show_findings(found: Sequence[Finding]) -> None:
    """Show findings as a table."""
    columns = ["id", "row", "date", "code", "field", "what was found", "rule", "what to do"]
    rows = [
        (
            one.finding_id[:ID_SHOWN],
            place_of(one).row_id[:ID_SHOWN],
            one.transaction_date,
            one.code,
            one.field,
            one.told,
            one.source,
            CATALOGUE[one.code].action,
        )
        for one in found
    ]
    show_table("Pay findings", columns, rows)


def dismissal_facts(line: Line) -> Mapping[str, object]:
    """Return what a dismissed finding says, and who dismissed it, when and why."""
    return {**finding_facts(line.finding), "dismissed_at": line.at, "who": line.who, "why": line.why}


def show_dismissals(lines: Sequence[Line]) -> None:
    """Show dismissed findings as a table."""
    columns = ["id", "row", "date", "code", "what was found", "dismissed at (UTC)", "who", "why"]
    rows = [
        (
            line.finding.finding_id[:ID_SHOWN],
            place_of(line.finding).row_id[:ID_SHOWN],
            line.finding.transaction_date,
            line.finding.code,
            line.finding.told,
            line.at,
            line.who,
            line.why,
        )
        for line in lines
    ]
    show_table("Dismissed pay findings", columns, rows)


def say_findings(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Say per feed how many findings wait for a look."""
    for feed, codes in counts.items():
        listed = ", ".join(f"{count} {code}" for code, count in codes.items())
        count = sum(codes.values())
        wait = "pay finding waits" if count == 1 else "pay findings wait"
        say(f"{feed}: {count} {wait} for a look: {listed}.")
    if counts:
        say(
            "`showcost queue list --findings` lists them; they keep no row out. `queue dismiss` answers them."
        )


def list_findings(as_of: str | None, limit: int, options: Mapping[str, object], *, dismissed: bool) -> Answer:
    """List the pay findings that wait for a look, or those that were dismissed."""
    home = open_home()
    known = moment(home, as_of)
    feeds, chosen = _narrowed(home, options)
    at = time_as_of(home, known)
    if dismissed:
        lines = [line for line in dismissed_findings(home, feeds, at) if chosen(line.finding)]
        facts = {"as_of": known, "dismissed": [dismissal_facts(line) for line in lines]}
        shown = partial(show_dismissals, lines[:limit])
        none, count = "No pay finding that holds is dismissed.", len(lines)
    else:
        found = [one for one in standing_findings(home, feeds, at) if chosen(one)]
        facts = {"as_of": known, "findings": [finding_facts(one) for one in found]}
        shown = partial(show_findings, found[:limit])
        none, count = "No pay finding waits for a look.", len(found)

    def show() -> None:
        if not count:
            say(none)
            return
        shown()
        say_more(count, limit)

    return Answer(facts, show)


def _narrowed(
    home: Home, options: Mapping[str, object]
) -> tuple[Sequence[FeedSpec], Callable[[Finding], bool]]:
    """Return the feeds whose pay findings are wanted, and what tells the wanted ones."""
    if options["vendor"] or options["state_names"]:
        raise InputError("pay findings are narrowed by --feed, --code, --from and --to only")
    wanted = wanted_rows(home, options)
    return (
        chosen_feeds(home, optional_text(options["feed_name"])),
        partial(is_chosen, code=wanted.code, first=wanted.first, last=wanted.last),
    )


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--reopen", is_flag=True, help="Let dismissed findings wait for a look again.")
@click.option(
    "--all", "everything", is_flag=True, help="All findings that the options below choose, not IDS."
)
@click.option("--yes", is_flag=True, help="With --all: do not ask.")
@narrowing
@click.option("--who", required=True, help="Who looked at it; stays on record.")
@click.option("--why", required=True, help="Why it is left at that; stays on record, so no personal data.")
@answers
def dismiss(ids: tuple[str, ...], *, reopen: bool, **options: object) -> Answer:
    """Say that pay findings were looked at and are left at that.

    IDS are those of findings, or of their rows, at least six digits of each. Where something is owed, correct
    the row instead: `showcost queue resolve`.
    """
    home = open_home()
    feeds, chosen = _narrowed(home, options)
    held = (
        [line.finding for line in dismissed_findings(home, feeds)]
        if reopen
        else standing_findings(home, feeds)
    )
    found = _chosen_findings(home, [one for one in held if chosen(one)], ids, options)
    pay_queue.dismiss(home, found, who=str(options["who"]), why=str(options["why"]), reopen=reopen)
    if has_instance(home):
        from showcost.orchestration.events import report_findings  # noqa: PLC0415 -- Dagster takes seconds to import

        report_findings(home, found)
    done = "Reopened" if reopen else "Dismissed"
    return Answer(
        {"findings": [finding_facts(one) for one in found], "reopened": reopen},
        lambda: say(f"{done} {len(found)} pay finding{'s' if len(found) > 1 else ''}."),
    )


def _chosen_findings(
    home: Home, found: Sequence[Finding], ids: tuple[str, ...], options: Mapping[str, object]
) -> Sequence[Finding]:
    """Return the findings named, or with --all those given, once a person agrees."""
    check_how_chosen(home, ids, options)
    if not options["everything"]:
        return named_findings(found, ids)
    if not found:
        raise InputError("no pay finding is chosen by these options")
    ask(f"Decide about {len(found)} pay findings?", options)
    return found
