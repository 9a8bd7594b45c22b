"""Sensors for the inbox, for rates that pending rows need, and for missing vendor pages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Final

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.config.feed import FeedSpec
from showcost.config.feeds import api_feeds
from showcost.config.production import Production
from showcost.core.errors import ShowcostError
from showcost.core.hashing import sha256_framed
from showcost.ingest.landing import Landing, land
from showcost.pipeline.due import (
    NEAR_DAYS,
    DuePartitions,
    due_by_landing,
    due_by_rates,
    stretches,
    waiting_for_rates,
)
from showcost.pipeline.vendor_pulls import DueRetry, due_retries
from showcost.workspace import Workspace, definitions_workspace, open_workspace, required_home

INBOX_SECONDS: Final = 60
RATES_SECONDS: Final = 900
MISSING_SECONDS: Final = 300
_VENDOR_TAG: Final = "showcost/vendor"
_UNDER_WAY: Final = [
    *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED),
    *(dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED),
]
_KEY_DIGITS: Final = 12


@dg.definitions
def sensors() -> dg.Definitions:
    """Build the sensors over the feeds of the production; the vendor sensor only if a feed has an API."""

    @dg.sensor(
        name="inbox",
        job_name=naming.JOB,
        minimum_interval_seconds=INBOX_SECONDS,
        description="Lands new files in the inbox and requests exactly the partitions that they touch, late "
        "ones included.",
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return land_inbox(context)

    @dg.sensor(
        name="awaited_rates",
        job_name=naming.JOB,
        minimum_interval_seconds=RATES_SECONDS,
        description="Requests partitions with rows that wait for a rate (SC-FX-001): once an imported file "
        "has it, or once an hour if the production may query the ECB.",
    )
    def awaited_rates() -> dg.SensorResult | dg.SkipReason:
        return release_rates(datetime.now(UTC))

    @dg.sensor(
        name="missing_windows",
        job_name=naming.JOB,
        minimum_interval_seconds=MISSING_SECONDS,
        description="Retries API pages that failed for a transient reason (SC-API-001), each vendor after "
        "its cool-down (`again_minutes`), and posts the result; provisional accruals for it are released.",
    )
    def missing_windows(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return pull_missing(context, datetime.now(UTC))

    has_vendors = bool(api_feeds(definitions_workspace().feeds))
    return dg.Definitions(sensors=[inbox, awaited_rates, *([missing_windows] if has_vendors else [])])


def land_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Land every feed's inbox and request due partitions; a feed that fails does not delay the others."""
    workspace = open_workspace(required_home())
    landings: list[Landing] = []
    requests: list[dg.RunRequest] = []
    for feed in workspace.feeds:
        try:
            landings.append(land(workspace, feed, None))
            due = due_by_landing(workspace, feed)
            requests += landing_requests(workspace.production, feed, due)
        except ShowcostError as error:
            context.log.warning("%s failed to land: %s", feed.name, error)
    events = [_materialization(landing) for landing in landings if landing.read]
    if not requests and not events:
        changing = [f"{landing.feed}: {name}" for landing in landings for name in landing.changing]
        written = f"; still being written: {', '.join(changing)}" if changing else ""
        return dg.SkipReason(f"no new deliveries in the inbox{written}")
    return dg.SensorResult(run_requests=requests, asset_events=events)


def _materialization(landing: Landing) -> dg.AssetMaterialization:
    rows = sum(delivery.summary.received for delivery in landing.read)
    return dg.AssetMaterialization(
        naming.deliveries_key(landing.feed), metadata={"read_now": len(landing.read), "rows_read_now": rows}
    )


def landing_requests(production: Production, feed: FeedSpec, due: DuePartitions) -> Iterator[dg.RunRequest]:
    """Yield one run per stretch of consecutive due dates; undated rows go with the first.

    The run key identifies the inputs of the partitions, so the same request never runs twice. Future dates
    remain due.
    """
    dates = _existing(production, due.dates)
    undated = [naming.undated_key(due.feed)] if due.undated is not None else []
    for number, (first, last) in enumerate(stretches(dates)):
        inputs = [text for day in dates if first <= day <= last for text in due.dates[day]]
        yield _range_request(
            f"{due.feed}-{first}-{last}-{sha256_framed(inputs)[:_KEY_DIGITS]}",
            [*naming.dated_keys(feed), *(undated if number == 0 else [])],
            (first, last),
        )
    if undated and not dates:
        mark = sha256_framed(due.undated or [])[:_KEY_DIGITS]
        yield dg.RunRequest(run_key=f"{due.feed}-undated-{mark}", asset_selection=undated)


