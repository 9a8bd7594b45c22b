"""`showcost queue`: list, show, resolve, replay and dismiss the items of the reconciliation queue."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from showcost.cli.home import home_option, open_home
from showcost.cli.options import (
    as_of_option,
    chosen_feeds,
    recorded_option,
    resolve_as_of,
)
from showcost.cli.orders import orders
from showcost.cli.output import (
    ID_SHOWN,
    CommandResult,
    plain,
    plural,
    prints_result,
    say,
    say_more,
    show_table,
)
from showcost.cli.pay_findings import (
    dismiss,
    finding_facts,
    list_findings,
    say_findings,
    show_findings,
)
from showcost.cli.pull import letter_facts, show_letters
from showcost.cli.selection import (
    all_texts,
    ask,
    check_how_chosen,
    filter_options,
    has_instance,
    optional_text,
    queue_filter,
    time_as_of,
)
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_framed
from showcost.core.money import readable_amount
from showcost.core.reason_catalogue import CATALOGUE
from showcost.pipeline.replay import ReplayPreview, ReplayResult, preview, replay
from showcost.pipeline.vendor_pulls import missing_pages
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import FoundRow, find_rows, rows_at
from showcost.reconciliation.pay_findings import (
    counts_of_findings,
    findings_about,
    open_findings,
)
from showcost.reconciliation.queue import QueueFilter, QueueRow, RowState, counts_by, queue_rows
from showcost.reports.trace import trace_row
from showcost.vendor_api.dead_letters import EXHAUSTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.core.ids import RowRef
    from showcost.reconciliation.decisions import DecisionResult
    from showcost.vendor_api.dead_letters import DeadLetter
    from showcost.workspace import Workspace


@click.group()
@home_option
def queue() -> None:
    """Work the reconciliation queue: list, show, resolve, replay, dismiss."""


queue.add_command(dismiss)
queue.add_command(orders)


@queue.command("list")
@filter_options
@as_of_option
@click.option("--findings", is_flag=True, help="List open pay findings instead of rows.")
@click.option("--dismissed", is_flag=True, help="List dismissed pay findings instead of rows.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum rows to show as text."
)
@prints_result
def list_rows(
    as_of: str | None, limit: int, *, findings: bool, dismissed: bool, **options: object
) -> CommandResult:
    """List the rows of the queue; without a filter, a long queue is counted by feed, state and code."""
    if findings or dismissed:
        return list_findings(as_of, limit, options, dismissed=dismissed)
    workspace = open_home()
    selection = queue_filter(workspace, options)
    feed_name = optional_text(options["feed_name"])
    as_of_seq = resolve_as_of(workspace, as_of)
    feeds = chosen_feeds(workspace, feed_name)
    rows = queue_rows(workspace, feeds, selection, as_of_seq)
    letters = _letters(workspace, feeds, selection, as_of_seq)
    now = workspace.audit.time_as_of(as_of_seq)
    counted = counts_by(rows)
    findings_counted = counts_of_findings(open_findings(workspace, feeds, None if as_of_seq is None else now))
    facts = {
        "as_of": as_of_seq,
        "rows": [_row_facts(row, now) for row in rows],
        "dead_letters": [letter_facts(letter) for letter in letters],
        "finding_counts": findings_counted,
        "counts": [
            {"feed": feed, "state": state, "code": reason, "vendor": name, "rows": number}
            for (feed, state, reason, name), number in counted.items()
        ],
    }

    def show() -> None:
        show_letters(letters)
        if not rows:
            say("The queue has no rows." if letters else "The queue is empty.")
        elif selection.is_narrowed or feed_name or options["state_names"] or len(rows) <= limit:
            _show_rows(rows[:limit], now)
            say_more(len(rows), limit)
        else:
            _show_counts(len(rows), counted)
        say_findings(findings_counted)

    return CommandResult(facts, show)


def _show_counts(rows: int, counted: Mapping[tuple[str, str, str, str], int]) -> None:
    """Show counts of rows per feed, state and code, and of their vendors."""
    vendors: dict[tuple[str, str, str], list[int]] = {}
    for (feed, state, reason, _), number in counted.items():
        vendors.setdefault((feed, state, reason), []).append(number)
    lines = [
        (feed, state, reason, CATALOGUE[reason].meaning if reason else "", sum(numbers), len(numbers))
        for (feed, state, reason), numbers in vendors.items()
    ]
    show_table(f"The queue: {rows} rows", ["feed", "state", "code", "meaning", "rows", "vendors"], lines)
    say("To list rows, filter by --feed, --code, --vendor, --state, or --from and --to.")


def _letters(
    workspace: Workspace, feeds: Sequence[FeedSpec], selection: QueueFilter, as_of: int | None
) -> list[DeadLetter]:
    """Return the missing API pages, which are pending in the queue as rows are."""
    if (
        RowState.PENDING not in selection.states
        or selection.code not in {None, EXHAUSTED}
        or selection.vendor
    ):
        return []
    first, last = selection.first or date.min, selection.last or date.max
    letters = [letter for feed in feeds for letter in missing_pages(workspace, feed, as_of)]
    return [letter for letter in letters if letter.window.first <= last and first <= letter.window.last]


def _row_facts(row: QueueRow, now: datetime) -> Mapping[str, object]:
    return {
        "id": row.row_id,
        "state": row.state.value,
        "codes": row.codes,
        "feed": row.place.feed,
        "date": row.day,
        "document": row.document,
        "vendor": row.vendor,
        "currency": row.currency,
        "amount": row.amount,
        "decision": row.decision,
        "age_days": row.age_days(now),
        "delivery": row.place.delivery,
        "record": row.place.record,
    }


def _show_rows(rows: Sequence[QueueRow], now: datetime) -> None:
    columns = ["id", "state", "codes", "feed", "date", "document", "vendor", "amount", "", "days"]
    show_table(
        "The queue",
        columns,
        [
            (
                row.row_id[:ID_SHOWN],
                row.state.value,
                " ".join(row.codes),
                row.place.feed,
                row.day,
                row.document,
                row.vendor,
                readable_amount(row.amount) if row.amount is not None else "",
                row.currency,
                row.age_days(now),
            )
            for row in rows
        ],
    )


@queue.command("show")
@click.argument("row_id", metavar="ID")
@as_of_option
@prints_result
def show_row(row_id: str, as_of: str | None) -> CommandResult:
    """Show a row by its id or an entry's id: raw text, reasons, decisions, and what a replay would do."""
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    (row,) = find_rows(workspace, [row_id], as_of_seq)
    # A preview of a replay is only meaningful for the current state.
    expected = preview(workspace, row.place) if as_of_seq is None else None
    about = findings_about(workspace, row.place, time_as_of(workspace, as_of_seq))
    facts = {"as_of": as_of_seq} | trace_row(workspace, row, as_of_seq)
    facts |= {
        "findings": [finding_facts(decision) for decision in about],
        "replay_would": None if expected is None else _preview_facts(expected),
    }

    def show() -> None:
        say(f"Row {row.row_id}, {row.place.feed}, {row.partition}: {row.disposition}")
        say(f"Record {row.place.record} of delivery {row.place.delivery}")
        say(f"\n{facts['raw']}\n")
        if facts["reasons"]:
            columns = ["code", "field", "observed", "expected", "source", "what to do"]
            rows = [(*reason.values(), CATALOGUE[reason["code"]].action) for reason in facts["reasons"]]
            show_table("Reasons", columns, rows)
        if about:
            show_findings(about)
        show_decisions(facts["decisions"])
        if row.active_entries:
            say(f"Posted; `showcost trace {row.row_id[:ID_SHOWN]}` shows its entries.")
        elif expected is not None:
            _show_preview(expected)

    return CommandResult(facts, show)


