"""Due work of all feeds at once, remembered while the data folder is as it was.

Sensors look every minute, and nothing has changed most of the time. What is due follows from files:
settings, audit log, ledger, register, pulls, dead letters, staging indexes and rate files. While each has the
same size, times and place, and the date is the same, this process remembers the answer. When something has
changed, it reads on in the audit log and the staging indexes that it has read.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from showcost.core.errors import IntegrityError, ShowcostError, StoreBusyError
from showcost.ingest.landing import unread_deliveries
from showcost.pipeline.accruals import due_by_fallback
from showcost.pipeline.due import due_by_landing, due_by_rates, ledger_state, waiting_for_rates
from showcost.staging.index import NAME
from showcost.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from showcost.audit.log import Head
    from showcost.config.feed import FeedSpec
    from showcost.pipeline.due import LedgerState
    from showcost.workspace import Workspace

_FOLDERS: Final = ("", "audit", "raw", "raw/pulls", "raw/dead_letters", "rates")
_TREES: Final = ("agreements", "incentives", "feeds")
_MOST_FOLDERS: Final = 4
"""Data folders that a process remembers."""


@dataclass(frozen=True)
class FeedDue:
    """The due work of a feed.

    `unread` are hashes of deliveries to read; `dates` have the hashes of their inputs, `undated` those of
    the undated rows, None if they are current; `waiting` are dates with rows that wait for a rate, `released`
    those whose rate is there. `problem` says why the feed could not be looked at; None if it could.
    """

    unread: tuple[str, ...] = ()
    dates: Mapping[date, Sequence[str]] = field(default_factory=dict)
    undated: Sequence[str] | None = None
    waiting: tuple[date, ...] = ()
    released: tuple[date, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class DueNow:
    """The due work by feed, the last record of the audit log, and whether there is a ledger."""

    feeds: Mapping[str, FeedDue]
    head: Head
    has_ledger: bool


class _Remembered(NamedTuple):
    """The last look at a data folder: the marks of its files, the place of the folder, and the answer."""

    marks: object
    place: object
    workspace: Workspace
    due: DueNow


_REMEMBERED: OrderedDict[Path, _Remembered] = OrderedDict()


def due_now(workspace: Workspace, now: datetime | None = None) -> DueNow:
    """Return the due work of all feeds; a feed that cannot be looked at has a problem and hides no other.

    Raises StoreBusyError if another process holds the ledger.
    """
    zone = ZoneInfo(workspace.production.timezone)
    today = (now or datetime.now(UTC)).astimezone(zone).date()
    # Taken first: what changes meanwhile is looked at again.
    marks = (today, *_marks(workspace.path))
    remembered = _REMEMBERED.get(workspace.path)
    place = _place(workspace.path)
    if remembered is not None and remembered.marks == marks:
        return remembered.due
    _REMEMBERED.pop(workspace.path, None)
    if remembered is not None and remembered.place == place:
        # Otherwise the folder was put back from a copy.
        workspace.read_on(remembered.workspace)
        try:
            due = _look(workspace)
        except IntegrityError:
            # A copy may get the inodes of what it replaces.
            workspace = open_workspace(workspace.path, wait_seconds=workspace.wait_seconds)
            due = _look(workspace)
    else:
        due = _look(workspace)
    # After an error the next look reads everything anew.
    if all(feed.problem is None for feed in due.feeds.values()):
        _REMEMBERED[workspace.path] = _Remembered(marks, place, workspace, due)
        while len(_REMEMBERED) > _MOST_FOLDERS:
            _REMEMBERED.popitem(last=False)
    return due


def _look(workspace: Workspace) -> DueNow:
    state = ledger_state(workspace, workspace.feeds)
    head = workspace.audit.head()
    feeds = {feed.name: _of_feed(workspace, feed, state) for feed in workspace.feeds}
    return DueNow(feeds, head, workspace.ledger.exists())


def _place(home: Path) -> object:
    """Return the inodes of a data folder and its audit log: others, if it was put back from a copy."""
    return [path.stat().st_ino if path.exists() else 0 for path in (home, home / "audit" / "log.jsonl")]


def _of_feed(workspace: Workspace, feed: FeedSpec, state: LedgerState) -> FeedDue:
    try:
        landing = due_by_landing(workspace, feed, state)
        dates = {day: list(texts) for day, texts in landing.dates.items()}
        released = due_by_rates(workspace, feed)
        for day in released:
            dates.setdefault(day, []).append("a rate is there")
        for day in due_by_fallback(workspace, feed):
            dates.setdefault(day, []).append("an accrual is due")
        return FeedDue(
            unread_deliveries(workspace, feed),
            dates,
            landing.undated,
            tuple(waiting_for_rates(workspace, feed)),
            tuple(released),
        )
    except StoreBusyError:
        raise
    except ShowcostError as error:
        return FeedDue(problem=str(error))


def _marks(home: Path) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield name, size, times and place of the files that decide what is due."""
    for name in _FOLDERS:
        yield from _files_in(home / name)
    for name in _TREES:
        for folder, _, _ in os.walk(home / name):
            yield from _files_in(folder)
    # Data files of staging are many and never change; what counts is in an index beside them.
    for folder, folders, names in os.walk(home / "staging"):
        if NAME in names:
            folders.clear()
            about = os.stat(os.path.join(folder, NAME))  # noqa: PTH116, PTH118 - a Path takes longer
            yield folder, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino
        elif names:
            yield from _files_in(folder)


def _files_in(folder: Path | str) -> Iterator[tuple[str, int, int, int, int]]:
    try:
        with os.scandir(folder) as entries:
            files = sorted((entry for entry in entries if entry.is_file()), key=lambda entry: entry.name)
            for entry in files:
                about = entry.stat()
                yield entry.path, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino
    except FileNotFoundError:
        return
