"""The sensor that watches the inbox."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.config.feeds import load_feeds
from showcost.config.home import open_home
from showcost.config.production import Production
from showcost.core.errors import ShowcostError
from showcost.ingest.landing import Landing, land

INTERVAL_SECONDS: Final = 60


@dg.definitions
def sensors() -> dg.Definitions:
    """Build the inbox sensor over the feeds of the production."""

    @dg.sensor(
        name="inbox",
        job_name=naming.JOB,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Lands what vendors have dropped in the inbox and requests exactly the partitions that "
        "the deliveries touch, late ones included.",
    )
    def inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return land_inbox(context)

    return dg.Definitions(sensors=[inbox])


def land_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Land every feed's inbox; a feed that cannot be landed is logged and holds up no other."""
    home = open_home()
    landings: list[Landing] = []
    for feed in load_feeds(home.production.code):
        try:
            landing = land(home, feed)
        except ShowcostError as error:
            context.log.warning("%s could not be landed: %s", feed.name, error)
            continue
        if landing.read:
            landings.append(landing)
    if not landings:
        return dg.SkipReason("nothing new in the inbox")
    return dg.SensorResult(
        run_requests=[request for landing in landings for request in requests(home.production, landing)],
        asset_events=[
            dg.AssetMaterialization(
                naming.deliveries_key(landing.feed),
                metadata={
                    "read_now": len(landing.read),
                    "dagster/row_count": sum(one.summary.received for one in landing.read),
                },
            )
            for landing in landings
        ],
    )


def requests(production: Production, landing: Landing) -> Iterator[dg.RunRequest]:
    """Yield one run per stretch of consecutive dates that a landing touches, and the undated rows."""
    known = set(daily_partitions(production).get_partition_keys())
    touched = [day for day in landing.touched if day.isoformat() in known]
    mark = landing.read[-1].arrival.delivery[:12]
    shared = [naming.FX_SNAPSHOTS, naming.LEDGER_ENTRIES]
    if not touched:
        yield dg.RunRequest(
            run_key=f"{landing.feed}-{mark}-undated", asset_selection=[naming.undated_key(landing.feed)]
        )
    for first, last in stretches(touched):
        yield dg.RunRequest(
            run_key=f"{landing.feed}-{mark}-{first}-{last}",
            asset_selection=[*naming.feed_keys(landing.feed), *shared],
            tags={naming.RANGE_START: first.isoformat(), naming.RANGE_END: last.isoformat()},
        )


def stretches(days: Sequence[date] | Iterable[date]) -> list[tuple[date, date]]:
    """Return ascending dates as stretches without gaps: (first, last) of each."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
