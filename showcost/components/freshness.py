"""Freshness of the assets that people wait for: the time after which they are late."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from showcost.config.reporting_periods import reporting_periods

if TYPE_CHECKING:
    from showcost.config.production import Production

MORNING: Final = "0 9 * * *"
"""The time, in the production's time zone, by which the night's work is done."""


def every_morning(production: Production, within: timedelta) -> dg.FreshnessPolicy:
    """Return the policy of an asset that is made every night, in the time `within` before the morning."""
    return dg.FreshnessPolicy.cron(
        deadline_cron=MORNING, lower_bound_delta=within, timezone=production.timezone
    )


def after_every_period(production: Production) -> dg.FreshnessPolicy:
    """Return the policy of an asset that is made on the day after each reporting period."""
    lengths = (period.end - period.start for period in reporting_periods(production))
    # From the day after one period to the day after the next, and a day to notice it.
    return dg.FreshnessPolicy.time_window(fail_window=max(lengths, default=timedelta()) + timedelta(days=2))