def release_rates(now: datetime) -> dg.SensorResult | dg.SkipReason:
    """Request partitions with rows that wait for a rate, if one is available or may be queried."""
    workspace = open_workspace(required_home())
    requests = [request for feed in workspace.feeds for request in _release(workspace, feed, now)]
    if not requests:
        return dg.SkipReason("no pending row has a rate available")
    return dg.SensorResult(run_requests=requests)


def _release(workspace: Workspace, feed: FeedSpec, now: datetime) -> Iterator[dg.RunRequest]:
    dates = dict.fromkeys(due_by_rates(workspace, feed), "known")
    if "ecb" in workspace.production.fx.sources:
        hour = now.strftime("%Y-%m-%dT%H")
        dates |= {
            day: hour for day in waiting_for_rates(workspace, feed) if day <= now.date() and day not in dates
        }
    for first, last in stretches(_existing(workspace.production, dates)):
        marks = sorted({dates[day] for day in dates if first <= day <= last})
        key = f"{feed.name}-rates-{first}-{last}-{'-'.join(marks)}"
        assets = naming.dated_keys(feed)
        yield _range_request(key, assets, (first, last))


def pull_missing(context: dg.SensorEvaluationContext, now: datetime) -> dg.SensorResult | dg.SkipReason:
    """Request a pull of missing pages from vendors whose cool-down is over and that have no active run.

    The cursor has the time of the last retry request per vendor. A tick that is lost before its cursor is
    kept requests the same keys again, which Dagster runs once.
    """
    workspace = open_workspace(required_home())
    asked = {vendor: datetime.fromisoformat(at) for vendor, at in json.loads(context.cursor or "{}").items()}
    requests: list[dg.RunRequest] = []
    for again in due_retries(workspace, workspace.feeds, asked, now):
        filters = dg.RunsFilter(tags={_VENDOR_TAG: again.vendor}, statuses=_UNDER_WAY)
        if not context.instance.get_runs_count(filters):
            requests += _pull_requests(workspace.production, again)
            asked[again.vendor] = now
    if not requests:
        return dg.SkipReason("no vendor is due for a retry")
    cursor = json.dumps({vendor: at.isoformat() for vendor, at in sorted(asked.items())})
    return dg.SensorResult(run_requests=requests, cursor=cursor)


def _pull_requests(production: Production, again: DueRetry) -> Iterator[dg.RunRequest]:
    """Yield a run per stretch of missing dates, from the pull to the ledger, of the feeds that miss them."""
    assets: list[dg.AssetKey] = []
    for feed in again.feeds:
        assets += [
            *(naming.pulled_key(feed.name), naming.dead_letters_key(feed.name)),
            *(naming.deliveries_key(feed.name), naming.undated_key(feed.name)),
            *naming.dated_keys(feed),
            naming.provisional_key(feed.name),
        ]
    for span in stretches(_existing(production, dict.fromkeys(again.dates)), NEAR_DAYS):
        key = f"{again.vendor}-again-{span[0]}-{span[1]}-{again.mark[:_KEY_DIGITS]}"
        yield _range_request(key, assets, span, {_VENDOR_TAG: again.vendor})


def _range_request(
    run_key: str,
    assets: Sequence[dg.AssetKey],
    span: tuple[date, date],
    tags: Mapping[str, str] = MappingProxyType({}),
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=[naming.FX_SNAPSHOTS, *assets, naming.LEDGER_ENTRIES, naming.QUEUE],
        tags={naming.RANGE_START: span[0].isoformat(), naming.RANGE_END: span[1].isoformat(), **tags},
    )


def _existing(production: Production, dates: Mapping[date, object]) -> list[date]:
    keys = set(daily_partitions(production).get_partition_keys())
    return sorted(day for day in dates if day.isoformat() in keys)
