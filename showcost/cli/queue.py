"""`queue`: the rows that wait for a person: seen, decided about, replayed."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from showcost.audit.log import AuditLog
from showcost.cli.options import (
    as_of_option,
    chosen_feeds,
    moment,
)
from showcost.cli.output import ID_SHOWN, Answer, answers, say, say_more, show_table
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
    has_instance,
    narrowing,
    optional_text,
    time_as_of,
    wanted_rows,
)
from showcost.config.home import Home, open_home
from showcost.core.errors import InputError
from showcost.core.money import readable_amount
from showcost.core.reasons import CATALOGUE
from showcost.pipeline.replay import Preview, Replayed, preview, replay
from showcost.pipeline.vendor_pulls import missing_pages
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import FoundRow, find_rows, rows_at
from showcost.reconciliation.pay_findings import (
    counts_of_findings,
    findings_about,
    standing_findings,
)
from showcost.reconciliation.queue import QueueRow, RowState, Wanted, counts_by, queue_rows
from showcost.reports.trace import trace_row
from showcost.vendor_api.dead_letters import EXHAUSTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.core.ids import RowPlace
    from showcost.reconciliation.decisions import Decided
    from showcost.vendor_api.dead_letters import DeadLetter


@click.group()
def queue() -> None:
    """Work the reconciliation queue: list, show, resolve, replay, dismiss."""


queue.add_command(dismiss)


@queue.command("list")
@narrowing
@as_of_option
@click.option("--findings", is_flag=True, help="List what pay rules found about posted rows instead.")
@click.option("--dismissed", is_flag=True, help="List the pay findings that somebody dismissed instead.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows shown as text."
)
@answers
def list_rows(as_of: str | None, limit: int, *, findings: bool, dismissed: bool, **options: object) -> Answer:
    """List the rows of the queue; without anything that narrows it, count them by feed, code and vendor."""
    if findings or dismissed:
        return list_findings(as_of, limit, options, dismissed=dismissed)
    home = open_home()
    wanted = wanted_rows(home, options)
    feed_name = optional_text(options["feed_name"])
    known = moment(home, as_of)
    feeds = chosen_feeds(home, feed_name)
    rows = queue_rows(home, feeds, wanted, known)
    letters = _letters(home, feeds, wanted, known)
    now = AuditLog(home.path).time_as_of(known)
    counted = counts_by(rows)
    findings_counted = counts_of_findings(standing_findings(home, feeds, None if known is None else now))
    facts = {
        "as_of": known,
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
            say("No row is in the queue." if letters else "Nothing is in the queue.")
        elif wanted.narrows or feed_name or options["state_names"] or len(rows) <= limit:
            _show_rows(rows[:limit], now)
            say_more(len(rows), limit)
        else:
            _show_counts(len(rows), counted)
        say_findings(findings_counted)

    return Answer(facts, show)


def _show_counts(rows: int, counted: Mapping[tuple[str, str, str, str], int]) -> None:
    """Show how many rows wait for what, and of how many vendors."""
    vendors: dict[tuple[str, str, str], list[int]] = {}
    for (feed, state, reason, _), number in counted.items():
        vendors.setdefault((feed, state, reason), []).append(number)
    lines = [
        (feed, state, reason, CATALOGUE[reason].meaning if reason else "", sum(numbers), len(numbers))
        for (feed, state, reason), numbers in vendors.items()
    ]
    show_table(f"The queue: {rows} rows", ["feed", "state", "code", "meaning", "rows", "vendors"], lines)
    say("Rows are listed for a --feed, --code, --vendor or --state, or a range of dates.")


def _letters(home: Home, feeds: Sequence[FeedSpec], wanted: Wanted, as_of: int | None) -> list[DeadLetter]:
    """Return the pages of vendors' APIs that are missing: they wait in the queue as rows do."""
    if RowState.PENDING not in wanted.states or wanted.code not in {None, EXHAUSTED} or wanted.vendor:
        return []
    first, last = wanted.first or date.min, wanted.last or date.max
    letters = [letter for feed in feeds for letter in missing_pages(home, feed, as_of)]
    return [one for one in letters if one.window.first <= last and first <= one.window.last]


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
@click.argument("row", metavar="ID")
@as_of_option
@answers
def show_row(row: str, as_of: str | None) -> Answer:
    """Show one row (ID is that of the row or of an entry): raw text, every reason, what was decided."""
    home = open_home()
    known = moment(home, as_of)
    (found,) = find_rows(home, [row], known)
    # What a replay would come to is a question about now.
    expected = preview(home, found.place) if known is None else None
    about = findings_about(home, found.place, time_as_of(home, known))
    facts = {"as_of": known} | trace_row(home, found, known)
    facts |= {
        "findings": [finding_facts(one) for one in about],
        "replay_would": None if expected is None else _preview_facts(expected),
    }

    def show() -> None:
        say(f"Row {found.row_id}, {found.place.feed}, {found.partition}: {found.disposition}")
        say(f"Record {found.place.record} of delivery {found.place.delivery}")
        say(f"\n{facts['raw']}\n")
        if facts["reasons"]:
            columns = ["code", "field", "observed", "expected", "source", "what to do"]
            rows = [(*one.values(), CATALOGUE[one["code"]].action) for one in facts["reasons"]]
            show_table("Reasons", columns, rows)
        if about:
            show_findings(about)
        show_decisions(facts["decisions"])
        if found.standing:
            say(f"It is posted; `showcost trace {found.row_id[:ID_SHOWN]}` shows its entries.")
        elif expected is not None:
            _show_preview(expected)

    return Answer(facts, show)


