"""The assets of feeds with an API: what was pulled, what could not be had, and what stands in for it.

Pulling is one step over all feeds, so that one pool serves all vendors at once; everything else is per feed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from showcost.checks.vendor_api import dates_complete, nothing_missing
from showcost.components import naming
from showcost.components.checks import partition_check, whole_check
from showcost.components.metadata import column_schema, counts_table
from showcost.components.partitions import partition_dates
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.feed import FeedSpec
from showcost.config.home import Home
from showcost.core.reasons import CATALOGUE
from showcost.ledger.schema import ACCRUAL_COLUMNS
from showcost.pipeline import vendor_pulls as pulling
from showcost.pipeline.accruals import open_accruals, stage_fallback
from showcost.vendor_api.dead_letters import EXHAUSTED
from showcost.vendor_api.health import SLOW_MS, Health
from showcost.vendor_api.pool import PoolSettings
from showcost.vendor_api.pull import FeedPull, Pull, Wanted, pull

_SINGLE_RUN = dg.BackfillPolicy.single_run()
_WARN = dg.AssetCheckSeverity.WARN
_LETTERS_SHOWN = 50
_DEFAULTS = PoolSettings()


class PullOptions(dg.Config):
    """How a pull is made.

    `again` also fetches dates that are complete and past; `debug` turns on the loop's debug mode, which names
    slow callbacks in the log; `trace_memory` counts Python's allocations; the others bound what all vendors
    together use.
    """

    again: bool = False
    debug: bool = False
    trace_memory: bool = False
    requests_at_once: int = _DEFAULTS.requests
    memory_mib: int = _DEFAULTS.memory_bytes // 2**20

    def settings(self) -> PoolSettings:
        """Return the settings of the worker pool."""
        return PoolSettings(
            requests=self.requests_at_once,
            memory_bytes=self.memory_mib * 2**20,
            debug=self.debug,
            trace=self.trace_memory,
        )


def pulled_assets(feeds: Sequence[FeedSpec], partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the assets of what was pulled, one per feed, made by one step."""
    by_key = {naming.pulled_key(feed.name): feed for feed in feeds}

    @dg.multi_asset(
        name="pull_vendors",
        specs=[_pulled_spec(feed, partitions) for feed in feeds],
        backfill_policy=_SINGLE_RUN,
        can_subset=True,
        pool="vendors",
    )
    def pulled(
        context: dg.AssetExecutionContext, config: PullOptions, data: DataFolder
    ) -> Iterator[dg.MaterializeResult[None]]:
        home, dates = data.home(), partition_dates(context)
        chosen = [feed for key, feed in by_key.items() if key in context.selected_asset_keys]
        with plain_failures():
            outcome = pull(home, chosen, Wanted(dates[0], dates[-1], again=config.again), config.settings())
            for one in outcome.feeds:
                context.log.info(_sentence(one))
            context.log.info(_health_sentence(outcome.health))
            for named in outcome.health.named:
                context.log.warning("slow callback: %s", named)
            for feed in chosen:
                for day, facts in _per_date(home, feed, dates).items():
                    context.add_asset_metadata(
                        facts, asset_key=naming.pulled_key(feed.name), partition_key=day.isoformat()
                    )
        for one in outcome.feeds:
            yield dg.MaterializeResult(
                asset_key=naming.pulled_key(one.feed), metadata=_pull_metadata(outcome, one)
            )

    return pulled