def _preview_facts(expected: ReplayPreview) -> Mapping[str, object]:
    return {
        "outcome": expected.disposition,
        "codes": expected.codes,
        "entries": [
            dict(zip(("component", "account", "amount", "currency"), component, strict=True))
            for component in expected.components
        ],
    }


def _show_preview(expected: ReplayPreview) -> None:
    if not expected.components:
        say(f"A replay would post nothing: {expected.disposition}, {' '.join(expected.codes)}.")
        return
    rows = [
        (name, account, readable_amount(amount), code) for name, account, amount, code in expected.components
    ]
    show_table("A replay would post", ["component", "account", "amount", ""], rows)


def show_decisions(decisions: Sequence[Mapping[str, Any]]) -> None:
    """Show the decisions on a row, in order."""
    columns = ["record", "decided at (UTC)", "decision", "fields", "codes", "who", "why"]
    lines = [
        (
            decision["seq"],
            decision["decided_at"],
            decision["decision"],
            ", ".join(f"{name}={text}" for name, text in decision["fields"].items()),
            ", ".join(decision["codes"]),
            decision["who"],
            decision["why"],
        )
        for decision in decisions
    ]
    if lines:
        show_table("Decisions", columns, lines)


@queue.command()
@click.argument("ids", nargs=-1)
@click.option("--set", "fields", multiple=True, metavar="FIELD=TEXT", help="Correct a field; repeatable.")
@click.option("--accept", is_flag=True, help="Accept the row despite its reason codes.")
@click.option("--discard", is_flag=True, help="Discard the row for good; it must not be posted.")
@click.option("--reverse", is_flag=True, help="Reverse the row's active entries.")
@click.option("--rebook", is_flag=True, help="Post the row in place of the row that holds its key.")
@click.option("--undo", is_flag=True, help="Undo all decisions on the row.")
@click.option("--only", "codes", multiple=True, metavar="CODE", help="With --accept: waive only these codes.")
@click.option("--all", "everything", is_flag=True, help="All rows that match the filters, instead of IDS.")
@click.option("--yes", is_flag=True, help="With --all: skip the confirmation.")
@filter_options
@recorded_option("--who", required=True, help="Who decides; recorded in the audit log.")
@recorded_option("--why", required=True, help="Why; recorded in the audit log, so no personal data.")
@click.option(
    "--replay/--no-replay", "at_once", default=True, help="Replay the rows immediately.", show_default=True
)
@prints_result
def resolve(ids: tuple[str, ...], **options: object) -> CommandResult:
    """Record a decision on rows. IDS are row or entry ids, at least six digits each.

    A decision is recorded in the audit log before it takes effect. `--set` and `--reverse` also work on
    posted rows.
    """
    workspace = open_home()
    check_how_chosen(workspace, ids, options)
    decided = None
    if options["everything"]:
        rows = _matching(workspace, options)
        act = _act(workspace, options)
        if not rows:
            decided = deciding.done_by_act(workspace, act)
            if decided is None:
                raise InputError("no row of the queue matches these filters")
        else:
            ask(f"Record this decision for {plural(len(rows), 'row')}?", options)
    else:
        rows, act = find_rows(workspace, ids), ""
    decided = decided or _decide(workspace, rows, options, act)
    outcome = _replayed(workspace, decided.places) if options["at_once"] else None
    facts = {
        "audit_record": decided.seq,
        "already_done": decided.already_done,
        "rows": [place.row_id for place in decided.places],
        "replay": None if outcome is None else _replay_facts(outcome),
    }

    def show() -> None:
        if decided.already_done:
            say(f"Already done: audit record {decided.seq} has this decision. Nothing new was recorded.")
        else:
            say(f"Decision recorded for {plural(len(rows), 'row')}: audit record {decided.seq}.")
        if outcome is None:
            say("Apply it with `showcost run` or `showcost queue replay`.")
        else:
            _show_replay(outcome)

    return CommandResult(facts, show)


