"""Asset keys, groups and tags of the asset graph.

Groups are the steps of a cost's path, so that the collapsed graph shows the path itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec

DELIVERIES: Final = "deliveries"
RAW_ROWS: Final = "raw_rows"
VALIDATION: Final = "validation"
RATES: Final = "fx_snapshots"
LEDGER: Final = "ledger"
REPORTS: Final = "reports"

LEDGER_POOL: Final = "ledger"
"""The pool, of size one, of all steps that write to the ledger database. Reading needs no slot."""

JOB: Final = "costs_by_transaction_date"
"""The job over all assets of the production but the lender snapshot."""

LENDER_JOB: Final = "lender_snapshot_of_a_period"
"""The job that seals the report of a period."""

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"
"""Tags that make one Dagster run cover a range of partitions."""

FX_SNAPSHOTS: Final = dg.AssetKey("fx_snapshots")
LEDGER_ENTRIES: Final = dg.AssetKey("ledger_entries")
QUEUE: Final = dg.AssetKey("reconciliation_queue")
GUILD_PACKS: Final = dg.AssetKey("guild_packs")
COST_REPORT: Final = dg.AssetKey("cost_report")
TRIAL_BALANCE: Final = dg.AssetKey("trial_balance")
LENDER_SNAPSHOT: Final = dg.AssetKey("lender_snapshot")
HOT_COSTS: Final = dg.AssetKey("hot_costs")
QUALIFIED_SPEND: Final = dg.AssetKey("qualified_spend")
VERIFICATION: Final = dg.AssetKey("verification")

REPORT_ASSETS: Final = (COST_REPORT, TRIAL_BALANCE, HOT_COSTS, QUALIFIED_SPEND)
"""The reports that follow every run; a production has those that apply to it."""


def pulled_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's pulls from a vendor's API."""
    return dg.AssetKey(f"pulled_{feed}")


def dead_letters_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's dead letters: API pages that failed."""
    return dg.AssetKey(f"dead_letters_{feed}")


def provisional_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's provisional accruals."""
    return dg.AssetKey(f"provisional_{feed}")


def deliveries_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's deliveries."""
    return dg.AssetKey(f"deliveries_{feed}")


def raw_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's raw rows."""
    return dg.AssetKey(f"raw_{feed}")


def undated_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's rows without a transaction date."""
    return dg.AssetKey(f"undated_{feed}")


def valid_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's valid rows."""
    return dg.AssetKey(f"valid_{feed}")


def quarantine_key(feed: str) -> dg.AssetKey:
    """Return the key of a feed's quarantined rows."""
    return dg.AssetKey(f"quarantine_{feed}")


def posted_key(feed: str) -> dg.AssetKey:
    """Return the key of the ledger entries posted from a feed."""
    return dg.AssetKey(f"posted_{feed}")


def recorded_key(feed: str) -> dg.AssetKey:
    """Return the key of the plan lines recorded from a feed."""
    return dg.AssetKey(f"recorded_{feed}")


def ledger_key(feed: FeedSpec) -> dg.AssetKey:
    """Return the key of a feed's last asset: its entries, or for a kind of plan its plan lines."""
    return recorded_key(feed.name) if feed.kind.is_plan else posted_key(feed.name)


def pay_findings_key(feed: str) -> dg.AssetKey:
    """Return the key of a payroll feed's pay findings."""
    return dg.AssetKey(f"pay_findings_{feed}")


def dated_keys(feed: FeedSpec) -> tuple[dg.AssetKey, ...]:
    """Return the keys of a feed's partitioned assets, in pipeline order."""
    of_pay = (pay_findings_key,) if feed.kind.has_pay_rules else ()
    keys = tuple(key(feed.name) for key in (raw_key, valid_key, quarantine_key, *of_pay))
    return (*keys, ledger_key(feed))


def dated_keys_of(feeds: Sequence[FeedSpec]) -> list[dg.AssetKey]:
    """Return the keys of the partitioned assets of feeds, with accruals of APIs and packs for guilds."""
    keys = [key for feed in feeds for key in dated_keys(feed)]
    keys += [provisional_key(feed.name) for feed in feeds if feed.api is not None]
    return [*keys, *([GUILD_PACKS] if any(feed.kind.has_pay_rules for feed in feeds) else [])]


def landing_keys(feed: FeedSpec) -> tuple[dg.AssetKey, ...]:
    """Return the keys of a feed's assets without partitions, in pipeline order."""
    dead = () if feed.api is None else (dead_letters_key(feed.name),)
    return (*dead, deliveries_key(feed.name), undated_key(feed.name))


def step_tags(step: str, feed: str) -> Mapping[str, str]:
    """Return the tags for filtering the graph."""
    return {"showcost/stage": step, "showcost/feed": feed}
