"""Pay findings of a payroll feed: rules over an employee's neighbouring days, in whatever partition they are.

Which days a rule reaches over is settled here: a day that was validated is looked at again together with a
week before and after it, and with all that was earned before. So a day that comes late has its neighbours
looked at again, and what is found about them is appended; valid rows and entries stay as they are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import PAYROLL, FieldType
from showcost.core.errors import IntegrityError
from showcost.pay.findings import findings
from showcost.pay.findings_log import FindingLine, PayFinding
from showcost.pipeline.outcomes import outcome_logs
from showcost.staging import ALL
from showcost.staging.assets import valid_asset
from showcost.validation.columns import RowTable, arrow_schema
from showcost.validation.reference import Reference, look_up
from showcost.values.column import BLANK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.config.agreements import Agreements
    from showcost.config.chart import Chart
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class FindingsResult:
    """What was looked at (`first` to `last`), what was appended, and what stands now for the feed.

    `standing` are the findings that wait for a look, `dismissed` the lines by which others were dismissed.
    `missing` is the first day whose valid rows have to be made again before days near it can be looked at.
    """

    first: date
    last: date
    opened: int = 0
    cleared: int = 0
    standing: tuple[PayFinding, ...] = ()
    codes: Counter[str] = field(default_factory=Counter)
    dismissed: tuple[FindingLine, ...] = ()
    missing: date | None = None


def reached(workspace: Workspace, dates: Sequence[date]) -> tuple[date, date]:
    """Return the span of days whose findings may change when some dates were validated anew.

    To the days within `REACH` come all later ones, since what was earned before may have reached a ceiling.
    """
    return min(dates) - REACH, max(max(dates) + REACH, workspace.production.dates.end)


def valid_neighbours(workspace: Workspace, feed: FeedSpec, last: date) -> pa.Table:
    """Return the valid rows of a feed up to a day, over all its partitions, each verified.

    IntegrityError, which names the partition, for one that was validated before pay rules were kept.
    """
    store = workspace.staging
    asset = valid_asset(feed.name)
    columns = arrow_schema(PAYROLL, RowTable.VALID)
    parts = [columns.empty_table()]
    for key in (key for key in store.partitions(asset) if key <= last.isoformat()):
        staged = store.metadata(asset, key)
        if staged is None or not staged.rows:
            continue
        if not set(columns.names) <= {name for name, _ in staged.columns}:
            raise IntegrityError(
                f"{asset} of {key} was validated by another version of showcost: materialise it again"
            )
        parts.append(store.read(asset, key).select(columns.names).cast(columns))
    return pa.concat_tables(parts)


def write_pay_findings(
    workspace: Workspace,
    feed: FeedSpec,
    dates: Sequence[date],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FindingsResult:
    """Look at the valid rows around some dates and append what is found, and what no longer holds.

    Staging may be deleted and made again day by day. A day is looked at only when all the days that a rule
    about it may reach are there: an absent neighbour would clear findings, and the dismissals with them.
    """
    first, last = reached(workspace, dates)
    missing = first_missing(workspace, feed)
    if missing is not None:
        last = min(last, missing - REACH - timedelta(days=1))
    rows = valid_neighbours(workspace, feed, last + REACH)
    found = pay_findings(
        rows,
        feed=feed,
        production=workspace.production,
        chart=workspace.chart,
        agreements=workspace.agreements,
    )
    days = found.column("transaction_date")
    about = found.filter(pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last)))
    store = workspace.pay_findings
    opened, cleared = store.update(
        feed.name,
        (first.isoformat(), last.isoformat()),
        [_finding(feed.name, one) for one in about.to_pylist()],
        clock(),
    )
    standing, dismissed = store.open_and_dismissed(feed.name)
    codes = Counter(one.code for one in standing)
    return FindingsResult(first, last, opened, cleared, tuple(standing), codes, tuple(dismissed), missing)


def first_missing(workspace: Workspace, feed: FeedSpec) -> date | None:
    """Return the first day that was validated, by the audit log, but has no valid rows in staging."""
    log = outcome_logs(workspace.audit).get(feed.name)
    validated = log.parts - {ALL} if log is not None else frozenset[str]()
    missing = validated - set(workspace.staging.partitions(valid_asset(feed.name)))
    return min(map(date.fromisoformat, missing), default=None)


def _finding(feed: str, row: dict[str, Any]) -> PayFinding:
    return PayFinding(**(row | {"feed": feed, "transaction_date": str(row["transaction_date"])}))


REACH: Final = timedelta(days=7)
"""How far, before and after a day, a rule over neighbouring days looks: the workweek, and a weekend's rest.

What a ceiling looks at is all that was earned before.
"""


def pay_findings(
    valid: pa.Table, *, feed: FeedSpec, production: Production, chart: Chart, agreements: Agreements
) -> pa.Table:
    """Return what the pay rules find in valid rows of a payroll feed, with the columns of `FINDINGS`.

    `valid` has the valid columns of the record kind. All rows in it are neighbours of each other, and all
    are judged: who asks about some days hands in those within `REACH` too, and takes what is about his.
    """
    rows = valid.select(arrow_schema(PAYROLL, RowTable.VALID).names)
    reference = Reference(feed, production, chart, None, agreements)
    return findings(reference.pay, cells_of_valid(rows, reference), rows)


def cells_of_valid(valid: pa.Table, reference: Reference) -> pa.Table:
    """Return valid rows as the cells that rules look at; none of them has a fault of its own."""
    columns = {field.name: valid.column(field.name) for field in PAYROLL.fields}
    for name in PAYROLL.of_type(FieldType.AMOUNT):
        columns[f"{name}__problem"] = pc.if_else(
            pc.is_null(columns[name]), BLANK, pa.scalar(None, pa.string())
        )
    columns["date"] = valid.column("transaction_date")
    return look_up(pa.table(columns), reference)
