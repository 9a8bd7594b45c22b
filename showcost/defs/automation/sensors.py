"""Sensors for the inbox and due dates, for rates that pending rows need, and for missing vendor pages.

A tick only looks: landing is a run as well, so that its checks run with it and a large file is not bound by
the time of a tick. A ledger that others hold for longer than a tick waits ends the tick with a sentence.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

import dagster as dg

from showcost.audit.log import Head
from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.components.run_scopes import FEEDS_TAG
from showcost.components.workers import end_lost_runs, runs_under_way
from showcost.config.feeds import api_feeds
from showcost.config.production import Production
from showcost.core.errors import ShowcostError
from showcost.defs.automation.requests import (
    Attempts,
    Work,
    choose,
    dated_requests,
    not_under_way,
    range_request,
    shortened,
)
from showcost.defs.automation.ticks import ends_with_a_sentence
from showcost.ingest.inbox import passed_over, unclaimed
from showcost.ingest.landing import unlanded
from showcost.pipeline.due import NEAR_DAYS, stretches
from showcost.pipeline.due_now import FeedDue, due_now
from showcost.pipeline.vendor_pulls import DuePull, due_retries
from showcost.workspace import Workspace, definitions_workspace, open_workspace, required_home

INBOX_SECONDS: Final = 60
RATES_SECONDS: Final = 900
MISSING_SECONDS: Final = 300
TICK_WAIT: Final = 15
"""Seconds that a tick waits for the ledger; Dagster ends a tick after 60."""

VENDOR_TAG: Final = "showcost/vendor"
"""Tag of the runs that pull from a vendor."""
AS_OF_TAG: Final = "showcost/as_of"
"""Tag of the runs that make the reports: the last audit record when they were requested."""
HEAD_TAG: Final = "showcost/head"
"""Tag of the runs that make the reports: the hash of that record."""
WORK_TAG: Final = "showcost/work"
"""Tag of a run without dates: what it is for."""

Tick = dg.SensorResult | dg.SkipReason


@dg.definitions
def sensors() -> dg.Definitions:
    """Build the sensors over the feeds of the production; the vendor sensor only if a feed has an API."""

    @dg.sensor(
        name="inbox",
        job_name=naming.JOB,
        minimum_interval_seconds=INBOX_SECONDS,
        description="Requests the landing of new files in the inbox, the dates that are due, late ones "
        "included, and then the reports. What stays due is requested again after a pause.",
    )
    def inbox(context: dg.SensorEvaluationContext) -> Tick:
        return watch_inbox(context, datetime.now(UTC))

    @dg.sensor(
        name="awaited_rates",
        job_name=naming.JOB,
        minimum_interval_seconds=RATES_SECONDS,
        description="Requests dates with rows that wait for a rate (SC-FX-001): once an imported file has "
        "it, or once an hour if the production may query the ECB.",
    )
    def awaited_rates(context: dg.SensorEvaluationContext) -> Tick:
        return release_rates(context, datetime.now(UTC))

    @dg.sensor(
        name="missing_windows",
        job_name=naming.JOB,
        minimum_interval_seconds=MISSING_SECONDS,
        description="Retries API pages that failed for a transient reason (SC-API-001), each vendor after "
        "its cool-down (`again_minutes`), and posts the result; provisional accruals for it are released.",
    )
    def missing_windows(context: dg.SensorEvaluationContext) -> Tick:
        return pull_missing(context, datetime.now(UTC))

    has_vendors = bool(api_feeds(definitions_workspace().feeds))
    return dg.Definitions(sensors=[inbox, awaited_rates, *([missing_windows] if has_vendors else [])])


def _workspace() -> Workspace:
    return open_workspace(required_home(), wait_seconds=TICK_WAIT)


@ends_with_a_sentence
def watch_inbox(context: dg.SensorEvaluationContext, now: datetime) -> Tick:
    """Request landings, due dates, and the reports once nothing is due any more.

    A feed that fails does not delay the others. The skip reason, or the log of the tick, names what has to
    wait, and files that are passed over.
    """
    workspace, attempts = _workspace(), Attempts.from_cursor(context.cursor, now)
    end_lost_runs(context.instance)
    feeds = {feed.name: feed for feed in workspace.feeds}
    to_land, due, told = look(workspace)
    runs = runs_under_way(context.instance)
    attempts.keep([naming.REPORTS, *(item.name for item in (*to_land, *due))])
    free = not_under_way(runs, [*to_land, *due], feeds)
    chosen = choose(attempts, free)
    told += chosen.waiting
    landings = [item for item in chosen.work if item.what == naming.DELIVERIES]
    dated = [item for item in chosen.work if item.what != naming.DELIVERIES]
    requests = [
        *landing_requests(attempts, landings),
        *dated_requests(attempts, dated, feeds),
    ]
    if not (requests or runs):
        # Also while something waits for its pause: it may wait for long.
        requests += _due_reports(context.instance, workspace, attempts, told)
    told += [f"passed over: {name}" for name in passed_over(workspace.inbox)]
    told += [f"no feed matches {name}" for name in unclaimed(workspace.inbox, workspace.feeds)]
    if requests:
        for sentence in told:
            context.log.warning(sentence)
        return dg.SensorResult(run_requests=requests, cursor=attempts.cursor())
    under_way = [item.name for item in (*to_land, *due) if item not in free]
    if under_way:
        every = len(to_land) + len(due)
        told.insert(0, f"under way: {len(under_way)} of {every} due ({shortened(under_way)})")
    # A result without requests keeps the cursor, so that work that is no longer due is forgotten.
    reason = shortened(told) or "nothing new in the inbox, and nothing is due" + _of_other_runs(len(runs))
    return dg.SensorResult(skip_reason=reason, cursor=attempts.cursor())


def _of_other_runs(number: int) -> str:
    return f"; {number} run{'s' * (number != 1)} under way" if number else ""


def look(workspace: Workspace) -> tuple[list[Work], list[Work], list[str]]:
    """Return the landings to make, the due work, and sentences about feeds that cannot be looked at."""
    to_land: list[Work] = []
    due: list[Work] = []
    told: list[str] = []
    everything = due_now(workspace)
    for feed in workspace.feeds:
        known = everything.feeds[feed.name]
        if known.problem is not None:
            told.append(f"{feed.name}: {known.problem}")
            continue
        try:
            found = unlanded(workspace, feed, known.unread)
        except ShowcostError as error:
            told.append(f"{feed.name}: {error}")
            continue
        if found.files or found.deliveries:
            to_land.append(Work.of(feed.name, naming.DELIVERIES, None, [*found.files, *found.deliveries]))
        told += [f"{feed.name}: {name} is still being written" for name in found.changing]
        due += due_work(workspace.production, feed.name, known)
    return to_land, due, told


def due_work(production: Production, feed: str, due: FeedDue) -> list[Work]:
    """Return the due dates of a feed that have begun, and its undated rows if they are due."""
    days = _existing(production, [*due.dates])
    work = [Work.of(feed, "date", day, due.dates[day]) for day in days]
    if due.undated is not None:
        work.append(Work.of(feed, "undated rows", None, due.undated))
    return work


def landing_requests(attempts: Attempts, work: list[Work]) -> Iterator[dg.RunRequest]:
    """Yield one run that lands all feeds with new files."""
    if not work:
        return
    for item in work:
        attempts.request(item)
    names = sorted(item.feed for item in work)
    yield dg.RunRequest(
        asset_selection=[naming.deliveries_key(name) for name in names],
        tags={WORK_TAG: "landing", FEEDS_TAG: " ".join(names)},
    )


def _due_reports(
    instance: dg.DagsterInstance, workspace: Workspace, attempts: Attempts, told: list[str]
) -> Iterator[dg.RunRequest]:
    """Yield a run of the reports and the queue if no run made them as of the last audit record.

    A sentence is added to `told` if a run that came to nothing is not repeated yet.
    """
    due = due_now(workspace)
    if not due.has_ledger or _are_made(instance, due.head):
        return
    reports = Work.of("", naming.REPORTS, None, [due.head.hash])
    chosen = choose(attempts, [reports])
    told += chosen.waiting
    for item in chosen.work:
        attempts.request(item)
        yield report_request(workspace, due.head)


def _are_made(instance: dg.DagsterInstance, head: Head) -> bool:
    # After a backup was restored, other records have the same numbers.
    made = dg.RunsFilter(tags={HEAD_TAG: head.hash}, statuses=[dg.DagsterRunStatus.SUCCESS])
    return bool(instance.get_run_ids(made, limit=1))


def report_request(workspace: Workspace, head: Head) -> dg.RunRequest:
    """Return the request of a run that makes the reports and counts the queue, as of an audit record."""
    return dg.RunRequest(
        asset_selection=[*report_assets(workspace), naming.QUEUE],
        tags={WORK_TAG: "reports", AS_OF_TAG: str(head.seq), HEAD_TAG: head.hash},
    )


def report_assets(workspace: Workspace) -> list[dg.AssetKey]:
    """Return the reports that the production has."""
    has_labour = any(feed.kind.has_pay_rules for feed in workspace.feeds)
    applies = {naming.HOT_COSTS: has_labour, naming.QUALIFIED_SPEND: bool(workspace.production.incentives)}
    return [key for key in naming.REPORT_ASSETS if applies.get(key, True)]


@ends_with_a_sentence
def release_rates(context: dg.SensorEvaluationContext, now: datetime) -> Tick:
    """Request dates with rows that wait for a rate, if one is available or may be queried."""
    workspace, attempts = _workspace(), Attempts.from_cursor(context.cursor, now)
    feeds = {feed.name: feed for feed in workspace.feeds}
    due = due_now(workspace).feeds
    work = [item for name in feeds for item in _awaiting(workspace.production, name, due[name], now)]
    attempts.keep(item.name for item in work)
    free = not_under_way(runs_under_way(context.instance) if work else (), work, feeds)
    chosen = choose(attempts, free)
    requests = list(dated_requests(attempts, chosen.work, feeds))
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=attempts.cursor())
    reason = shortened(chosen.waiting) or "no pending row has a rate available"
    return dg.SensorResult(skip_reason=reason, cursor=attempts.cursor())


def _awaiting(production: Production, feed: str, due: FeedDue, now: datetime) -> Iterator[Work]:
    """Yield the dates of a feed whose rows wait for a rate that is there, or that the ECB may have by now."""
    marks = dict.fromkeys(due.released, "known")
    if "ecb" in production.fx.sources:
        hour = now.strftime("%Y-%m-%dT%H")
        marks |= {day: hour for day in due.waiting if day <= now.date() and day not in marks}
    for day in _existing(production, [*marks]):
        yield Work.of(feed, "date", day, [marks[day]])


@ends_with_a_sentence
def pull_missing(context: dg.SensorEvaluationContext, now: datetime) -> Tick:
    """Request a pull of missing pages from vendors whose cool-down is over and that have no active run.

    The cursor has the time of the last retry request per vendor.
    """
    workspace = _workspace()
    asked = {vendor: datetime.fromisoformat(at) for vendor, at in json.loads(context.cursor or "{}").items()}
    busy = {run.tags.get(VENDOR_TAG) for run in runs_under_way(context.instance)}
    requests: list[dg.RunRequest] = []
    for again in due_retries(workspace, workspace.feeds, asked, now):
        if again.vendor not in busy:
            requests += pull_requests(workspace.production, again)
            asked[again.vendor] = now
    if not requests:
        return dg.SkipReason("no vendor is due for a retry")
    cursor = json.dumps({vendor: at.isoformat() for vendor, at in sorted(asked.items())})
    return dg.SensorResult(run_requests=requests, cursor=cursor)


def pull_requests(production: Production, again: DuePull) -> Iterator[dg.RunRequest]:
    """Yield a run per stretch of missing dates, from the pull to the ledger, of the feeds that miss them."""
    assets = naming.dated_keys_of(again.feeds)
    for feed in again.feeds:
        assets += [
            *(naming.pulled_key(feed.name), naming.dead_letters_key(feed.name)),
            *(naming.deliveries_key(feed.name), naming.undated_key(feed.name)),
        ]
    names = " ".join(feed.name for feed in again.feeds)
    for span in stretches(_existing(production, [*again.dates]), NEAR_DAYS):
        yield range_request(assets, span, {VENDOR_TAG: again.vendor, FEEDS_TAG: names})


def _existing(production: Production, days: list[date]) -> list[date]:
    """Return those of the dates whose partitions have begun, ascending."""
    keys = set(daily_partitions(production).get_partition_keys())
    return sorted(day for day in days if day.isoformat() in keys)
