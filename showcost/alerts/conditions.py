"""Conditions of the data folder that are alerts.

Late feeds, stuck dates, an old queue, missing rates and pages, and a verification that failed or is overdue.
A feed that cannot be looked at is an alert of its own and hides none of another feed.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from showcost.alerts.alert import Alert
from showcost.checks.nightly import last_verification, last_verified, unsent_heads
from showcost.core.errors import CheckFailedError, ShowcostError, StoreBusyError
from showcost.ingest.landing import unlanded
from showcost.pipeline.due_now import FeedDue, due_now
from showcost.pipeline.vendor_pulls import missing_pages
from showcost.reconciliation.queue import QueueFilter, RowState, queue_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from showcost.alerts.state import AlertState
    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace

_NAMED: Final = 5
_DAY: Final = timedelta(days=1)
_OPEN: Final = QueueFilter(states=(RowState.OPEN, RowState.DECIDED))
_QUEUES: dict[Path, tuple[str, Counter[tuple[str, datetime]]]] = {}
"""Per data folder, the head of its audit log and the open rows then, by feed and time of arrival."""


class DataConditions:
    """The alerts of a data folder at a time; `due` are the due dates per feed, known after `alerts`."""

    def __init__(self, workspace: Workspace, state: AlertState, now: datetime) -> None:
        self._workspace, self._state, self._now = workspace, state, now
        self._policy = workspace.production.alerts
        self._today = now.astimezone(ZoneInfo(workspace.production.timezone)).date()
        self.due: dict[str, set[date]] = {}
        self.unlanded: set[str] = set()
        self._known: Mapping[str, FeedDue] = {}

    def alerts(self) -> list[Alert]:
        """Return the alerts, those of each feed together. Raises StoreBusyError if others hold the ledger."""
        found: list[Alert] = []
        self._known = due_now(self._workspace).feeds
        for feed in self._workspace.feeds:
            found += self._of_feed(feed)
        found += self._guarded("queue", "the reconciliation queue", self._queue)
        found += self._guarded("rates", "the rates", self._rates)
        found += self._guarded("verification", "the verification", self._verification)
        return found

    def _of_feed(self, feed: FeedSpec) -> Iterator[Alert]:
        yield from self._guarded(feed.name, feed.name, lambda: self._stuck(feed))
        yield from self._guarded(feed.name, feed.name, lambda: self._silent(feed))
        if feed.api is not None:
            yield from self._guarded(feed.name, feed.name, lambda: self._missing_pages(feed))

    def _guarded(self, name: str, what: str, find: Callable[[], Iterator[Alert]]) -> list[Alert]:
        """Return alerts, or one that says that they cannot be found."""
        try:
            return list(find())
        except StoreBusyError:
            raise
        except (ShowcostError, OSError, ValueError) as error:
            key = f"unreadable {name}"
            kind = type(error).__name__
            return [
                Alert(
                    *("unreadable", (key,), f"{what} cannot be looked at ({kind})", what),
                    self._state.seen(key, self._now),
                    "run `showcost status` and `showcost verify` on the machine: they name the file",
                )
            ]

    def _stuck(self, feed: FeedSpec) -> Iterator[Alert]:
        known = self._known[feed.name]
        if known.problem is not None:
            raise CheckFailedError(known.problem)
        limit = timedelta(hours=self._policy.stuck_hours)
        found = unlanded(self._workspace, feed, known.unread)
        waiting = {
            f"file {feed.name} {name}": name for name in (*found.files, *found.deliveries, *found.changing)
        }
        if waiting:
            self.unlanded.add(feed.name)
        since = {key: self._state.seen(key, self._now) for key in waiting}
        late = sorted(key for key, at in since.items() if self._now - at >= limit)
        if late:
            yield Alert(
                # Names of files are a sender's: they are not sent.
                *(
                    "stuck",
                    (f"files {feed.name} {len(late)}",),
                    f"{_count(late, 'file')} of {feed.name} not landed",
                ),
                f"inbox of {feed.name}",
                min(since[key] for key in late),
                "look at the last run of deliveries_" + feed.name + " in the UI, or run `showcost land`",
            )
        dates = self._workspace.production.dates
        self.due[feed.name] = {day for day in known.dates if day <= self._today and day in dates}
        keys = {f"due {feed.name} {day}": str(day) for day in sorted(self.due[feed.name])}
        if known.undated is not None:
            keys[f"due {feed.name} undated"] = "undated rows"
        since = {key: self._state.seen(key, self._now) for key in keys}
        late = [key for key in keys if self._now - since[key] >= limit]
        if late:
            yield Alert(
                *("stuck", tuple(late), f"{_count(late, 'date')} of {feed.name} due and not posted"),
                listed([keys[key] for key in late]),
                min(since[key] for key in late),
                "look at the ticks of the sensor `inbox` and the last run of these dates in the UI, or run "
                "`showcost run`",
            )

    def _silent(self, feed: FeedSpec) -> Iterator[Alert]:
        if feed.expected_every_days is None:
            return
        dates = self._workspace.production.dates
        span = feed.expected_every_days * _DAY
        zone = ZoneInfo(self._workspace.production.timezone)
        arrivals = self._workspace.register.deliveries(feed.name)
        last = max((datetime.fromisoformat(arrival.received_at) for arrival in arrivals), default=None)
        since = last.astimezone(zone).date() if last is not None else dates.start - _DAY
        expected = since + span
        if expected < self._today <= dates.end + span and expected <= dates.end:
            heard = "none yet" if last is None else f"the last one came on {since}"
            yield Alert(
                *("missing_feed", (f"silent {feed.name} {expected}",)),
                f"no delivery of {feed.name}: {heard}",
                f"one is expected every {feed.expected_every_days} days",
                datetime(expected.year, expected.month, expected.day, tzinfo=zone).astimezone(UTC) + _DAY,
                "ask the sender, and look for the file in other folders of the inbox",
            )

    def _missing_pages(self, feed: FeedSpec) -> Iterator[Alert]:
        limit = timedelta(hours=self._policy.vendor_hours)
        letters = missing_pages(self._workspace, feed)
        since = min((datetime.fromisoformat(letter.first_seen) for letter in letters), default=self._now)
        if self._now - since < limit or not letters:
            return
        causes = sorted({letter.error for letter in letters})
        first, last = min(letter.first for letter in letters), max(letter.last for letter in letters)
        yield Alert(
            *("missing_pages", tuple(f"pages {feed.name} {letter.id}" for letter in letters)),
            f"{_count(letters, 'page')} of {feed.name} missing: {listed(causes)}",
            f"dates {first} to {last}",
            since,
            "see “A vendor that is unavailable” in docs/runbook.md; then `showcost pull --dead-letters`",
        )

    def _queue(self) -> Iterator[Alert]:
        limit = self._policy.queue_days * _DAY
        old: dict[str, list[datetime]] = {}
        for (feed, received), rows in self._open_rows().items():
            if self._now - received > limit:
                old.setdefault(feed, []).extend([received] * rows)
        for feed, times in sorted(old.items()):
            yield Alert(
                *("old_queue", (f"queue {feed}",)),
                f"{_count(times, 'row')} of {feed} in the queue for more than {self._policy.queue_days} days",
                "reconciliation queue",
                min(times),
                f"decide on them: `showcost queue list --feed {feed}`",
            )

    def _open_rows(self) -> Counter[tuple[str, datetime]]:
        """Return the open rows by feed and arrival; only records of the audit log change them."""
        head = self._workspace.audit.head().hash
        known = _QUEUES.get(self._workspace.path)
        if known is None or known[0] != head:
            rows = queue_rows(self._workspace, self._workspace.feeds, _OPEN)
            known = head, Counter((row.place.feed, row.received_at) for row in rows)
            _QUEUES[self._workspace.path] = known
        return known[1]

    def _rates(self) -> Iterator[Alert]:
        waiting = Counter(
            day
            for feed in self._known.values()
            for day in feed.waiting
            if self._today - day > self._policy.rate_days * _DAY
        )
        if not waiting:
            return
        first = min(waiting)
        yield Alert(
            *("missing_rate", tuple(f"rate {day}" for day in sorted(waiting))),
            f"no rate for {_count(sorted(waiting), 'date')} with rows that wait for it",
            listed([str(day) for day in sorted(waiting)]),
            datetime(first.year, first.month, first.day, tzinfo=UTC),
            "import a rate file: `showcost fx import FILE`; or see if the ECB is reachable from here",
        )

    def _verification(self) -> Iterator[Alert]:
        last = last_verification(self._workspace)
        if last is not None and last.differing:
            yield Alert(
                *("verification", (f"differs {last.at.isoformat()}",)),
                f"the verification found differences: {listed(list(last.differing))}",
                f"audit record {last.seq}",
                last.at,
                "stop, run `showcost verify` to see them, and restore ledger and audit log (docs/runbook.md)",
            )
        good = last_verified(self._workspace)
        head = self._workspace.audit.head()
        if head.seq:
            since = good.at if good is not None else self._workspace.audit.time_as_of(1)
            if self._now - since > self._policy.verify_days * _DAY:
                yield Alert(
                    *("verification", ("overdue",)),
                    "the ledger was not verified" + (" since" if good is not None else ""),
                    "schedule `nightly`, asset `verification`",
                    since,
                    "turn the schedule `nightly` on and look at its last run, or run `showcost verify`",
                )
        for unsent in unsent_heads(self._workspace):
            yield Alert(
                *("head", (f"head {unsent.target}",)),
                f"the head of the audit log was not sent to {unsent.target}",
                f"production.yaml, verification: {unsent.reason}",
                unsent.at,
                "correct `verification` in production.yaml or the target; the next night sends the head",
            )


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'s' * (len(items) != 1)}"


def listed(texts: Sequence[str]) -> str:
    """Return texts as one, the first of many."""
    more = [f"{len(texts) - _NAMED} more"] if len(texts) > _NAMED else []
    return ", ".join([*texts[:_NAMED], *more])
