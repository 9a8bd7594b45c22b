"""Run requests for due work: one run per stretch of near dates, and again, after a pause, while it stays due.

What is due is computed from stored data, so a request that came to nothing is made again: after a run that
failed, was killed or terminated, or when a closed period was reopened. The pause doubles with each attempt on
the same inputs, up to an hour; until then a tick names what is still due. What a run is working on is not
requested a second time, so the requests have no run keys: Dagster would never run a key again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from showcost.components import naming
from showcost.components.run_scopes import DATES_TAG, FEEDS_TAG, RunScope
from showcost.core.hashing import sha256_framed
from showcost.pipeline.due import NEAR_DAYS, stretches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from showcost.config.feed import FeedSpec

_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_DOUBLINGS: Final = 6
_KEY_DIGITS: Final = 12
_NAMED: Final = 5
"""Items of work that a message names."""


@dataclass(frozen=True)
class Work:
    """Due work of a feed: a date, or if `day` is None its undated rows or its deliveries (`what`).

    `mark` is a hash of the inputs. Work without a feed is of the whole production: its reports.
    """

    feed: str
    what: str
    day: date | None
    mark: str

    @classmethod
    def of(cls, feed: str, what: str, day: date | None, inputs: Iterable[str]) -> Work:
        """Return work with the mark of its inputs."""
        return cls(feed, what, day, sha256_framed(inputs)[:_KEY_DIGITS])

    @property
    def name(self) -> str:
        """The name of the work: feed and date, or feed and what."""
        return f"{self.feed} {self.day or self.what}".strip()


@dataclass(frozen=True)
class _Attempt:
    """The requests of some work so far: the mark of its inputs, their number, and the time of the last."""

    mark: str
    tries: int
    at: datetime

    @property
    def next_at(self) -> datetime:
        """The time from which the work is requested again if it is still due."""
        doubled: timedelta = _FIRST_PAUSE * (1 << min(self.tries - 1, _DOUBLINGS))
        return self.at + min(doubled, _LONGEST_PAUSE)


@dataclass
class Attempts:
    """The requests of a sensor for work that is still due; kept in its cursor."""

    now: datetime
    _by_name: dict[str, _Attempt] = field(default_factory=dict)
    _kept: set[str] = field(default_factory=set)

    @classmethod
    def from_cursor(cls, cursor: str | None, now: datetime) -> Attempts:
        """Return the requests that a cursor has; none for a cursor of another form."""
        try:
            stored = json.loads(cursor or "{}")
            return cls(
                now,
                {
                    name: _Attempt(str(mark), int(tries), datetime.fromisoformat(at))
                    for name, (mark, tries, at) in stored.get("attempts", {}).items()
                },
            )
        except (ValueError, TypeError, AttributeError):
            return cls(now)

    def waits_until(self, work: Work) -> datetime | None:
        """Return the time until which work that is due again has to wait; None if it can be requested."""
        self._kept.add(work.name)
        last = self._by_name.get(work.name)
        if last is None or last.mark != work.mark or last.next_at <= self.now:
            return None
        return last.next_at

    def request(self, work: Work) -> None:
        """Note a request."""
        self._kept.add(work.name)
        self._by_name[work.name] = _Attempt(work.mark, self.tries(work) + 1, self.now)

    def keep(self, names: Iterable[str]) -> None:
        """Keep the requests for work that is still due, also while a run does it: it may come to nothing."""
        self._kept.update(names)

    def tries(self, work: Work) -> int:
        """Return the number of requests for the same inputs so far."""
        last = self._by_name.get(work.name)
        return last.tries if last is not None and last.mark == work.mark else 0

    def cursor(self) -> str:
        """Return the cursor: the requests for work that was due in this tick."""
        kept = {
            name: [last.mark, last.tries, last.at.isoformat()]
            for name, last in sorted(self._by_name.items())
            if name in self._kept
        }
        return json.dumps({"attempts": kept})


def not_under_way(
    runs: Sequence[dg.DagsterRun], work: Sequence[Work], feeds: Mapping[str, FeedSpec]
) -> list[Work]:
    """Return the work that none of the runs under way is doing, or about to do."""
    scopes = [RunScope.of(run) for run in runs]
    return [
        item
        for item in work
        if not any(scope.covers(_asset_of(item, feeds[item.feed]), item.day) for scope in scopes)
    ]


def _asset_of(work: Work, feed: FeedSpec) -> str:
    if work.day is not None:
        return naming.ledger_key(feed).to_user_string()
    key = naming.deliveries_key if work.what == naming.DELIVERIES else naming.undated_key
    return key(feed.name).to_user_string()


@dataclass(frozen=True)
class Chosen:
    """The work to request now, and sentences about what has to wait."""

    work: tuple[Work, ...]
    waiting: tuple[str, ...]


def choose(attempts: Attempts, work: Sequence[Work]) -> Chosen:
    """Divide work into what can be requested now and what waits for the end of its pause."""
    ready, waiting = [], []
    for item in work:
        until = attempts.waits_until(item)
        if until is None:
            ready.append(item)
        else:
            count = attempts.tries(item)
            runs = f"{count} run{'s' * (count != 1)}"
            waiting.append(f"{item.name}: still due after {runs}, next at {until:%H:%M} UTC")
    return Chosen(tuple(ready), tuple(waiting))


def dated_requests(
    attempts: Attempts, work: Sequence[Work], feeds: Mapping[str, FeedSpec]
) -> Iterator[dg.RunRequest]:
    """Yield a run for each stretch of near dates, with the feeds that are due in it.

    Undated rows go with the first run, or have one of their own.
    """
    for item in work:
        attempts.request(item)
    undated = [item for item in work if item.day is None]
    by_day: dict[date, list[Work]] = {}
    for item in work:
        if item.day is not None:
            by_day.setdefault(item.day, []).append(item)
    for number, (first, last) in enumerate(stretches(sorted(by_day), NEAR_DAYS)):
        within = [item for day, items in sorted(by_day.items()) if first <= day <= last for item in items]
        loose = undated if number == 0 else []
        names = sorted({item.feed for item in within})
        yield range_request(
            [*naming.dated_keys_of([feeds[name] for name in names]), *_undated_keys(loose)],
            (first, last),
            {FEEDS_TAG: " ".join(names)},
        )
    if undated and not by_day:
        yield dg.RunRequest(
            asset_selection=[*_undated_keys(undated), naming.QUEUE],
            tags={FEEDS_TAG: " ".join(sorted(item.feed for item in undated))},
        )


def _undated_keys(work: Sequence[Work]) -> list[dg.AssetKey]:
    return [naming.undated_key(name) for name in sorted({item.feed for item in work})]


def range_request(
    assets: Sequence[dg.AssetKey], span: tuple[date, date], tags: Mapping[str, str]
) -> dg.RunRequest:
    """Return the request of one run over a range of dates, to the ledger and the queue."""
    first, last = (day.isoformat() for day in span)
    return dg.RunRequest(
        asset_selection=[naming.FX_SNAPSHOTS, *assets, naming.LEDGER_ENTRIES, naming.QUEUE],
        tags={
            naming.RANGE_START: first,
            naming.RANGE_END: last,
            DATES_TAG: first if first == last else f"{first} to {last}",
            **tags,
        },
    )


def shortened(sentences: Collection[str]) -> str:
    """Return sentences as one text, the first of many."""
    listed = list(sentences)
    more = [f"{len(listed) - _NAMED} more"] if len(listed) > _NAMED else []
    return "; ".join([*listed[:_NAMED], *more])
