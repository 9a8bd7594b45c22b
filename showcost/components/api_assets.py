"""Assets of feeds with an API: pulls, dead letters and provisional accruals.

Pulling is one step over all feeds, so that one worker pool serves all vendors; everything else is per feed.
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
from showcost.core.reason_catalogue import CATALOGUE
from showcost.ledger.schema import ACCRUAL_COLUMNS
from showcost.pipeline import vendor_pulls as pulling
from showcost.pipeline.accruals import apply_fallback, open_accruals
from showcost.vendor_api.dead_letters import EXHAUSTED
from showcost.vendor_api.health import SLOW_MS, Health
from showcost.vendor_api.pool import PoolSettings
from showcost.vendor_api.pull import FeedPull, Pull, PullRequest, pull
from showcost.workspace import Workspace

_SINGLE_RUN = dg.BackfillPolicy.single_run()
_WARN = dg.AssetCheckSeverity.WARN
_LETTERS_SHOWN = 50
_DEFAULTS = PoolSettings()


class PullOptions(dg.Config):
    """Run options of a pull.

    `again` refetches complete past dates; `debug` turns on the event loop's debug mode, which logs slow
    callbacks; `trace_memory` traces Python allocations; the others limit all vendors together.
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
    """Return the pull assets, one per feed, materialised by a single step."""
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
        workspace, dates = data.workspace(), partition_dates(context)
        selected = [feed for key, feed in by_key.items() if key in context.selected_asset_keys]
        with plain_failures():
            outcome = pull(
                workspace, selected, PullRequest(dates[0], dates[-1], again=config.again), config.settings()
            )
            for result in outcome.feeds:
                context.log.info(_summary(result))
            context.log.info(_health_summary(outcome.health))
            for callback in outcome.health.named:
                context.log.warning("slow callback: %s", callback)
            for feed in selected:
                for day, facts in _per_date(workspace, feed, dates).items():
                    context.add_asset_metadata(
                        facts, asset_key=naming.pulled_key(feed.name), partition_key=day.isoformat()
                    )
        for result in outcome.feeds:
            yield dg.MaterializeResult(
                asset_key=naming.pulled_key(result.feed), metadata=_pull_metadata(outcome, result)
            )

    return pulled


