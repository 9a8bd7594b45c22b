"""The job over the whole pipeline, the job of the lender snapshot, and their schedules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.components.run_scopes import FEEDS_TAG
from showcost.components.workers import end_lost_runs, runs_under_way
from showcost.config.production import Production
from showcost.config.reporting_periods import reporting_periods
from showcost.defs.automation.requests import (
    Attempts,
    dated_requests,
    not_under_way,
    range_request,
)
from showcost.defs.automation.sensors import (
    TICK_WAIT,
    VENDOR_TAG,
    WORK_TAG,
    landing_requests,
    look,
    pull_requests,
    report_request,
)
from showcost.defs.automation.ticks import ends_with_a_sentence
from showcost.pipeline.vendor_pulls import unsettled
from showcost.reports.pack.folders import last_day_of, published_packs
from showcost.workspace import definitions_workspace, open_workspace, required_home

_HOUR = 6
_LOOK_BACK: Final = timedelta(days=45)
PERIOD_TAG: Final = "showcost/period"
"""Tag of the run that makes the snapshot of a period."""

Requested = list[dg.RunRequest] | dg.SkipReason
_SNAPSHOT = dg.AssetSelection.assets(naming.LENDER_SNAPSHOT) | dg.AssetSelection.checks_for_assets(
    naming.LENDER_SNAPSHOT
)


@dg.definitions
def jobs() -> dg.Definitions:
    """Build the job over the production's partitions and its daily schedule."""
    production = definitions_workspace().production
    job = dg.define_asset_job(
        naming.JOB,
        # Each snapshot is kept for good, so it is made per period, not by every run.
        selection=dg.AssetSelection.all() - _SNAPSHOT,
        partitions_def=daily_partitions(production),
        description="Lands the inbox and takes the costs of one date, or of a range of dates, from raw rows "
        "into the ledger.",
    )

    # Not built from the job, whose latest partition is today's; and Dagster catches up on missed ticks only
    # where each has a partition, while here the next one takes everything.
    @dg.schedule(
        name="nightly",
        job=job,
        cron_schedule=[f"30 {_HOUR - 1} * * *", f"0 {_HOUR} * * *", f"30 {_HOUR} * * *"],
        execution_timezone=production.timezone,
        description=f"Every day in {production.timezone}: at {_HOUR - 1:02}:30 new files are landed, at "
        f"{_HOUR:02}:00 everything due is taken into the ledger, whatever its date, and yesterday's costs, "
        "whose rates are published by then, and half an hour later the ledger is verified and the reports "
        "are made. After days without a daemon, the next night catches up.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> Requested:
        return request_night(context)

    lender_job = dg.define_asset_job(
        naming.LENDER_JOB,
        selection=_SNAPSHOT,
        description="Seals the report of a period as a pack for lenders, below `published/reports/`.",
    )

    @dg.schedule(
        name="period_end",
        job=lender_job,
        cron_schedule=f"0 {_HOUR + 1} * * *",
        execution_timezone=production.timezone,
        description="On the day after the last day of a reporting period: its lender snapshot, and those of "
        "periods of the last weeks that have none.",
    )
    def period_end(context: dg.ScheduleEvaluationContext) -> Requested:
        return request_snapshots(context)

    return dg.Definitions(jobs=[job, lender_job], schedules=[nightly, period_end])


def _today(context: dg.ScheduleEvaluationContext, production: Production) -> date:
    return context.scheduled_execution_time.astimezone(ZoneInfo(production.timezone)).date()


@ends_with_a_sentence
def request_snapshots(context: dg.ScheduleEvaluationContext) -> Requested:
    """Request the snapshots of the periods that ended lately and have none, unless a run is making them."""
    workspace = open_workspace(required_home())
    production = workspace.production
    today = _today(context, production)
    sealed = {last_day_of(folder) for folder in published_packs(workspace)}
    making = {run.tags.get(PERIOD_TAG) for run in runs_under_way(context.instance)}
    ended = [
        period
        for period in reporting_periods(production)
        if today - _LOOK_BACK <= period.end < today and period.end not in sealed and period.name not in making
    ]
    if not ended:
        return dg.SkipReason(f"no reporting period ended before {today} without its snapshot")
    op = naming.LENDER_SNAPSHOT.to_python_identifier()
    requests = [
        dg.RunRequest(
            run_config={"ops": {op: {"config": {"period": period.name}}}}, tags={PERIOD_TAG: period.name}
        )
        for period in ended
    ]
    return _of_tick(context, requests)


def _of_tick(context: dg.ScheduleEvaluationContext, requests: Sequence[dg.RunRequest]) -> list[dg.RunRequest]:
    """Return requests with keys of their tick: of several, a schedule must name each."""
    tick = context.scheduled_execution_time.isoformat()
    return [
        dg.RunRequest(
            run_key=f"{tick} {number}",
            run_config=request.run_config,
            tags=request.tags,
            asset_selection=request.asset_selection,
        )
        for number, request in enumerate(requests, start=1)
    ]


@ends_with_a_sentence
def request_night(context: dg.ScheduleEvaluationContext) -> Requested:
    """Request what is due: landings before the hour, pulls and all dates at it, then the verification.

    Yesterday is requested also without rows, so that its rates are pinned and its absence is seen; after the
    last date of the production, that one, so that a ledger that is late means a night without a run.
    """
    workspace = open_workspace(required_home(), wait_seconds=TICK_WAIT)
    production, feeds = workspace.production, {feed.name: feed for feed in workspace.feeds}
    end_lost_runs(context.instance)
    now = context.scheduled_execution_time
    local = now.astimezone(ZoneInfo(production.timezone))
    if local.hour == _HOUR and local.minute:
        # It waits while a run writes, and a difference counts only once nobody does.
        verification = dg.RunRequest(
            asset_selection=[naming.VERIFICATION], tags={WORK_TAG: "verification of the whole ledger"}
        )
        reports = report_request(workspace, workspace.audit.head())
        return _of_tick(context, [verification, *([reports] if workspace.ledger.exists() else [])])
    # Nights are far apart: what was requested and is still due is requested again.
    attempts = Attempts(now)
    to_land, due, told = look(workspace)
    for sentence in told:
        context.log.warning(sentence)
    runs = runs_under_way(context.instance)
    if local.hour < _HOUR:
        landings = not_under_way(runs, to_land, feeds)
        requests = list(landing_requests(attempts, landings))
        return _of_tick(context, requests) or dg.SkipReason("no new file in the inbox")
    yesterday = _today(context, production) - timedelta(days=1)
    pulling = {run.tags.get(VENDOR_TAG) for run in runs}
    pulls = [item for item in unsettled(workspace, workspace.feeds, yesterday) if item.vendor not in pulling]
    # The run of a pull takes its dates into the ledger as well.
    pulled = {feed.name: frozenset(item.dates) for item in pulls for feed in item.feeds}
    work = [
        item for item in not_under_way(runs, due, feeds) if item.day not in pulled.get(item.feed, frozenset())
    ]
    requests = [request for item in pulls for request in pull_requests(production, item)]
    requests += dated_requests(attempts, work, feeds)
    last = min(yesterday, production.dates.end)
    covered = any(
        request.tags[naming.RANGE_START] <= last.isoformat() <= request.tags[naming.RANGE_END]
        for request in requests
        if naming.RANGE_START in request.tags
    )
    if last in production.dates and not covered:
        assets = naming.dated_keys_of(workspace.feeds)
        requests.append(range_request(assets, (last, last), {FEEDS_TAG: " ".join(feeds)}))
    if not requests:
        return dg.SkipReason(f"nothing is due, and the production begins on {production.dates.start}")
    return _of_tick(context, requests)