def _preview_facts(expected: Preview) -> Mapping[str, object]:
    return {
        "outcome": expected.disposition,
        "codes": expected.codes,
        "entries": [
            dict(zip(("component", "account", "amount", "currency"), one, strict=True))
            for one in expected.components
        ],
    }


def _show_preview(expected: Preview) -> None:
    if not expected.components:
        say(f"A replay would post nothing: {expected.disposition}, {' '.join(expected.codes)}.")
        return
    rows = [
        (name, account, readable_amount(amount), code) for name, account, amount, code in expected.components
    ]
    show_table("A replay would post", ["component", "account", "amount", ""], rows)


def show_decisions(decisions: Sequence[Mapping[str, Any]]) -> None:
    """Show what was decided about a row, in order."""
    columns = ["record", "decided at (UTC)", "decision", "fields", "codes", "who", "why"]
    lines = [
        (
            one["seq"],
            one["decided_at"],
            one["decision"],
            ", ".join(f"{name}={text}" for name, text in one["fields"].items()),
            ", ".join(one["codes"]),
            one["who"],
            one["why"],
        )
        for one in decisions
    ]
    if lines:
        show_table("Decisions", columns, lines)


@queue.command()
@click.argument("ids", nargs=-1)
@click.option(
    "--set", "fields", multiple=True, metavar="FIELD=TEXT", help="Correct a field; may be repeated."
)
@click.option("--accept", is_flag=True, help="Let the row pass in spite of its reasons.")
@click.option("--discard", is_flag=True, help="Keep the row, which is not posted, out for good.")
@click.option("--withdraw", is_flag=True, help="Reverse what is posted of the row.")
@click.option("--rebook", is_flag=True, help="Post the row in place of the one that holds its key.")
@click.option("--reopen", is_flag=True, help="Lift everything that was decided about the row.")
@click.option("--only", "codes", multiple=True, metavar="CODE", help="With --accept: only these reasons.")
@click.option("--all", "everything", is_flag=True, help="All rows that the options below choose, not IDS.")
@click.option("--yes", is_flag=True, help="With --all: do not ask.")
@narrowing
@click.option("--who", required=True, help="Who decides it; goes into the audit log.")
@click.option("--why", required=True, help="Why; goes into the audit log, so no personal data.")
@click.option(
    "--replay/--no-replay", "at_once", default=True, help="Replay the rows at once.", show_default=True
)
@answers
def resolve(ids: tuple[str, ...], **options: object) -> Answer:
    """Decide about rows: IDS are those of rows or entries, at least six digits of each.

    A decision is in the audit log before it counts; `--set` and `--withdraw` take posted rows too.
    """
    home = open_home()
    rows = _chosen(home, ids, options)
    decided = _decide(home, rows, options)
    outcome = _replayed(home, decided.places) if options["at_once"] else None
    facts = {
        "audit_record": decided.seq,
        "rows": [place.row_id for place in decided.places],
        "replay": None if outcome is None else _replay_facts(outcome),
    }

    def show() -> None:
        say(f"Decided about {len(rows)} row{'s' if len(rows) > 1 else ''}: audit record {decided.seq}.")
        if outcome is None:
            say("`showcost run`, or `showcost queue replay`, brings it into the ledger.")
        else:
            _show_replay(outcome)

    return Answer(facts, show)


