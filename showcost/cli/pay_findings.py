"""Pay findings on the command line: `queue list --findings`, `queue dismiss`, counts in other commands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from showcost.cli.home import open_home
from showcost.cli.options import chosen_feeds, recorded_option, resolve_as_of
from showcost.cli.output import ID_SHOWN, CommandResult, plural, prints_result, say, say_more, show_table
from showcost.cli.selection import (
    ask,
    check_how_chosen,
    filter_options,
    has_instance,
    optional_text,
    queue_filter,
    time_as_of,
)
from showcost.core.errors import InputError
from showcost.core.reason_catalogue import CATALOGUE
from showcost.reconciliation import pay_findings as pay_queue
from showcost.reconciliation.decisions import who_and_why
from showcost.reconciliation.pay_findings import (
    dismissed_findings,
    findings_by_id,
    matches,
    open_findings,
    place_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.pay.findings_log import FindingLine, PayFinding
    from showcost.workspace import Workspace


def finding_facts(finding: PayFinding) -> Mapping[str, object]:
    """Return a finding as JSON facts, with the id of its row."""
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


def show_findings(findings: Sequence[PayFinding]) -> None:
    """Show findings as a table."""
    columns = ["id", "row", "date", "code", "field", "finding", "rule", "what to do"]
    rows = [
        (
            finding.finding_id[:ID_SHOWN],
            place_of(finding).row_id[:ID_SHOWN],
            finding.transaction_date,
            finding.code,
            finding.field,
            finding.told,
            finding.source,
            CATALOGUE[finding.code].action,
        )
        for finding in findings
    ]
    show_table("Pay findings", columns, rows)


def dismissal_facts(line: FindingLine) -> Mapping[str, object]:
    """Return a dismissed finding as JSON facts, with who dismissed it, when and why."""
    return {**finding_facts(line.finding), "dismissed_at": line.at, "who": line.who, "why": line.why}


def show_dismissals(lines: Sequence[FindingLine]) -> None:
    """Show dismissed findings as a table."""
    columns = ["id", "row", "date", "code", "finding", "dismissed at (UTC)", "who", "why"]
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
    """Print the number of open findings per feed."""
    for feed, codes in counts.items():
        listed = ", ".join(f"{count} {code}" for code, count in codes.items())
        count = sum(codes.values())
        say(f"{feed}: {plural(count, 'open pay finding')}: {listed}.")
    if counts:
        say(
            "They block no rows. List them with `showcost queue list --findings`, close them with"
            " `showcost queue dismiss`."
        )


def list_findings(
    as_of: str | None, limit: int, options: Mapping[str, object], *, dismissed: bool
) -> CommandResult:
    """List open or dismissed pay findings."""
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    feeds, matches = _filtered(workspace, options)
    at = time_as_of(workspace, as_of_seq)
    if dismissed:
        lines = [line for line in dismissed_findings(workspace, feeds, at) if matches(line.finding)]
        facts = {"as_of": as_of_seq, "dismissed": [dismissal_facts(line) for line in lines]}
        shown = partial(show_dismissals, lines[:limit])
        empty, count = "No dismissed pay findings.", len(lines)
    else:
        findings = [finding for finding in open_findings(workspace, feeds, at) if matches(finding)]
        facts = {"as_of": as_of_seq, "findings": [finding_facts(finding) for finding in findings]}
        shown = partial(show_findings, findings[:limit])
        empty, count = "No open pay findings.", len(findings)

    def show() -> None:
        if not count:
            say(empty)
            return
        shown()
        say_more(count, limit)

    return CommandResult(facts, show)


def _filtered(
    workspace: Workspace, options: Mapping[str, object]
) -> tuple[Sequence[FeedSpec], Callable[[PayFinding], bool]]:
    """Return the selected feeds and a predicate for the selected pay findings."""
    if options["vendor"] or options["state_names"]:
        raise InputError("pay findings can be filtered by --feed, --code, --from and --to only")
    selection = queue_filter(workspace, options)
    return (
        chosen_feeds(workspace, optional_text(options["feed_name"])),
        partial(matches, code=selection.code, first=selection.first, last=selection.last),
    )


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--reopen", is_flag=True, help="Reopen dismissed findings.")
@click.option(
    "--all", "everything", is_flag=True, help="All findings that match the filters, instead of IDS."
)
@click.option("--yes", is_flag=True, help="With --all: skip the confirmation.")
@filter_options
@recorded_option("--who", required=True, help="Who reviewed it; recorded.")
@recorded_option("--why", required=True, help="Why no action is needed; recorded, so no personal data.")
@prints_result
def dismiss(ids: tuple[str, ...], *, reopen: bool, **options: object) -> CommandResult:
    """Dismiss pay findings that need no action.

    IDS are finding or row ids, at least six digits each. If pay is owed, correct the row instead with
    `showcost queue resolve`.
    """
    workspace = open_home()
    feeds, matches = _filtered(workspace, options)
    who, why = who_and_why(str(options["who"]), str(options["why"]))
    active = [finding for finding in open_findings(workspace, feeds) if matches(finding)]
    dismissed = [line for line in dismissed_findings(workspace, feeds) if matches(line.finding)]
    candidates, others = active, [line.finding for line in dismissed if (line.who, line.why) == (who, why)]
    if reopen:
        candidates, others = [line.finding for line in dismissed], active
    chosen = _chosen_findings(workspace, candidates, others, ids, options)
    findings = [finding for finding in chosen if finding in candidates]
    if findings:
        pay_queue.dismiss(workspace, findings, who=who, why=why, reopen=reopen)
    if findings and has_instance(workspace):
        from showcost.orchestration.events import report_findings  # noqa: PLC0415 -- Dagster takes seconds to import

        report_findings(workspace, findings)
    done = "Reopened" if reopen else "Dismissed"
    before = len(chosen) - len(findings)
    facts = {
        "findings": [finding_facts(finding) for finding in findings],
        "reopened": reopen,
        "already_done": before,
    }

    def show() -> None:
        say(f"{done} {plural(len(findings), 'pay finding')}.")
        if before:
            say(
                f"{plural(before, 'pay finding')} {'open' if reopen else 'dismissed'} already; nothing to do."
            )

    return CommandResult(facts, show)


def _chosen_findings(
    workspace: Workspace,
    findings: Sequence[PayFinding],
    done: Sequence[PayFinding],
    ids: tuple[str, ...],
    options: Mapping[str, object],
) -> Sequence[PayFinding]:
    """Return the findings with these ids, or with --all every finding given, after confirmation.

    `done` are those for which the same command is done already.
    """
    check_how_chosen(workspace, ids, options)
    if not options["everything"]:
        return findings_by_id([*findings, *done], ids)
    if not findings and not done:
        raise InputError("no pay finding matches these filters")
    if findings:
        ask(f"Dismiss {plural(len(findings), 'pay finding')}?", options)
    return findings or done
