"""The sensors: one watches the inbox, one the rates that rows wait for, one what vendors did not give."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Final

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.config.feed import FeedSpec
from showcost.config.feeds import api_feeds, load_feeds
from showcost.config.home import Home, open_home
from showcost.config.production import Production
from showcost.core.errors import ShowcostError
from showcost.core.hashing import sha256_framed
from showcost.ingest.landing import Landing, land
from showcost.pipeline.due import NEAR_DAYS, Due, due_by_landing, due_by_rates, stretches, waiting_for_rates
from showcost.pipeline.vendor_pulls import Again, due_again

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
    """Build the sensors over the feeds of the production; that of vendors only where a feed has an API."""

    @dg.sensor(
        name="inbox",
        job_name=naming.JOB,
        minimum_interval_seconds=INBOX_SECONDS,
        description="Lands what vendors have dropped in the inbox and requests exactly the partitions that "
        "the deliveries touch, late ones included.",
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return land_inbox(context)

    @dg.sensor(
        name="awaited_rates",
        job_name=naming.JOB,
        minimum_interval_seconds=RATES_SECONDS,
        description="Requests the partitions whose rows wait for their rate (SC-FX-001): once a known file "
        "has it, or once an hour where the production may ask the ECB.",
    )
    def awaited_rates() -> dg.SensorResult | dg.SkipReason:
        return release_rates(datetime.now(UTC))

    @dg.sensor(
        name="missing_windows",
        job_name=naming.JOB,
        minimum_interval_seconds=MISSING_SECONDS,
        description="Pulls again what vendors' APIs did not give for a reason that may pass (SC-API-001), "
        "each vendor after its pause (`again_minutes`), and takes what has come into the ledger: then what "
        "stood in for it is released.",
    )
    def missing_windows(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return pull_missing(context, datetime.now(UTC))

    has_vendors = bool(api_feeds(load_feeds(open_home().production.code)))
    return dg.Definitions(sensors=[inbox, awaited_rates, *([missing_windows] if has_vendors else [])])


def land_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Land every feed's inbox and request what is due; a feed that cannot be landed holds up no other."""
    home = open_home()
    landings: list[Landing] = []
    requested: list[dg.RunRequest] = []
    for feed in load_feeds(home.production.code):
        try:
            landings.append(land(home, feed))
            due = due_by_landing(home, feed)
            requested += landing_requests(home.production, feed, due)
        except ShowcostError as error:
            context.log.warning("%s could not be landed: %s", feed.name, error)
    events = [_materialization(landing) for landing in landings if landing.read]
    if not requested and not events:
        return dg.SkipReason("nothing new in the inbox")
    return dg.SensorResult(run_requests=requested, asset_events=events)


def _materialization(landing: Landing) -> dg.AssetMaterialization:
    rows = sum(one.summary.received for one in landing.read)
    return dg.AssetMaterialization(
        naming.deliveries_key(landing.feed), metadata={"read_now": len(landing.read), "rows_read_now": rows}
    )


def landing_requests(production: Production, feed: FeedSpec, due: Due) -> Iterator[dg.RunRequest]:
    """Yield one run per stretch of consecutive dates that are due, the undated rows with the first.

    The key of a run names what its partitions are to be made of: the same request is never run twice.
    Dates that have not come yet stay due.
    """
    dates = _existing(production, due.dates)
    undated = [naming.undated_key(due.feed)] if due.undated is not None else []
    for number, (first, last) in enumerate(stretches(dates)):
        made_of = [text for day in dates if first <= day <= last for text in due.dates[day]]
        yield _range_request(
            f"{due.feed}-{first}-{last}-{sha256_framed(made_of)[:_KEY_DIGITS]}",
            [*naming.dated_keys(feed), *(undated if number == 0 else [])],
            (first, last),
        )
    if undated and not dates:
        mark = sha256_framed(due.undated or [])[:_KEY_DIGITS]
        yield dg.RunRequest(run_key=f"{due.feed}-undated-{mark}", asset_selection=undated)


def release_rates(now: datetime) -> dg.SensorResult | dg.SkipReason:
    """Request the partitions with rows that wait for a rate, where one is known or may be asked for."""
    home = open_home()
    requested = [
        request for feed in load_feeds(home.production.code) for request in _release(home, feed, now)
    ]
    if not requested:
        return dg.SkipReason("no row waits for a rate that could be had")
    return dg.SensorResult(run_requests=requested)


def _release(home: Home, feed: FeedSpec, now: datetime) -> Iterator[dg.RunRequest]:
    dates = dict.fromkeys(due_by_rates(home, feed), "known")
    if "ecb" in home.production.fx.sources:
        hour = now.strftime("%Y-%m-%dT%H")
        dates |= {
            day: hour for day in waiting_for_rates(home, feed) if day <= now.date() and day not in dates
        }
    for first, last in stretches(_existing(home.production, dates)):
        marks = sorted({dates[day] for day in dates if first <= day <= last})
        key = f"{feed.name}-rates-{first}-{last}-{'-'.join(marks)}"
        assets = naming.dated_keys(feed)
        yield _range_request(key, assets, (first, last))


def pull_missing(context: dg.SensorEvaluationContext, now: datetime) -> dg.SensorResult | dg.SkipReason:
    """Request a pull of what is missing from the vendors whose pause is over and of whom none is under way.

    The cursor has, per vendor, when it was last to be asked again. A tick that is lost before its cursor is
    kept requests the same keys again, which Dagster runs once.
    """
    home = open_home()
    asked = {vendor: datetime.fromisoformat(at) for vendor, at in json.loads(context.cursor or "{}").items()}
    requested: list[dg.RunRequest] = []
    for again in due_again(home, load_feeds(home.production.code), asked, now):
        filters = dg.RunsFilter(tags={_VENDOR_TAG: again.vendor}, statuses=_UNDER_WAY)
        if not context.instance.get_runs_count(filters):
            requested += _pull_requests(home.production, again)
            asked[again.vendor] = now
    if not requested:
        return dg.SkipReason("nothing that is missing may be asked for yet")
    cursor = json.dumps({vendor: at.isoformat() for vendor, at in sorted(asked.items())})
    return dg.SensorResult(run_requests=requested, cursor=cursor)


def _pull_requests(production: Production, again: Again) -> Iterator[dg.RunRequest]:
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
    known = set(daily_partitions(production).get_partition_keys())
    return sorted(day for day in dates if day.isoformat() in known)
