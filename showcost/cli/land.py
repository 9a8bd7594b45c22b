"""`showcost land`: land the inbox and list the deliveries and transaction dates touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.options import chosen_feeds, feed_option
from showcost.cli.output import Answer, answers, say, show_table
from showcost.config.feeds import load_feeds
from showcost.config.home import Home, open_home
from showcost.ingest.inbox import unclaimed
from showcost.ingest.landing import LandedDelivery, Landing
from showcost.ingest.landing import land as land_feed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@click.command()
@feed_option
@answers
def land(feed_name: str | None) -> Answer:
    """Land what is in the inbox: store it, read it, and say which transaction dates it touches."""
    return land_answer(open_home(), feed_name)


def land_answer(home: Home, feed_name: str | None = None) -> Answer:
    """Land the feeds and return what came of it."""
    feeds = chosen_feeds(home, feed_name)
    landings = [land_feed(home, feed) for feed in feeds]
    left = unclaimed(home.inbox, load_feeds(home.production.code))
    facts = {
        "deliveries": [_delivery(one) for landing in landings for one in landing.read],
        "delivered_again": {landing.feed: landing.again for landing in landings if landing.again},
        "still_changing": {landing.feed: landing.changing for landing in landings if landing.changing},
        "unclaimed": left,
        "dates_touched": {landing.feed: landing.touched for landing in landings if landing.touched},
    }
    return Answer(facts, lambda: _show_landing(landings, left))


def _delivery(one: LandedDelivery) -> Mapping[str, object]:
    return {
        "feed": one.arrival.feed,
        "arrival": one.arrival.number,
        "delivery": one.arrival.delivery,
        "name": one.arrival.name,
        "received": one.summary.received,
        "undated": one.summary.undated,
        "refused": one.summary.refused,
        "detail": one.summary.detail,
        "dates": {str(day): rows for day, rows in one.summary.dates.items()},
        "dialect": one.summary.dialect,
        "columns": one.summary.columns,
        "shapes": one.summary.shapes,
    }


def _show_landing(landings: Sequence[Landing], left: Sequence[str]) -> None:
    rows = [
        (
            landing.feed,
            one.arrival.name,
            one.summary.received,
            one.summary.undated,
            _dates(one),
            one.summary.refused,
        )
        for landing in landings
        for one in landing.read
    ]
    if rows:
        columns = ["feed", "file", "rows", "undated", "transaction dates", "refused"]
        show_table("Landed", columns, rows)
    else:
        say("Nothing new in the inbox.")
    for landing in landings:
        for one in landing.read:
            if one.summary.refused:
                why = f"{one.summary.refused}: {one.summary.detail}"
                say(f"{landing.feed}: {one.arrival.name} is refused, {why}")
        for name in landing.again:
            say(f"{landing.feed}: {name} was delivered before, byte for byte; nothing to do")
        for name in landing.changing:
            say(f"{landing.feed}: {name} is still being written; it will be taken next time")
    for name in left:
        say(f"no feed takes {name}")


def _dates(one: LandedDelivery) -> str:
    days = sorted(one.summary.dates)
    if not days:
        return ""
    return f"{days[0]} to {days[-1]} ({len(days)})" if len(days) > 1 else str(days[0])
