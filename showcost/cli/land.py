"""`showcost land`: land the inbox and list the deliveries and transaction dates touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.control_totals import control_total_facts, say_control_totals
from showcost.cli.home import open_home
from showcost.cli.options import chosen_feeds, feed_option
from showcost.cli.output import CommandResult, plural, prints_result, say, show_table
from showcost.core.errors import InputError, IntegrityError
from showcost.ingest.inbox import passed_over, unclaimed
from showcost.ingest.landing import LandedDelivery, Landing
from showcost.ingest.landing import land as land_feed
from showcost.pipeline.control_totals import unconfirmed_totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace


@click.command()
@feed_option
@prints_result
def land(feed_name: str | None) -> CommandResult:
    """Land the inbox: store and read new deliveries, and list the transaction dates they touch."""
    return land_result(open_home(), feed_name)


def land_result(workspace: Workspace, feed_name: str | None = None) -> CommandResult:
    """Land the feeds and return the result."""
    feeds = chosen_feeds(workspace, feed_name)
    landings, failed = _land_each(workspace, feeds)
    feeds = [feed for feed in feeds if feed.name not in failed]
    left = passed_over(workspace.inbox)
    unmatched = unclaimed(workspace.inbox, workspace.feeds)
    unconfirmed = {
        feed.name: unconfirmed_totals(workspace, feed, landing.read)
        for feed, landing in zip(feeds, landings, strict=True)
    }
    facts = {
        "deliveries": [_delivery(delivery) for landing in landings for delivery in landing.read],
        "delivered_again": {landing.feed: landing.again for landing in landings if landing.again},
        "still_changing": {landing.feed: landing.changing for landing in landings if landing.changing},
        "unclaimed": unmatched,
        "passed_over": left,
        "failed": failed,
        "control_totals": {
            name: control_total_facts(totals) for name, totals in unconfirmed.items() if totals
        },
        "dates_touched": {landing.feed: landing.touched for landing in landings if landing.touched},
    }

    def show() -> None:
        _show_landing(landings, unmatched)
        for sentence in left:
            say(f"passed over: {sentence}")
        for name, sentence in failed.items():
            say(f"{name}: not landed as a whole: {sentence}", to_stderr=True)
        for name, totals in unconfirmed.items():
            say_control_totals(name, totals)

    return CommandResult(facts, show, status=1 if failed else 0)


def _land_each(workspace: Workspace, feeds: Sequence[FeedSpec]) -> tuple[list[Landing], dict[str, str]]:
    """Land each feed; return the landings, and the sentences of the feeds that could not be landed.

    What is wrong with one feed holds up no other. A full disk or a failed fsync ends the command.
    """
    landings, failed = [], {}
    for feed in feeds:
        try:
            landings.append(land_feed(workspace, feed, _say_waiting))
        except (InputError, IntegrityError) as error:
            failed[feed.name] = str(error)
    return landings, failed


def _say_waiting(names: Sequence[str], seconds: int) -> None:
    say(f"waiting {seconds} s for {', '.join(names)}: just written", to_stderr=True)


def _delivery(delivery: LandedDelivery) -> Mapping[str, object]:
    return {
        "feed": delivery.arrival.feed,
        "arrival": delivery.arrival.number,
        "delivery": delivery.arrival.delivery,
        "name": delivery.shown_name,
        "received": delivery.summary.received,
        "undated": delivery.summary.undated,
        "subtotals": delivery.summary.subtotals,
        "refused": delivery.summary.refused,
        "detail": delivery.summary.detail,
        "dates": {str(day): rows for day, rows in delivery.summary.dates.items()},
        "dialect": delivery.summary.dialect,
        "columns": delivery.summary.columns,
        "shapes": delivery.summary.shapes,
        "notes": delivery.summary.notes,
    }


def _show_landing(landings: Sequence[Landing], unmatched: Sequence[str]) -> None:
    rows = [
        (
            landing.feed,
            delivery.shown_name,
            delivery.summary.received,
            delivery.summary.undated,
            _dates(delivery),
            delivery.summary.refused,
        )
        for landing in landings
        for delivery in landing.read
    ]
    if rows:
        columns = ["feed", "file", "rows", "undated", "transaction dates", "refused"]
        show_table("Landed", columns, rows)
    else:
        say("No new deliveries in the inbox.")
    for landing in landings:
        for delivery in landing.read:
            if delivery.summary.refused:
                reason = f"{delivery.summary.refused}: {delivery.summary.detail}"
                say(f"{landing.feed}: {delivery.shown_name} refused, {reason}")
            if delivery.summary.subtotals:
                left_out = plural(delivery.summary.subtotals, "subtotal line")
                say(f"{landing.feed}: {delivery.shown_name} has {left_out}, not counted as rows")
            for note in delivery.summary.notes:
                say(f"{landing.feed}: {delivery.shown_name}: {note}")
        for name in landing.again:
            say(f"{landing.feed}: {name} is byte-identical to an earlier delivery; skipped")
        for name in landing.changing:
            state = "is still being written or not yet marked as done"
            say(f"{landing.feed}: {name} {state}; it will be landed next time")
    for name in unmatched:
        say(f"{name}: no feed matches this file")


def _dates(delivery: LandedDelivery) -> str:
    days = sorted(delivery.summary.dates)
    if not days:
        return ""
    return f"{days[0]} to {days[-1]} ({len(days)})" if len(days) > 1 else str(days[0])
