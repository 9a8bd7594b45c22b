"""`period`: accounting periods closed and opened again, each by a person and on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.options import as_of_option, chosen_feeds, from_option, moment, span, to_option
from showcost.cli.output import Answer, answers, say, show_table
from showcost.config.home import open_home
from showcost.core.errors import InputError
from showcost.ledger.periods import Period
from showcost.pipeline.periods import close_period, closed_periods, reopen_period

if TYPE_CHECKING:
    from datetime import datetime

    from showcost.audit.log import Record

_who = click.option("--who", required=True, help="Who decides it; goes into the audit log.")
_why = click.option("--why", required=True, help="Why; goes into the audit log, so no personal data.")


@click.group()
def period() -> None:
    """Show, close and reopen accounting periods."""


@period.command("list")
@as_of_option
@answers
def list_periods(as_of: str | None) -> Answer:
    """List the closed periods."""
    home = open_home()
    known = moment(home, as_of)
    closed = closed_periods(home, known)
    facts = {
        "as_of": known,
        "closed": [{"name": one.name, "from": one.start, "to": one.end} for one in closed],
    }

    def show() -> None:
        if closed:
            rows = [(one.name, one.start, one.end) for one in closed]
            show_table("Closed periods", ["name", "from", "to"], rows)
        else:
            say("No period is closed.")

    return Answer(facts, show)


@period.command()
@click.argument("name")
@from_option
@to_option
@_who
@_why
@answers
def close(name: str, first: datetime | None, last: datetime | None, who: str, why: str) -> Answer:
    """Close the period NAME: nothing more is posted to its dates."""
    if first is None or last is None:
        raise InputError("a period needs its first and last date: --from and --to")
    home = open_home()
    start, end = span(home, first, last)
    record = close_period(
        home, chosen_feeds(home, None), Period(name, start, end, closed=True), who=who, why=why
    )
    return _answer(record, f"{name} is closed, {start} to {end}")


@period.command()
@click.argument("name")
@_who
@_why
@answers
def reopen(name: str, who: str, why: str) -> Answer:
    """Open the closed period NAME again; the next run posts what waited for it."""
    record = reopen_period(open_home(), name, who=who, why=why)
    return _answer(record, f"{name} is open again; `showcost run` posts what waited for it")


def _answer(record: Record, sentence: str) -> Answer:
    facts = {"audit_record": record.seq, **record.facts}
    return Answer(facts, lambda: say(f"{sentence} (audit record {record.seq})."))