def _chosen(home: Home, ids: tuple[str, ...], options: Mapping[str, object]) -> list[FoundRow]:
    """Return the rows named, or with --all those that the narrowing options choose, once a person agrees."""
    check_how_chosen(home, ids, options)
    if not options["everything"]:
        return find_rows(home, ids)
    rows = queue_rows(
        home, chosen_feeds(home, optional_text(options["feed_name"])), wanted_rows(home, options)
    )
    if not rows:
        raise InputError("no row of the queue is chosen by these options")
    ask(f"Decide about {len(rows)} rows?", options)
    return rows_at(home, [row.place for row in rows])


def _decide(home: Home, rows: Sequence[FoundRow], options: Mapping[str, object]) -> Decided:
    fields = _fields(all_texts(options["fields"]))
    kinds = [name for name in ("accept", "discard", "withdraw", "rebook", "reopen") if options[name]]
    if len(kinds) + bool(fields) != 1:
        raise InputError("give one of --set, --accept, --discard, --withdraw, --rebook and --reopen")
    who, why = str(options["who"]), str(options["why"])
    codes = all_texts(options["codes"])
    if codes and kinds != ["accept"]:
        raise InputError("--only goes with --accept")
    match kinds:
        case ["accept"]:
            return deciding.accept(home, rows, codes, who=who, why=why)
        case ["discard"]:
            return deciding.discard(home, rows, who=who, why=why)
        case ["withdraw"]:
            return deciding.withdraw(home, rows, who=who, why=why)
        case ["rebook"]:
            return deciding.rebook(home, rows, who=who, why=why)
        case ["reopen"]:
            return deciding.reopen(home, rows, who=who, why=why)
        case _:
            return deciding.correct(home, rows, fields, who=who, why=why)


def _fields(pairs: Sequence[str]) -> dict[str, str]:
    fields = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--set takes FIELD=TEXT, not {pair!r}")
        fields[name.strip()] = text
    return fields


@queue.command("replay")
@click.argument("ids", nargs=-1, required=True)
@answers
def replay_rows(ids: tuple[str, ...]) -> Answer:
    """Judge rows anew and post those that are valid; no other row is touched, nothing is fetched."""
    home = open_home()
    outcome = _replayed(home, [row.place for row in find_rows(home, ids)])
    return Answer(_replay_facts(outcome), lambda: _show_replay(outcome))


def _replayed(home: Home, places: Sequence[RowPlace]) -> Replayed:
    """Replay rows, and tell Dagster of it if the data folder has an instance."""
    outcome = replay(home, places)
    if has_instance(home):
        from showcost.orchestration.events import report_replay  # noqa: PLC0415 -- Dagster takes seconds to import

        report_replay(home, outcome)
    return outcome


def _replay_facts(outcome: Replayed) -> Mapping[str, object]:
    return {
        "rows": [
            {
                "id": one.place.row_id,
                "feed": one.place.feed,
                "partition": one.partition,
                "outcome": one.disposition,
                "codes": one.codes,
            }
            for one in outcome.rows
        ],
        "touched": outcome.touched,
        "appended_entries": outcome.appended,
    }


def _show_replay(outcome: Replayed) -> None:
    columns = ["id", "feed", "partition", "outcome", "codes"]
    show_table(
        "Replayed",
        columns,
        [
            (
                one.place.row_id[:ID_SHOWN],
                one.place.feed,
                one.partition,
                one.disposition,
                " ".join(one.codes),
            )
            for one in outcome.rows
        ],
    )
    say(f"{outcome.appended} {'entry' if outcome.appended == 1 else 'entries'} appended to the ledger.")
