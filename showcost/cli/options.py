"""Options that several commands share."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from showcost.audit.log import parse_as_of
from showcost.config.feeds import choose_feed
from showcost.core.errors import InputError
from showcost.core.personal_numbers import refuse_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace

_DAY = click.DateTime(formats=["%Y-%m-%d"])

feed_option = click.option("--feed", "feed_name", help="Only this feed.")
from_option = click.option("--from", "first", type=_DAY, help="First transaction date, YYYY-MM-DD.")
to_option = click.option("--to", "last", type=_DAY, help="Last transaction date, YYYY-MM-DD.")
as_of_option = click.option(
    "--as-of",
    "as_of",
    help="As of a past moment: an audit record number, or a timestamp such as 2026-10-12T18:00:00+00:00.",
)


def _recorded(context: click.Context, parameter: click.Parameter, text: str) -> str:
    del context
    refuse_numbers(parameter.opts[0], text)
    return text


recorded_option = partial(click.option, callback=_recorded)
"""An option with a text that is kept for ever: it must have no national identifier, IBAN or card number."""


def resolve_as_of(workspace: Workspace, as_of: str | None) -> int | None:
    """Return the number of the last audit record to include; None for now."""
    return None if as_of is None else parse_as_of(workspace.audit, as_of)


_STORE: Final = frozenset({"raw", "staging", "audit", "inbox", "locks", "rates", "feeds", "dagster_home"})
"""The folders of a data folder that only showcost, or a sender, writes to."""


def check_target(workspace: Workspace, out: Path) -> None:
    """Raise InputError for a file or folder to write that is in a folder of the store."""
    target, home = out.resolve(), workspace.path.resolve()
    if target == home or (target.is_relative_to(home) and target.relative_to(home).parts[0] in _STORE):
        raise InputError(f"--out {out}: this is within the store of the data folder; name another place")


def chosen_feeds(workspace: Workspace, name: str | None) -> Sequence[FeedSpec]:
    """Return the feed of that name, or all feeds of the production. Raises InputError if there are none."""
    feeds = workspace.feeds
    if name is not None:
        return [choose_feed(feeds, name)]
    if not feeds:
        raise InputError(f"the production {workspace.production.code} has no feeds")
    return feeds


def span(workspace: Workspace, first: datetime | None, last: datetime | None) -> tuple[date, date]:
    """Return the date range, open ends filled from the production's dates. Raises InputError if reversed."""
    dates = workspace.production.dates
    start = first.date() if first else dates.start
    end = last.date() if last else dates.end
    if end < start:
        raise InputError(f"--to {end} is before --from {start}")
    return start, end


def days_between(first: date, last: date) -> list[date]:
    """Return all days from `first` to `last`, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