def _pulled_spec(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    days = feed.api.window.days if feed.api is not None else 1
    asked = "date by date" if days == 1 else f"{days} dates at a time"
    return dg.AssetSpec(
        naming.pulled_key(feed.name),
        description=f"{feed.description}\n\nThe vendor's API, asked {asked}, page by page. Each page is a "
        "delivery, stored and read before the next is asked for; a pull that was stopped goes on where it "
        "was. A date that is complete and past is not asked for again.",
        kinds={"api", "json"},
        partitions_def=partitions,
        owners=list(feed.owners),
        group_name=naming.DELIVERIES,
        tags=naming.stage_tags(naming.DELIVERIES, feed.name),
    )


def _per_date(home: Home, feed: FeedSpec, dates: Sequence[date]) -> Mapping[date, dict[str, Any]]:
    stands = pulling.pulled_dates(home, feed, dates)
    return {day: {"state": state, "pages_stored": pages} for day, (state, pages) in stands.items()}


def _sentence(one: FeedPull) -> str:
    passed = one.traffic
    return (
        f"{one.feed}: {one.pages} pages with {one.items} items; {len(one.complete)} windows complete,"
        f" {len(one.left_alone)} left alone, {one.resumed} resumed, {len(one.dead)} dead; {passed.requests}"
        f" requests, {passed.retries} retries{', vendor down' if one.down else ''}"
    )


def _health_sentence(health: Health) -> str:
    return (
        f"the loop was held up for {health.longest_hold_up} ms at most, {health.slow} times for more than"
        f" {SLOW_MS} ms; at most {health.peak_tasks} tasks, {health.peak_waiting_windows} windows and"
        f" {health.peak_waiting_pages} pages waiting, {health.peak_in_flight >> 20} MiB of answers reserved,"
        f" {health.peak_resident >> 20} MiB resident ({health.resident_before >> 20} before)"
    )


def _pull_metadata(outcome: Pull, one: FeedPull) -> dict[str, Any]:
    """Return what passed for one vendor, and how the pull of all went for the machine."""
    passed, health = one.traffic, outcome.health
    return {
        "pages": one.pages,
        "items": one.items,
        "windows_complete": len(one.complete),
        "windows_left_alone": len(one.left_alone),
        "windows_resumed": one.resumed,
        "dead_letters_now": len(one.dead),
        "vendor": one.vendor,
        "vendor_down": one.down,
        "requests": passed.requests,
        "retries": passed.retries,
        "requests_at_once_peak": passed.peak_under_way,
        "requests_per_minute": passed.requests * 60_000 // max(1, health.took),
        "bytes": passed.bytes,
        "waited_ms": passed.waited_ms,
        "troubles": counts_table(["trouble", "answers"], sorted(passed.troubles.items())),
        "machine": counts_table(["measure", "value"], list(health.measures.items())),
    }


def api_assets(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """Return the assets of a feed's dead letters and provisional accruals; none without an API."""
    return [] if feed.api is None else [_dead_letters(feed), _provisional(feed, partitions)]


def _dead_letters(feed: FeedSpec) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.dead_letters_key(feed.name),
        deps=[naming.pulled_key(feed.name)],
        description="Pages of the vendor's API that could not be had: the class of the error, the attempts, "
        "and the payload of what had arrived (SC-API-001). Request and headers are in raw/dead_letters. "
        "Pulling again replays them.",
        kinds={"api"},
        backfill_policy=_SINGLE_RUN,
        owners=list(feed.owners),
        group_name=naming.DELIVERIES,
        tags=naming.stage_tags(naming.DELIVERIES, feed.name),
    )
    def dead_letters(data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            letters = pulling.missing_pages(data.home(), feed)
        reason = CATALOGUE[EXHAUSTED]
        names = (
            "first",
            "last",
            "page",
            "error",
            "detail",
            "status",
            "attempts",
            "first_seen",
            "last_seen",
            "response",
            "response_size",
            "id",
        )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(letters),
                "reason": f"{reason.code}: {reason.meaning}; the accountant {reason.action}",
                "letters": counts_table(
                    names, [[getattr(one, name) for name in names] for one in letters[:_LETTERS_SHOWN]]
                ),
            }
        )

    return dead_letters


def _provisional(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.provisional_key(feed.name),
        deps=[naming.pulled_key(feed.name), naming.posted_key(feed.name), naming.FX_SNAPSHOTS],
        description="What stands in for dates that could not be had: the last good delivery, else an accrual "
        "from the vendor's terms at cached rates, in a table of its own that the ledger never mixes. It is "
        "taken back when the invoices come.",
        kinds={"duckdb"},
        partitions_def=partitions,
        backfill_policy=_SINGLE_RUN,
        pool=naming.LEDGER_POOL,
        metadata={
            "dagster/table_name": "provisional_accruals",
            "dagster/column_schema": column_schema(ACCRUAL_COLUMNS),
        },
        owners=list(feed.owners),
        group_name=naming.LEDGER,
        tags=naming.stage_tags(naming.LEDGER, feed.name),
    )
    def provisional(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        dates = partition_dates(context)
        with plain_failures():
            home = data.home()
            done = stage_fallback(home, feed, dates)
            standing = open_accruals(home, dates[0], dates[-1], feed.name)
        rows = standing.to_pylist()
        for day in dates:
            of_day = [row for row in rows if row["transaction_date"] == day]
            metadata: dict[str, Any] = {"dagster/partition_row_count": len(of_day)}
            if of_day:
                names = ("account", "currency", "amount", "base_amount", "rate_date", "due_date")
                metadata["accruals"] = counts_table(names, [[row[name] for name in names] for row in of_day])
            if taken := [step.step for step in done.steps if step.transaction_date == day]:
                metadata["steps"] = ", ".join(taken)
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        return dg.MaterializeResult(metadata={"accrued_now": done.accrued, "released_now": done.released})

    return provisional


def api_checks(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a feed's pulls; none without an API. They warn: the pipeline is fine."""
    if feed.api is None:
        return []
    return [
        partition_check(
            asset=naming.pulled_key(feed.name),
            name="dates_complete",
            description="Every page of the date's window is stored.",
            partitions=partitions,
            judge=partial(dates_complete, feed=feed),
            severity=_WARN,
        ),
        whole_check(
            asset=naming.dead_letters_key(feed.name),
            name="nothing_missing",
            description="No page of the vendor's API is missing (SC-API-001).",
            judge=partial(nothing_missing, feed=feed),
            severity=_WARN,
        ),
    ]
