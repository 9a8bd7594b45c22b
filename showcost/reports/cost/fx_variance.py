"""The FX variance: costs as posted, less the same original amounts at the budget rates.

Completion bonds usually exclude exchange losses, so they are shown apart from the variance of the budget. In
base currency, per currency and account: sum of base amount - round(original amount x budget rate), where each
entry is rounded once. A negative variance is a gain: the cost was lower than at the budget rate.
"""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.config.chart import AccountKind
from showcost.reports.tables import ColumnType, Omission, ReportColumn, ReportTable, incomplete
from showcost.reports.writers.figures import figure_text

if TYPE_CHECKING:
    import duckdb

    from showcost.config.production import Production
    from showcost.reports.cost.basis import ReportBasis

COLUMNS: Final = (
    ReportColumn("currency", "Currency", ColumnType.TEXT, "original currency of the costs"),
    ReportColumn("account", "Account", ColumnType.TEXT, "number in the chart of accounts"),
    ReportColumn("name", "Description", ColumnType.TEXT, "name of the account"),
    ReportColumn("original", "Original amount", ColumnType.ORIGINAL, "costs in their original currency"),
    ReportColumn("budget_rate", "Budget rate", ColumnType.RATE, "base units per unit of the currency"),
    ReportColumn(
        "at_budget_rate",
        "At the budget rate",
        ColumnType.MONEY,
        "original amounts times the budget rate, each entry rounded once",
        is_summed=True,
    ),
    ReportColumn(
        "base_amount",
        "As posted",
        ColumnType.MONEY,
        "base amounts of the entries, at the pinned rates of their dates",
        is_summed=True,
    ),
    ReportColumn(
        "fx_variance",
        "FX variance",
        ColumnType.MONEY,
        "as posted less at the budget rate; negative is a gain",
        is_summed=True,
        formula="base_amount - at_budget_rate",
    ),
)


def fx_variance(
    connection: duckdb.DuckDBPyConnection, production: Production, basis: ReportBasis
) -> ReportTable:
    """Return the FX variance per currency and account, in base; the connection is that of `open_entries`."""
    table = ReportTable(
        "fx_variance",
        f"FX variance to {basis.period.end}",
        COLUMNS,
        connection.sql(_VARIANCE, params={"base": production.base_currency}).to_arrow_table(),
        production.base_currency,
        group_by=("currency",),
    )
    return incomplete(
        table,
        [
            Omission(
                ("at_budget_rate", "base_amount"),
                f"costs of {figure_text(amount, currency)} {currency}, because {currency} has no budget rate",
            )
            for currency, amount in connection.execute(_UNRATED).fetchall()
        ],
    )


_VARIANCE: Final = f"""
SELECT currency, account, name, CAST(sum(amount) AS DECIMAL(38, 4)) AS original,
    CAST(CAST(any_value(budget_units) AS DECIMAL(18, 0)) * 0.00000001 AS DECIMAL(26, 8)) AS budget_rate,
    CAST(sum(budget_amount) AS DECIMAL(38, 4)) AS at_budget_rate,
    CAST(sum(base_amount) AS DECIMAL(38, 4)) AS base_amount,
    CAST(sum(base_amount) - sum(budget_amount) AS DECIMAL(38, 4)) AS fx_variance
FROM report_entries JOIN budget_rates USING (currency) JOIN report_accounts USING (account)
WHERE report_entries.kind = '{AccountKind.COST}' AND currency <> $base
GROUP BY currency, account, name, place ORDER BY currency, place, account
"""

_UNRATED: Final = f"""
SELECT currency, sum(amount) FROM report_entries
WHERE budget_amount IS NULL AND kind = '{AccountKind.COST}' GROUP BY currency ORDER BY currency
"""
