"""The bridge from all that is posted to the cost in the cost report, and the rows that are not posted.

Recoverable tax and refundable deposits are posted and are no cost; the bridge names each balance account, so
that no total surprises. Rows that wait in the queue are in no total: they are counted here.
"""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.chart import AccountKind
from showcost.reports.cost.omissions import untranslated_postings
from showcost.reports.status import STATES, feed_status
from showcost.reports.tables import ColumnType, ReportColumn, ReportTable, incomplete

if TYPE_CHECKING:
    from decimal import Decimal

    import duckdb

    from showcost.reports.cost.basis import ReportBasis
    from showcost.workspace import Workspace

COLUMNS: Final = (
    ReportColumn("line", "Line", ColumnType.TEXT, "step from the posted total to the cost"),
    ReportColumn("account", "Account", ColumnType.TEXT, "balance account that is taken off"),
    ReportColumn("amount", "Amount", ColumnType.MONEY, "sum of the entries, reversals included"),
)

POSTED: Final = "Posted to the ledger"
LESS: Final = "Less balance account"
COST: Final = "Cost to date"
"""The lines of the bridge; the last one is the total of the cost report."""

NOT_POSTED_COLUMNS: Final = (
    ReportColumn("feed", "Feed", ColumnType.TEXT, "feed of the rows"),
    ReportColumn("state", "State", ColumnType.TEXT, "quarantined, duplicate, pending or discarded"),
    ReportColumn("currency", "Currency", ColumnType.TEXT, "currency of the amounts that can be read"),
    ReportColumn(
        "rows",
        "Rows",
        ColumnType.COUNT,
        "rows of the state, in all currencies, on the first line of the state",
        is_summed=True,
    ),
    ReportColumn("amount", "Amount", ColumnType.ORIGINAL, "sum of the amounts that can be read"),
)

_STATES: Final = tuple(state for state in STATES if state != "posted")


def bridge(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> ReportTable:
    """Return the bridge from posted to cost; the connection is that of `open_entries`."""
    table = ReportTable(
        "bridge",
        f"From posted to cost, to {basis.period.end}",
        COLUMNS,
        connection.sql(_BRIDGE).to_arrow_table(),
        basis.currency,
        notes=(
            "Balance accounts hold what comes back or is settled: recoverable tax, refundable deposits.",
            "Purchase orders, estimates and budgets are not posted.",
        ),
    )
    return incomplete(table, untranslated_postings(connection, basis))


def not_posted(workspace: Workspace, basis: ReportBasis) -> ReportTable:
    """Return the delivered rows that are not in the ledger, per feed, state and currency, of all dates."""
    rows: list[tuple[str, str, str | None, int | None, Decimal | None]] = []
    for feed in workspace.feeds:
        total = feed_status(workspace, feed, basis.as_of).total
        for state in _STATES:
            if count := getattr(total, state):
                amounts: list[tuple[str | None, Decimal | None]] = [
                    *sorted(total.amounts.get(state, {}).items())
                ]
                counts = [count, *[None] * len(amounts)]
                rows += [
                    (feed.name, state, currency, number, amount)
                    for number, (currency, amount) in zip(counts, amounts or [(None, None)], strict=False)
                ]
    cells = list(zip(*rows, strict=True)) or [()] * len(NOT_POSTED_COLUMNS)
    types = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.decimal128(38, 4))
    return ReportTable(
        "not_posted",
        "Delivered and not posted",
        NOT_POSTED_COLUMNS,
        pa.table(
            {
                column.name: pa.array(values, kind)
                for column, values, kind in zip(NOT_POSTED_COLUMNS, cells, types, strict=True)
            }
        ),
        basis.currency,
        notes=(
            "These rows are in no total. They are of all dates, also after the period.",
            "Amounts are those of the rows' own line, without tax; amounts that cannot be read are missing.",
        ),
    )


_BRIDGE: Final = f"""
WITH accounts AS (
    SELECT account, name, kind, place, sum(report_amount) AS amount
    FROM report_entries JOIN report_accounts USING (account, kind) GROUP BY ALL),
numbered AS (
    SELECT 0 AS step, 0 AS place, '{POSTED}' AS line, '' AS account, coalesce(sum(amount), 0) AS amount
    FROM accounts
    UNION ALL
    SELECT 1, place, '{LESS}: ' || name, account, -amount FROM accounts
    WHERE kind <> '{AccountKind.COST}'
    UNION ALL
    SELECT 2, 0, '{COST}', '', coalesce(sum(amount), 0) FROM accounts WHERE kind = '{AccountKind.COST}')
SELECT line, account, CAST(amount AS DECIMAL(38, 4)) AS amount FROM numbered ORDER BY step, place, account
"""
