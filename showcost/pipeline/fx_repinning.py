"""Repinning of dates: the known rates in place of wrong pinned ones, and their entries posted again.

The audit record comes first; the entries follow. A repinning that died in between is finished by the same
command, or by the next run: its dates are due.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from showcost.core.errors import InputError
from showcost.fx.pinned_snapshots import active_snapshots
from showcost.fx.snapshot_plan import RateStatus, build_snapshots, rate_text
from showcost.ingest.landing import landed
from showcost.ledger.fx_repinning import open_accruals_at, repin_recorded
from showcost.ledger.queries import reversible_rows
from showcost.ledger.recovery import writing
from showcost.pipeline.due import due_by_rates
from showcost.pipeline.periods import closed_periods
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.rate_files import jump_rule, stored_history
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import validate_partitions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.audit.log import Record
    from showcost.config.feed import FeedSpec
    from showcost.fx.history import RateHistory
    from showcost.fx.snapshot_plan import SnapshotPlan
    from showcost.workspace import Workspace

REPIN_RUN = "repin"
"""The run id of batches that a repinning posted."""

_SHOWN = 3


@dataclass(frozen=True)
class RepinResult:
    """The result of a repinning.

    `record` is its audit record, None if the pinned rates were the known ones already. `appended` are the
    entries appended per feed, `touched` the partitions per feed. `waiting` are feeds with deliveries that are
    not read, whose entries the next run posts. `others` are pinned dates that differ from the known rates as
    well, `accruals` the open provisional accruals at a replaced rate, which keep it.
    """

    record: Record | None
    appended: dict[str, int]
    touched: dict[str, list[str]]
    waiting: tuple[str, ...]
    others: tuple[date, ...]
    accruals: int


def repin(workspace: Workspace, dates: Sequence[date], *, who: str, why: str) -> RepinResult:
    """Replace the pinned rates of dates by the known ones, and post the entries at other rates again.

    Raises InputError for a date that is not pinned, has no rates in force, or lies in a closed period, and
    for a known rate that jumped and that no person accepted.
    """
    days = sorted(set(dates))
    history = stored_history(workspace)
    plan = build_snapshots(history, days, workspace.production.fx.carry_days)
    _refuse_closed(workspace, days)
    _refuse_unusable(workspace, plan, days)
    _refuse_jumps(workspace, history, plan, days)
    ledger = workspace.ledger
    with writing(ledger) as connection:
        record = repin_recorded(ledger, connection, plan, who=who, why=why, now=ledger.audit.now())
    return _posted_again(workspace, days, record, history)


def _posted_again(
    workspace: Workspace, days: Sequence[date], record: Record | None, history: RateHistory
) -> RepinResult:
    appended: Counter[str] = Counter()
    touched: dict[str, list[str]] = {}
    waiting = []
    for feed in workspace.feeds:
        with workspace.ledger.read() as connection:
            reversible = reversible_rows(connection, feed.name)
        own = [day for day in days if day in reversible or day in due_by_rates(workspace, feed)]
        if not own:
            continue
        if not _is_read(workspace, feed):
            waiting.append(feed.name)
            continue
        for day in own:
            write_raw_rows(workspace, feed, [day])
            validate_partitions(workspace, feed, [day])
            appended[feed.name] += post_partitions(workspace, feed, [day], REPIN_RUN).total()
        touched[feed.name] = [day.isoformat() for day in own]
    with workspace.ledger.read() as connection:
        accruals = open_accruals_at(connection, days)
    others = differing_dates(workspace, history)
    return RepinResult(record, dict(appended), touched, tuple(waiting), others, accruals)


def _is_read(workspace: Workspace, feed: FeedSpec) -> bool:
    """Tell whether the rows of every delivery of a feed are staged, so that none is reversed for good."""
    return len(landed(workspace, feed)) == len(workspace.register.deliveries(feed.name))


def differing_dates(workspace: Workspace, history: RateHistory) -> tuple[date, ...]:
    """Return the pinned dates whose active snapshot differs from the known rates, ascending."""
    with workspace.ledger.read() as connection:
        pinned = dict(
            connection.execute(
                f"SELECT snapshot_date, hash FROM {active_snapshots()} ORDER BY snapshot_date"  # noqa: S608 - no values
            ).fetchall()
        )
    if not pinned:
        return ()
    plan = build_snapshots(history, list(pinned), workspace.production.fx.carry_days)
    known = plan.snapshots.select(["snapshot_date", "hash"]).to_pylist()
    return tuple(row["snapshot_date"] for row in known if pinned[row["snapshot_date"]] != row["hash"])


def _refuse_closed(workspace: Workspace, days: Sequence[date]) -> None:
    for period in closed_periods(workspace):
        if inside := [day for day in days if day in period]:
            raise InputError(
                f"{inside[0]} lies in the closed period {period.name}; reopen the period first; nothing was"
                " changed"
            )


def _refuse_unusable(workspace: Workspace, plan: SnapshotPlan, days: Sequence[date]) -> None:
    with workspace.ledger.read() as connection:
        pinned = {day for (day,) in connection.execute("SELECT snapshot_date FROM fx_snapshots").fetchall()}
    if unpinned := [day for day in days if day not in pinned]:
        raise InputError(f"{unpinned[0]} is not pinned; `showcost fx pin` pins it; nothing was changed")
    known = set(plan.dates(RateStatus.OK))
    if unknown := [day for day in days if day not in known]:
        raise InputError(f"no rates are known for {unknown[0]}; import a rate file; nothing was changed")


def _refuse_jumps(
    workspace: Workspace, history: RateHistory, plan: SnapshotPlan, days: Sequence[date]
) -> None:
    rule = jump_rule(workspace, history, days)
    before = {(row["date"], row["currency"]): row["rate"] for row in rule.before.to_pylist()}
    accepted = {tuple(row.values()) for row in rule.accepted.to_pylist()}
    for row in plan.rate_states.filter(plan.rate_states.column("rate").is_valid()).to_pylist():
        place = row["publication_date"], row["currency"]
        earlier, rate = before.get(place), row["rate"]
        if earlier is None or (*place, rate) in accepted:
            continue
        if abs(rate - earlier) * 100 > earlier * rule.percent:
            raise InputError(
                f"the known rate of {row['currency']} on {row['publication_date']}, {rate_text(rate)}, moves"
                f" by more than {rule.percent}% from {rate_text(earlier)}; `showcost fx accept` accepts it;"
                " nothing was changed"
            )