def _pulled_spec(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    days = feed.api.window.days if feed.api is not None else 1
    step = "date by date" if days == 1 else f"{days} dates at a time"
    return dg.AssetSpec(
        naming.pulled_key(feed.name),
        description=f"{feed.description}\n\nPulled from the vendor's API {step}, page by page. Each page is "
        "a delivery, stored and read before the next is requested; an interrupted pull resumes at its last "
        "page. Complete past dates are not requested again.",
        kinds={"api", "json"},
        partitions_def=partitions,
        owners=list(feed.owners),
        group_name=naming.DELIVERIES,
        tags=naming.step_tags(naming.DELIVERIES, feed.name),
    )


def _per_date(workspace: Workspace, feed: FeedSpec, dates: Sequence[date]) -> Mapping[date, dict[str, Any]]:
    states = pulling.pulled_dates(workspace, feed, dates)
    return {day: {"state": state, "pages_stored": pages} for day, (state, pages) in states.items()}


def _summary(result: FeedPull) -> str:
    traffic = result.traffic
    return (
        f"{result.feed}: {result.pages} pages with {result.items} items; {len(result.complete)} windows"
        f" complete, {len(result.skipped)} skipped, {result.resumed} resumed, {len(result.dead)} failed;"
        f" {traffic.requests} requests, {traffic.retries} retries{', vendor down' if result.down else ''}"
    )


def _health_summary(health: Health) -> str:
    return (
        f"max event-loop delay {health.longest_hold_up} ms, {health.slow} delays above"
        f" {SLOW_MS} ms; peaks: {health.peak_tasks} tasks, {health.peak_waiting_windows} windows and"
        f" {health.peak_waiting_pages} pages waiting, {health.peak_in_flight >> 20} MiB of responses"
        f" reserved, {health.peak_resident >> 20} MiB resident ({health.resident_before >> 20} before)"
    )


def _pull_metadata(outcome: Pull, result: FeedPull) -> dict[str, Any]:
    """Return the traffic of one feed, and the resource use of the whole pull."""
    traffic, health = result.traffic, outcome.health
    return {
        "pages": result.pages,
        "items": result.items,
        "windows_complete": len(result.complete),
        "windows_left_alone": len(result.skipped),
        "windows_resumed": result.resumed,
        "dead_letters_now": len(result.dead),
        "vendor": result.vendor,
        "vendor_down": result.down,
        "requests": traffic.requests,
        "retries": traffic.retries,
        "requests_at_once_peak": traffic.peak_under_way,
        "requests_per_minute": traffic.requests * 60_000 // max(1, health.took),
        "bytes": traffic.bytes,
        "waited_ms": traffic.waited_ms,
        "troubles": counts_table(["trouble", "answers"], sorted(traffic.failures.items())),
        "machine": counts_table(["measure", "value"], list(health.measures.items())),
    }


def api_assets(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """Return a feed's dead letters and provisional accruals assets; empty without an API."""
    return [] if feed.api is None else [_dead_letters(feed), _provisional(feed, partitions)]


def _dead_letters(feed: FeedSpec) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.dead_letters_key(feed.name),
        deps=[naming.pulled_key(feed.name)],
        description="API pages that failed after all retries (SC-API-001): error class, attempts, and the "
        "payload received so far. Requests and headers are in raw/dead_letters. Pulling again retries them.",
        kinds={"api"},
        backfill_policy=_SINGLE_RUN,
        owners=list(feed.owners),
        group_name=naming.DELIVERIES,
        tags=naming.step_tags(naming.DELIVERIES, feed.name),
    )
    def dead_letters(data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            letters = pulling.missing_pages(data.workspace(), feed)
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
                    names, [[getattr(letter, name) for name in names] for letter in letters[:_LETTERS_SHOWN]]
                ),
            }
        )

    return dead_letters


def _provisional(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.provisional_key(feed.name),
        deps=[naming.pulled_key(feed.name), naming.ledger_key(feed), naming.FX_SNAPSHOTS],
        description="Fallback for missing dates: the last good delivery, otherwise a provisional accrual "
        "from the vendor's terms at cached rates. Accruals have a table of their own, apart from the ledger, "
        "and are released when the invoices arrive.",
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
        tags=naming.step_tags(naming.LEDGER, feed.name),
    )
    def provisional(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        dates = partition_dates(context)
        with plain_failures():
            workspace = data.workspace()
            fallback = apply_fallback(workspace, feed, dates)
            accruals = open_accruals(workspace, dates[0], dates[-1], feed.name)
        rows = accruals.to_pylist()
        for day in dates:
            of_day = [row for row in rows if row["transaction_date"] == day]
            metadata: dict[str, Any] = {"dagster/partition_row_count": len(of_day)}
            if of_day:
                names = ("account", "currency", "amount", "base_amount", "rate_date", "due_date")
                metadata["accruals"] = counts_table(names, [[row[name] for name in names] for row in of_day])
            if steps := [step.step for step in fallback.steps if step.transaction_date == day]:
                metadata["steps"] = ", ".join(steps)
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        return dg.MaterializeResult(
            metadata={"accrued_now": fallback.accrued, "released_now": fallback.released}
        )

    return provisional


def api_checks(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a feed's pulls; empty without an API. They only warn: the vendor is at fault."""
    if feed.api is None:
        return []
    return [
        partition_check(
            asset=naming.pulled_key(feed.name),
            name="dates_complete",
            description="Every page of the date's window is stored.",
            partitions=partitions,
            evaluate=partial(dates_complete, feed=feed),
            severity=_WARN,
        ),
        whole_check(
            asset=naming.dead_letters_key(feed.name),
            name="nothing_missing",
            description="No page of the vendor's API is missing (SC-API-001).",
            evaluate=partial(nothing_missing, feed=feed),
            severity=_WARN,
        ),
    ]
