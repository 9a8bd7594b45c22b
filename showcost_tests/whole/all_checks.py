"""All checks of a production, run on its stored data without Dagster."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from showcost.checks import feed as feed_checks
from showcost.checks import fx as fx_checks
from showcost.checks import ledger as ledger_checks
from showcost.checks import reports as report_checks
from showcost.core.errors import IntegrityError
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from showcost.checks.result import CheckOutcome
    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace

OF_A_FEED: Final = {
    "deliveries deliveries_readable": feed_checks.deliveries_readable,
    "deliveries records_reconcile": feed_checks.records_reconcile,
    "undated all_rows_dated": feed_checks.all_rows_dated,
}
OF_A_FEEDS_DATES: Final = {
    "valid schema": feed_checks.valid_schema,
    "valid rows_reconcile": feed_checks.rows_reconcile,
    "quarantine no_rejected_rows": feed_checks.no_rejected_rows,
    "posted amounts_balance": feed_checks.amounts_balance,
    "posted fx_pinned": feed_checks.fx_pinned,
}
OF_ALL: Final = {
    "fx_snapshots calendar_complete": fx_checks.calendar,
    "fx_snapshots day_on_day_jump": fx_checks.jumps,
    "fx_snapshots irs_yearly_average": fx_checks.irs_band,
    "ledger_entries audit_chain": ledger_checks.audit_chain,
    "cost_report totals_equal_the_ledger": report_checks.totals_equal_the_ledger,
    "cost_report budget_is_complete": report_checks.budget_is_complete,
    "trial_balance trial_balance_is_zero": report_checks.trial_balance_is_zero,
    "lender_snapshot packs_are_unchanged": report_checks.packs_are_unchanged,
}
OF_ALL_DATES: Final = {
    "fx_snapshots snapshot_unchanged": fx_checks.snapshots_unchanged,
    "ledger_entries append_only": ledger_checks.append_only,
    "ledger_entries documents_balance": ledger_checks.documents_balance,
    "ledger_entries amounts_balance": ledger_checks.batches_balance,
    "ledger_entries within_purchase_orders": ledger_checks.within_purchase_orders,
}
NAMES: Final = OF_A_FEED.keys() | OF_A_FEEDS_DATES.keys() | OF_ALL.keys() | OF_ALL_DATES.keys()
"""Every check, as the beginning of its asset's name and its own name."""


def failing(workspace: Workspace) -> dict[str, str]:
    """Return the failed checks with their messages, including errors for damaged bytes."""
    failures: dict[str, str] = {}
    for name, judge in _judges(workspace):
        try:
            verdicts = judge()
        except IntegrityError as error:
            failures[name] = str(error)
            continue
        wrong = {day: verdict.message for day, verdict in verdicts.items() if not verdict.passed}
        if wrong:
            failures[name] = "; ".join(
                f"{day}: {message}" if day else message for day, message in wrong.items()
            )
    return failures


Verdicts: TypeAlias = "Mapping[date, CheckOutcome] | Mapping[None, CheckOutcome]"


def _judges(workspace: Workspace) -> Iterator[tuple[str, Callable[[], Verdicts]]]:
    (feed,) = workspace.feeds
    for name, of_feed in OF_A_FEED.items():
        yield name, partial(_whole, partial(of_feed, feed=feed), workspace)
    for name, of_dates in OF_A_FEEDS_DATES.items():
        yield name, partial(_dated, of_dates, workspace, feed)
    for name, of_all in OF_ALL.items():
        yield name, partial(_whole, of_all, workspace)
    for name, of_all_dates in OF_ALL_DATES.items():
        yield name, partial(of_all_dates, workspace, small.WEEK)


def _whole(judge: Callable[[Workspace], CheckOutcome], workspace: Workspace) -> Verdicts:
    return {None: judge(workspace)}


def _dated(
    judge: Callable[..., Mapping[date, CheckOutcome]], workspace: Workspace, feed: FeedSpec
) -> Mapping[date, CheckOutcome]:
    return judge(workspace, small.WEEK, feed=feed)
