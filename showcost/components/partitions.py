"""The only partitioning: daily, by transaction date, over the production's dates."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from showcost.config.production import Production


def daily_partitions(production: Production) -> dg.DailyPartitionsDefinition:
    """Return daily partitions in the production's time zone, from its first to its last day.

    Today's partition exists from midnight on (`end_offset`): a cost of today is pending until its rate is
    published, not hidden until tomorrow. Later days appear when they begin.
    """
    return dg.DailyPartitionsDefinition(
        start_date=production.dates.start.isoformat(),
        end_date=(production.dates.end + timedelta(days=1)).isoformat(),
        timezone=production.timezone,
        end_offset=1,
    )


def partition_dates(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """Return the dates of all partitions of a step, ascending.

    Never use `partition_key`: in a range run, one step covers many partitions.
    """
    keys = context.partition_keys if isinstance(context, dg.AssetExecutionContext) else _check_keys(context)
    return sorted(date.fromisoformat(key) for key in keys)


def _check_keys(context: dg.AssetCheckExecutionContext) -> list[str]:
    return list(context.op_execution_context.partition_keys)
