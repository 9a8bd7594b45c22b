"""The asset checks of a feed: structure and balance block, rejected rows only warn.

A rejected row is not a pipeline failure: it is in quarantine with its reasons, and a check warns about it.
Wrong columns or row counts of valid rows are errors and block everything downstream.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from showcost.checks import feed as checks
from showcost.checks.feed import no_pay_findings
from showcost.components import naming
from showcost.components.checks import partition_check, whole_check

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec

_WARN = dg.AssetCheckSeverity.WARN


def feed_checks(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetChecksDefinition]:
    """Return all checks of a feed's assets."""
    valid, quarantine = naming.valid_key(feed.name), naming.quarantine_key(feed.name)
    posted = naming.ledger_key(feed)
    return [
        whole_check(
            asset=naming.deliveries_key(feed.name),
            name="deliveries_readable",
            description="No delivery was refused as a whole (SC-FIL codes), and every control total is "
            "confirmed.",
            evaluate=partial(checks.deliveries_readable, feed=feed),
            severity=_WARN,
        ),
        whole_check(
            asset=naming.deliveries_key(feed.name),
            name="records_reconcile",
            description="Per delivery: records received = rows of its dates + undated rows.",
            evaluate=partial(checks.records_reconcile, feed=feed),
        ),
        whole_check(
            asset=naming.undated_key(feed.name),
            name="all_rows_dated",
            description="Every row has a readable transaction date within the production's dates.",
            evaluate=partial(checks.all_rows_dated, feed=feed),
            severity=_WARN,
        ),
        partition_check(
            asset=valid,
            name="schema",
            description="pandera, lazily: columns, types, required fields, the production's currencies, "
            "minor units, and components that carry the row's amounts.",
            partitions=partitions,
            evaluate=partial(checks.valid_schema, feed=feed),
            blocking=True,
        ),
        partition_check(
            asset=valid,
            name="rows_reconcile",
            description="received = valid + quarantined + duplicate + pending + discarded; each raw row "
            "exactly once.",
            partitions=partitions,
            evaluate=partial(checks.rows_reconcile, feed=feed),
            blocking=True,
        ),
        partition_check(
            asset=quarantine,
            name="no_rejected_rows",
            description="No row of the date was rejected; otherwise the reasons, most frequent first.",
            partitions=partitions,
            evaluate=partial(checks.no_rejected_rows, feed=feed),
            severity=_WARN,
        ),
        *(
            (
                partition_check(
                    asset=naming.pay_findings_key(feed.name),
                    name="no_pay_findings",
                    description="No open pay findings: turnaround, consecutive days, weekly hours, ceilings.",
                    partitions=partitions,
                    evaluate=partial(no_pay_findings, feed=feed),
                    severity=_WARN,
                ),
            )
            if feed.kind.has_pay_rules
            else ()
        ),
        partition_check(
            asset=posted,
            name="amounts_balance",
            description="Per currency, the plan lines sum to the valid rows, and every valid row has one."
            if feed.kind.is_plan
            else "Per currency, the entries sum to the valid rows, and every valid row is posted.",
            partitions=partitions,
            evaluate=partial(checks.amounts_balance, feed=feed),
        ),
        *(() if feed.kind.is_plan else (_fx_pinned(feed, partitions),)),
    ]


def _fx_pinned(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetChecksDefinition:
    return partition_check(
        asset=naming.posted_key(feed.name),
        name="fx_pinned",
        description="Every entry has the rates of the pinned snapshot of its date, no older than the "
        "policy allows, and that snapshot is unchanged.",
        partitions=partitions,
        evaluate=partial(checks.fx_pinned, feed=feed),
    )
