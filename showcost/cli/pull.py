"""`showcost pull`: fetch feeds from vendor APIs, and list the pages that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.home import open_home
from showcost.cli.options import chosen_feeds, feed_option, from_option, span, to_option
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.config.feeds import api_feeds
from showcost.core.errors import InputError
from showcost.core.reason_catalogue import CATALOGUE
from showcost.vendor_api.dead_letters import EXHAUSTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from showcost.config.feed import FeedSpec
    from showcost.vendor_api.dead_letters import DeadLetter
    from showcost.vendor_api.pull import FeedPull, Pull
    from showcost.workspace import Workspace


@click.command()
@feed_option
@from_option
@to_option
@click.option("--again", is_flag=True, help="Refetch all pages, including complete windows.")
@click.option("--dead-letters", "dead_only", is_flag=True, help="Retry dead letters only.")
@click.option("--debug", is_flag=True, help="Log slow event-loop callbacks.")
@click.option("--trace-memory", "trace", is_flag=True, help="Trace Python memory allocations; slower.")
@prints_result
def pull(
    *,
    feed_name: str | None,
    first: datetime | None,
    last: datetime | None,
    again: bool,
    dead_only: bool,
    debug: bool,
    trace: bool,
) -> CommandResult:
    """Pull a range of dates from vendor APIs. Exit status 1 if any page is missing."""
    from showcost.vendor_api import pull as pulls  # noqa: PLC0415 -- slow to import: loads the HTTP client
    from showcost.vendor_api.pool import PoolSettings  # noqa: PLC0415 -- the same

    workspace = open_home()
    request = pulls.PullRequest(*span(workspace, first, last), again=again, dead_only=dead_only)
    outcome = pulls.pull(
        workspace, _feeds(workspace, feed_name), request, PoolSettings(debug=debug, trace=trace)
    )
    facts = {
        "feeds": {result.feed: _facts(result) for result in outcome.feeds},
        "dead_letters": [letter_facts(letter) for letter in outcome.dead],
        "machine": outcome.health.measures,
    }
    return CommandResult(facts, lambda: _show(outcome), status=1 if outcome.dead else 0)


def _feeds(workspace: Workspace, name: str | None) -> Sequence[FeedSpec]:
    feeds = chosen_feeds(workspace, name)
    if name is not None:
        return feeds
    if not (with_api := api_feeds(feeds)):
        raise InputError(f"the production {workspace.production.code} has no feed with an API")
    return with_api


def _facts(result: FeedPull) -> Mapping[str, object]:
    return {
        "pages": result.pages,
        "items": result.items,
        "complete": [str(window) for window in result.complete],
        "left_alone": [str(window) for window in result.skipped],
        "resumed": result.resumed,
        "vendor": result.vendor,
        "down": result.down,
        "requests": result.traffic.requests,
        "retries": result.traffic.retries,
        "bytes": result.traffic.bytes,
        "troubles": {str(trouble): count for trouble, count in sorted(result.traffic.failures.items())},
    }


def letter_facts(letter: DeadLetter) -> Mapping[str, object]:
    """Return a dead letter as JSON facts."""
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
    columns = ["feed", "pages", "items", "windows", "skipped", "resumed", "missing", "requests", "retries"]
    rows = [
        (
            result.feed,
            result.pages,
            result.items,
            len(result.complete),
            len(result.skipped),
            result.resumed,
            len(result.dead),
            result.traffic.requests,
            result.traffic.retries,
        )
        for result in outcome.feeds
    ]
    show_table("Pulled", columns, rows)
    show_letters(outcome.dead)


def show_letters(letters: Sequence[DeadLetter]) -> None:
    """Show missing pages, if any, and what to do about them."""
    if not letters:
        return
    reason = CATALOGUE[EXHAUSTED]
    names = ("feed", "first", "last", "page", "error", "detail", "attempts", "first_seen")
    rows = [[getattr(letter, name) for name in names] for letter in letters]
    show_table(f"{reason.code}: {reason.meaning}", [name.replace("_", " ") for name in names], rows)
    say(
        "Retry them with `showcost pull --dead-letters`. Until then `showcost run` uses the last good"
        " delivery, or a provisional accrual from the vendor's terms. Accruals are kept out of the ledger."
    )