def _matching(workspace: Workspace, options: Mapping[str, object]) -> list[FoundRow]:
    """Return the rows that match the filters."""
    rows = queue_rows(
        workspace,
        chosen_feeds(workspace, optional_text(options["feed_name"])),
        queue_filter(workspace, options),
    )
    return rows_at(workspace, [row.place for row in rows]) if rows else []


def _act(workspace: Workspace, options: Mapping[str, object]) -> str:
    """Return the idempotency key of a command with filters: a hash over all that it says."""
    said = {name: value for name, value in options.items() if name not in {"yes", "at_once"}}
    return sha256_framed(
        ["resolve", repr(queue_filter(workspace, options)), json.dumps(plain(said), sort_keys=True)]
    )


def _decide(
    workspace: Workspace, rows: Sequence[FoundRow], options: Mapping[str, object], act: str
) -> DecisionResult:
    fields = _fields(all_texts(options["fields"]))
    kinds = [name for name in ("accept", "discard", "reverse", "rebook", "undo") if options[name]]
    if len(kinds) + bool(fields) != 1:
        raise InputError("give exactly one of --set, --accept, --discard, --reverse, --rebook, --undo")
    who, why = str(options["who"]), str(options["why"])
    codes = all_texts(options["codes"])
    if codes and kinds != ["accept"]:
        raise InputError("--only requires --accept")
    match kinds:
        case ["accept"]:
            return deciding.accept(workspace, rows, codes, who=who, why=why, act=act)
        case ["discard"]:
            return deciding.discard(workspace, rows, who=who, why=why, act=act)
        case ["reverse"]:
            return deciding.reverse(workspace, rows, who=who, why=why, act=act)
        case ["rebook"]:
            return deciding.rebook(workspace, rows, who=who, why=why, act=act)
        case ["undo"]:
            return deciding.undo(workspace, rows, who=who, why=why, act=act)
        case _:
            return deciding.correct(workspace, rows, fields, who=who, why=why, act=act)


