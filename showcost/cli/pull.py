"""`pull`: the dates of feeds from their vendors' APIs, and what could not be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.options import chosen_feeds, feed_option, from_option, span, to_option
from showcost.cli.output import Answer, answers, say, show_table
from showcost.config.feeds import api_feeds
from showcost.config.home import Home, open_home
from showcost.core.errors import InputError
from showcost.core.reasons import CATALOGUE
from showcost.vendor_api.dead_letters import EXHAUSTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from showcost.config.feed import FeedSpec
    from showcost.vendor_api.dead_letters import DeadLetter
    from showcost.vendor_api.pull import FeedPull, Pull


@click.command()
@feed_option
@from_option
@to_option
@click.option("--again", is_flag=True, help="Fetch everything from its first page, what is complete too.")
@click.option("--dead", "dead_only", is_flag=True, help="Only what is in the dead letters: replay it.")
@click.option("--debug", is_flag=True, help="Name slow callbacks of the event loop in the log.")
@click.option("--trace-memory", "trace", is_flag=True, help="Also count Python's allocations; slower.")
@answers
def pull(
    *,
    feed_name: str | None,
    first: datetime | None,
    last: datetime | None,
    again: bool,
    dead_only: bool,
    debug: bool,
    trace: bool,
) -> Answer:
    """Pull the items of a range of dates from the vendors' APIs; the exit status is 1 when any is missing."""
    from showcost.vendor_api import pull as pulls  # noqa: PLC0415 -- slow to import: it brings the client of http
    from showcost.vendor_api.pool import PoolSettings  # noqa: PLC0415 -- the same

    home = open_home()
    wanted = pulls.Wanted(*span(home, first, last), again=again, dead_only=dead_only)
    outcome = pulls.pull(home, _feeds(home, feed_name), wanted, PoolSettings(debug=debug, trace=trace))
    facts = {
        "feeds": {one.feed: _facts(one) for one in outcome.feeds},
        "dead_letters": [letter_facts(letter) for letter in outcome.dead],
        "machine": outcome.health.measures,
    }
    return Answer(facts, lambda: _show(outcome), status=1 if outcome.dead else 0)


def _feeds(home: Home, name: str | None) -> Sequence[FeedSpec]:
    feeds = chosen_feeds(home, name)
    if name is not None:
        return feeds
    if not (found := api_feeds(feeds)):
        raise InputError(f"no feed of the production {home.production.code} has an API")
    return found


def _facts(one: FeedPull) -> Mapping[str, object]:
    return {
        "pages": one.pages,
        "items": one.items,
        "complete": [str(window) for window in one.complete],
        "left_alone": [str(window) for window in one.left_alone],
        "resumed": one.resumed,
        "vendor": one.vendor,
        "down": one.down,
        "requests": one.traffic.requests,
        "retries": one.traffic.retries,
        "bytes": one.traffic.bytes,
        "troubles": {str(trouble): count for trouble, count in sorted(one.traffic.troubles.items())},
    }


def letter_facts(letter: DeadLetter) -> Mapping[str, object]:
    """Return what is told of a page that could not be had."""
    return {
        "id": letter.id,
        "code": EXHAUSTED,
        "feed": letter.feed,
        "first": letter.first,
        "last": letter.last,
        "page": letter.page,
        "error": letter.error,
        "detail": letter.detail,
        "request": letter.request,
        "status": letter.status,
        "response_headers": letter.response_headers,
        "response": letter.response,
        "response_size": letter.response_size,
        "attempts": letter.attempts,
        "first_seen": letter.first_seen,
        "last_seen": letter.last_seen,
    }


def _show(outcome: Pull) -> None:
    columns = ["feed", "pages", "items", "windows", "left alone", "resumed", "missing", "requests", "retries"]
    rows = [
        (
            one.feed,
            one.pages,
            one.items,
            len(one.complete),
            len(one.left_alone),
            one.resumed,
            len(one.dead),
            one.traffic.requests,
            one.traffic.retries,
        )
        for one in outcome.feeds
    ]
    show_table("Pulled", columns, rows)
    show_letters(outcome.dead)


def show_letters(letters: Sequence[DeadLetter]) -> None:
    """Show pages that could not be had, if there are any, and what can be done."""
    if not letters:
        return
    reason = CATALOGUE[EXHAUSTED]
    names = ("feed", "first", "last", "page", "error", "detail", "attempts", "first_seen")
    rows = [[getattr(letter, name) for name in names] for letter in letters]
    show_table(f"{reason.code}: {reason.meaning}", [name.replace("_", " ") for name in names], rows)
    say(
        "Replay them with `showcost pull --dead`. Until they come, `showcost run` lets the last good delivery"
        " stand, or else the vendor's terms, where there are any, apart from the ledger."
    )
