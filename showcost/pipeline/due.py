"""Due partitions: their inputs changed, their last run did not finish, or a missing rate is now available.

Also dates of vendors' missing windows whose accrual is to be made or released.

Computed from stored data, not from events: a request that was lost in a crash is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from showcost.fx.snapshot_plan import RateStatus, build_snapshots
from showcost.ingest.landing import LandedDelivery, landed
from showcost.ledger.decisions import decision_effects
from showcost.ledger.queries import active_rows_by_feed, reversible_by_feed
from showcost.pipeline.accruals import due_by_fallback
from showcost.pipeline.applied_decisions import apply_decisions
from showcost.pipeline.decision_stamps import stamps_by_partition
from showcost.pipeline.fx_snapshots import jumped_rates, rate_states
from showcost.pipeline.periods import closed_on, closed_periods_in
from showcost.pipeline.rate_files import stored_history
from showcost.pipeline.raw_rows import records_of
from showcost.pipeline.rivals import are_outdated
from showcost.pipeline.unposted import unposted_dates
from showcost.pipeline.validation import RATE_JUMPED, RATE_MISSING, texts_of
from showcost.staging import ALL, StagedPartition, StagingStore
from showcost.staging.assets import quarantine_asset, raw_asset, undated_asset, valid_asset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from showcost.config.feed import FeedSpec
    from showcost.config.production import ClosedPeriod
    from showcost.workspace import Workspace


_THERE: Final = frozenset({RateStatus.OK.value, RateStatus.JUMPED.value})
"""The states of a rate that is pinned."""

NEAR_DAYS: Final = 7
"""Days between due dates that share a run: a run over a few empty dates costs less than a second run."""


@dataclass(frozen=True)
class DueSpan:
    """Dates from `first` to `last` for one run, and the names of the feeds that are due on some of them."""

    first: date
    last: date
    feeds: frozenset[str]


@dataclass(frozen=True)
class DuePartitions:
    """Due partitions of a feed: dates, each with the hashes of its records and its decision stamps.

    `undated` are the same inputs of the undated rows, None when they are current.
    """

    feed: str
    dates: dict[date, Sequence[str]]
    undated: Sequence[str] | None


@dataclass(frozen=True)
class LedgerState:
    """Ledger content about feeds, read at once: opening the file takes longer than the queries.

    `active` and `reversible` are the numbers of rows per feed and date with active entries or plan lines, and
    of those to be reversed; `effects` are those of all decisions.
    """

    active: Mapping[str, Mapping[date, int]]
    reversible: Mapping[str, Mapping[date, int]]
    closed: Sequence[ClosedPeriod]
    effects: pa.Table


def ledger_state(workspace: Workspace, feeds: Sequence[FeedSpec]) -> LedgerState:
    """Read the ledger for `due_by_landing` and `has_rows`."""
    names = [feed.name for feed in feeds]
    with workspace.ledger.read() as connection:
        return LedgerState(
            active_rows_by_feed(connection, names),
            reversible_by_feed(connection, names),
            closed_periods_in(workspace, connection),
            decision_effects(connection),
        )


def due_by_landing(workspace: Workspace, feed: FeedSpec, state: LedgerState | None = None) -> DuePartitions:
    """Return the partitions whose landed records or decisions have not passed every step yet."""
    state = state or ledger_state(workspace, [feed])
    store = workspace.staging
    deliveries = landed(workspace, feed)
    unposted = unposted_dates(workspace, feed, state.active[feed.name])
    rows = _LedgerRows(unposted, state.reversible[feed.name])
    materialised = _Materialised(store, feed, rows, state.closed, partial(are_outdated, workspace))
    decisions = apply_decisions(workspace, feed, state.effects)
    stamps = stamps_by_partition(workspace, feed, decisions, state.effects)
    days = _dates_with_rows(workspace, feed, deliveries) | materialised.rows.reversible.keys()
    days |= {date.fromisoformat(part) for part in stamps if part != ALL}
    dates: dict[date, Sequence[str]] = {}
    for day in sorted(days):
        records, decided = records_of(deliveries, day), stamps.get(day.isoformat(), [])
        if not materialised.is_current(day, records, decided):
            dates[day] = [*records, *decided]
    undated = [delivery.records for delivery in deliveries if delivery.summary.undated]
    staged = store.metadata(undated_asset(feed.name), ALL)
    current = _input_texts(staged, "records"), _input_texts(staged, "decisions")
    decided = stamps.get(ALL, [])
    return DuePartitions(feed.name, dates, [*undated, *decided] if (undated, decided) != current else None)


def has_rows(workspace: Workspace, feed: FeedSpec, first: date, last: date, state: LedgerState) -> bool:
    """Return whether a feed has landed, staged, corrected or reversible rows on a date of the range."""
    days = _dates_with_rows(workspace, feed, landed(workspace, feed))
    if any(first <= day <= last for day in days):
        return True
    decisions = apply_decisions(workspace, feed, state.effects)
    stamps = stamps_by_partition(workspace, feed, decisions, state.effects)
    others = {date.fromisoformat(part) for part in stamps if part != ALL}
    others |= state.reversible[feed.name].keys()
    return any(first <= day <= last for day in others)


def _dates_with_rows(workspace: Workspace, feed: FeedSpec, deliveries: Sequence[LandedDelivery]) -> set[date]:
    landed_dates = {day for delivery in deliveries for day in delivery.summary.dates}
    return landed_dates | _staged_dates(workspace.staging, feed)


@dataclass(frozen=True)
class _LedgerRows:
    """A feed's rows in the ledger and in staging.

    `unposted` are the dates with staged valid rows that are not posted, `reversible` the number of rows that
    are to be reversed per date.
    """

    unposted: set[date]
    reversible: Mapping[date, int]


@dataclass(frozen=True)
class _Materialised:
    """Staged and posted rows of a feed, to tell which dates passed every step."""

    store: StagingStore
    feed: FeedSpec
    rows: _LedgerRows
    closed: Sequence[ClosedPeriod]
    are_outdated: Callable[[Sequence[str]], bool]

    # Read once: each look into the index of an asset opens its file.
    @cached_property
    def _raw(self) -> Mapping[str, StagedPartition]:
        return self.store.current(raw_asset(self.feed.name))

    @cached_property
    def _valid(self) -> Mapping[str, StagedPartition]:
        return self.store.current(valid_asset(self.feed.name))

    @cached_property
    def _quarantine(self) -> Mapping[str, StagedPartition]:
        return self.store.current(quarantine_asset(self.feed.name))

    @cached_property
    def _attested(self) -> Mapping[str, set[str]]:
        assets = (valid_asset(self.feed.name), quarantine_asset(self.feed.name))
        return {asset: self.store.attested(asset) for asset in assets}

    def is_current(self, day: date, records: Sequence[str], decided: Sequence[str]) -> bool:
        """Return whether a date passed every step; False after a run that died between two steps."""
        key = day.isoformat()
        raw = self._raw.get(key)
        if raw is None:
            return not records and not decided and day not in self.rows.reversible
        valid, quarantine = self._valid.get(key), self._quarantine.get(key)
        if valid is None or quarantine is None or _input_texts(raw, "records") != records:
            return False
        return self._is_validated(raw, (valid, quarantine), day, decided) and self._is_posted(day)

    def _is_validated(
        self,
        raw: StagedPartition,
        outcomes: tuple[StagedPartition, StagedPartition],
        day: date,
        decided: Sequence[str],
    ) -> bool:
        """Return whether a date was validated from these raw rows, decisions, closed periods and rivals."""
        current = all(
            staged.inputs.get("raw") == raw.sha256
            and _input_texts(staged, "decisions") == decided
            and day.isoformat() in self._attested[staged.asset]
            for staged in outcomes
        )
        # Posted rows stay posted: closing or reopening a period only matters to the other rows.
        _, quarantine = outcomes
        return current and (
            not quarantine.rows
            or (
                _input_texts(quarantine, "closed") == closed_on(self.closed, day)
                and not self.are_outdated(_input_texts(quarantine, "rivals"))
            )
        )

    def _is_posted(self, day: date) -> bool:
        """Return whether all valid rows of a date are posted and all decided reversals are made."""
        return day not in self.rows.reversible and day not in self.rows.unposted


def due_by_rates(workspace: Workspace, feed: FeedSpec) -> list[date]:
    """Return the dates with rows whose rate is now in a stored rate file, was accepted, or was pinned.

    Rows that wait for a rate to be published, whose rate jumped, or that had none.
    """
    released = sorted({*_released_jumps(workspace, feed), *_found_rates(workspace, feed)})
    waiting = waiting_for_rates(workspace, feed)
    if not waiting:
        return released
    plan = build_snapshots(stored_history(workspace), waiting, workspace.production.fx.carry_days)
    return sorted({*plan.dates(RateStatus.OK), *released})


def _found_rates(workspace: Workspace, feed: FeedSpec) -> list[date]:
    """Return the dates with rows that had no rate, for which one was imported or pinned since."""
    held = _held_currencies(workspace.staging, feed, "unrated", RATE_MISSING)
    if not held:
        return []
    days = sorted(held)
    plan = build_snapshots(stored_history(workspace), days, workspace.production.fx.carry_days)
    # A date that is not pinned yet is pinned by its run.
    to_pin = set(plan.dates(RateStatus.OK))
    states = rate_states(workspace, days).select(["date", "currency", "status"]).to_pylist()
    return sorted(
        {
            row["date"]
            for row in states
            if row["currency"] in held[row["date"]]
            and (row["status"] in _THERE or (row["status"] == RateStatus.PENDING and row["date"] in to_pin))
        }
    )


def _released_jumps(workspace: Workspace, feed: FeedSpec) -> list[date]:
    """Return the dates with rows whose rate had jumped, and was accepted or repinned since."""
    held = _held_currencies(workspace.staging, feed, "jumped", RATE_JUMPED)
    if not held:
        return []
    blocked = jumped_rates(workspace, sorted(held))
    base = workspace.production.base_currency
    released = []
    for day, currencies in sorted(held.items()):
        names = {text.split(" ", 1)[0] for text in blocked.get(day, ())}
        if base not in names and currencies - names:
            released.append(day)
    return released


def _held_currencies(store: StagingStore, feed: FeedSpec, name: str, code: str) -> dict[date, set[str]]:
    """Return the currencies of the rows in quarantine with a code, by date; `name` counts them in staging."""
    asset = quarantine_asset(feed.name)
    held: dict[date, set[str]] = {}
    for part in _staged_with(store, asset, name):
        rows = store.read(asset, part).select(["currency", "codes"]).to_pylist()
        held[date.fromisoformat(part)] = {row["currency"] for row in rows if code in row["codes"]}
    return held


def due_spans(
    workspace: Workspace,
    feeds: Sequence[FeedSpec],
    most_days_between: int = NEAR_DAYS,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[DueSpan]:
    """Return the spans of dates with due partitions, ascending, each with the feeds that are due in it.

    Due dates that lie no more than `most_days_between` days apart share a span: a run over a few empty
    dates costs less than a second run. Future dates stay due. A run over any date makes the undated rows: if
    they alone are due, the span is the production's first date.
    """
    production = workspace.production
    today = clock().astimezone(ZoneInfo(production.timezone)).date()
    state = ledger_state(workspace, feeds)
    by_landing = {feed.name: due_by_landing(workspace, feed, state) for feed in feeds}
    days = {
        feed.name: {
            day
            for day in (
                *by_landing[feed.name].dates,
                *due_by_rates(workspace, feed),
                *due_by_fallback(workspace, feed),
            )
            if day <= today
        }
        for feed in feeds
    }
    undated = frozenset(name for name, due in by_landing.items() if due.undated is not None)
    spans = stretches(sorted(set[date]().union(*days.values())), most_days_between)
    if not spans and undated:
        spans = [(production.dates.start, production.dates.start)]
    return [
        DueSpan(
            *(first, last),
            undated.union(name for name, due in days.items() if any(first <= day <= last for day in due)),
        )
        for first, last in spans
    ]


def stretches(days: Iterable[date], most_days_between: int = 1) -> list[tuple[date, date]]:
    """Return ascending dates as (first, last) of stretches without gaps above `most_days_between` days."""
    spans: list[tuple[date, date]] = []
    for day in days:
        if spans and day - spans[-1][1] <= timedelta(days=most_days_between):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def waiting_for_rates(workspace: Workspace, feed: FeedSpec) -> list[date]:
    """Return the dates with rows that wait for a rate, ascending."""
    parts = _staged_with(workspace.staging, quarantine_asset(feed.name), "pending")
    return [date.fromisoformat(part) for part in parts]


def _staged_with(store: StagingStore, asset: str, name: str) -> list[str]:
    """Return the partitions of an asset with a number of rows under an input, ascending."""
    staged = store.current(asset)
    return [part for part in sorted(staged) if staged[part].inputs.get(name)]


def _staged_dates(store: StagingStore, feed: FeedSpec) -> set[date]:
    """Return the dates with staged raw rows, also those that no delivery has any more and must be emptied."""
    staged = store.current(raw_asset(feed.name))
    return {date.fromisoformat(part) for part, partition in staged.items() if partition.rows}


def _input_texts(staged: StagedPartition | None, name: str) -> list[str]:
    return texts_of(staged.inputs.get(name)) if staged is not None else []
