"""Pay findings of a payroll feed: pay rules over an employee's neighbouring days, across partitions.

The range of days is decided here: after a day was validated, the weeks before and after it are checked
again, with all earlier earnings. So when a day arrives late, the days near it are checked again, and new
findings about them are appended; valid rows and entries stay unchanged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import FieldType
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
    """Result: the days checked (`first` to `last`), findings opened and cleared, and the feed's findings now.

    `open_findings` are neither dismissed nor cleared; `dismissed` are the dismissals of findings that still
    hold. `missing` is the first day without valid rows in staging: days near it are not checked until it is
    made again.
    """

    first: date
    last: date
    opened: int = 0
    cleared: int = 0
    open_findings: tuple[PayFinding, ...] = ()
    codes: Counter[str] = field(default_factory=Counter)
    dismissed: tuple[FindingLine, ...] = ()
    missing: date | None = None


def affected_days(workspace: Workspace, dates: Sequence[date]) -> tuple[date, date]:
    """Return the first and last day whose findings may change after some dates were validated.

    Days within `REACH`, and all later days of the production: earlier earnings may have reached a ceiling.
    """
    return min(dates) - REACH, max(max(dates) + REACH, workspace.production.dates.end)


def valid_neighbours(workspace: Workspace, feed: FeedSpec, last: date) -> pa.Table:
    """Return the valid rows of a feed up to a day, from all its partitions, each file verified.

    Partitions that are not in staging are left out: see `first_missing_day`. IntegrityError, which names the
    partition, for one that was validated before rows had pay rules.
    """
    store = workspace.staging
    asset = valid_asset(feed.name)
    columns = arrow_schema(feed.kind, RowTable.VALID)
    parts = [columns.empty_table()]
    for key in (key for key in store.partitions(asset) if key <= last.isoformat()):
        staged = store.metadata(asset, key)
        if staged is None or not staged.rows:
            continue
        if not set(columns.names) <= set(store.columns(asset, key)):
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
    """Check the valid rows around some dates; append new findings, and clear those that no longer hold.

    Staging may be deleted and made again day by day. A day is checked only when all days within reach of a
    rule are in staging: a missing neighbour would clear findings, and their dismissals with them.
    """
    first, last = affected_days(workspace, dates)
    missing = first_missing_day(workspace, feed)
    if missing is not None:
        last = min(last, missing - REACH - timedelta(days=1))
    rows = valid_neighbours(workspace, feed, last + REACH)
    findings_table = pay_findings(
        rows,
        feed=feed,
        production=workspace.production,
        chart=workspace.chart,
        agreements=workspace.agreements,
    )
    days = findings_table.column("transaction_date")
    affected = findings_table.filter(pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last)))
    store = workspace.pay_findings
    opened, cleared = store.update(
        feed.name,
        (first.isoformat(), last.isoformat()),
        [_finding(feed.name, row) for row in affected.to_pylist()],
        clock(),
    )
    open_findings, dismissed = store.open_and_dismissed(feed.name)
    codes = Counter(finding.code for finding in open_findings)
    return FindingsResult(
        first, last, opened, cleared, tuple(open_findings), codes, tuple(dismissed), missing
    )


def first_missing_day(workspace: Workspace, feed: FeedSpec) -> date | None:
    """Return the first day that the audit log has as validated, but without valid rows in staging."""
    log = outcome_logs(workspace.audit).get(feed.name)
    validated = log.parts - {ALL} if log is not None else frozenset[str]()
    missing = validated - set(workspace.staging.partitions(valid_asset(feed.name)))
    return min(map(date.fromisoformat, missing), default=None)


def _finding(feed: str, row: dict[str, Any]) -> PayFinding:
    return PayFinding(**(row | {"feed": feed, "transaction_date": str(row["transaction_date"])}))


REACH: Final = timedelta(days=7)
"""Days before and after a day that a rule over neighbouring days covers: the workweek, a weekend's rest.

A ceiling covers all earlier earnings.
"""


def pay_findings(
    valid: pa.Table, *, feed: FeedSpec, production: Production, chart: Chart, agreements: Agreements
) -> pa.Table:
    """Return the pay rules' findings about valid rows of a payroll feed, with the columns of `FINDINGS`.

    `valid` has the valid columns of the record kind. All its rows are checked, as neighbours of each other:
    to check some days, a caller passes those within `REACH` too, and keeps the findings about its own.
    """
    rows = valid.select(arrow_schema(feed.kind, RowTable.VALID).names)
    reference = Reference(feed, production, chart, None, agreements)
    return findings(reference.pay, cells_of_valid(rows, reference), rows)


def cells_of_valid(valid: pa.Table, reference: Reference) -> pa.Table:
    """Return valid rows as typed cells for the pay rules; no cell has a problem."""
    kind = reference.feed.kind
    columns = {field.name: valid.column(field.name) for field in kind.fields}
    for name in kind.of_type(FieldType.AMOUNT):
        columns[f"{name}__problem"] = pc.if_else(
            pc.is_null(columns[name]), BLANK, pa.scalar(None, pa.string())
        )
    columns["date"] = valid.column("transaction_date")
    return look_up(pa.table(columns), reference)