def _fields(pairs: Sequence[str]) -> dict[str, str]:
    fields = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--set expects FIELD=TEXT, not {pair!r}")
        fields[name.strip()] = text
    return fields


@queue.command("replay")
@click.argument("ids", nargs=-1, required=True)
@prints_result
def replay_rows(ids: tuple[str, ...]) -> CommandResult:
    """Validate rows again and post those that are valid. No other row changes; nothing is fetched."""
    workspace = open_home()
    outcome = _replayed(workspace, [row.place for row in find_rows(workspace, ids)])
    return CommandResult(_replay_facts(outcome), lambda: _show_replay(outcome))


def _replayed(workspace: Workspace, places: Sequence[RowRef]) -> ReplayResult:
    """Replay rows, and report it to Dagster if the data folder has an instance."""
    outcome = replay(workspace, places)
    if has_instance(workspace):
        from showcost.orchestration.events import report_replay  # noqa: PLC0415 -- Dagster takes seconds to import

        report_replay(workspace, outcome)
    return outcome


def _replay_facts(outcome: ReplayResult) -> Mapping[str, object]:
    return {
        "rows": [
            {
                "id": row.place.row_id,
                "feed": row.place.feed,
                "partition": row.partition,
                "outcome": row.disposition,
                "codes": row.codes,
            }
            for row in outcome.rows
        ],
        "touched": outcome.touched,
        "appended_entries": outcome.appended,
    }


def _show_replay(outcome: ReplayResult) -> None:
    columns = ["id", "feed", "partition", "outcome", "codes"]
    show_table(
        "Replayed",
        columns,
        [
            (
                row.place.row_id[:ID_SHOWN],
                row.place.feed,
                row.partition,
                row.disposition,
                " ".join(row.codes),
            )
            for row in outcome.rows
        ],
    )
    say(f"{outcome.appended} {'entry' if outcome.appended == 1 else 'entries'} appended to the ledger.")
