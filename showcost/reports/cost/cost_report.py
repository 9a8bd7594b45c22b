"""The cost report per account, and costs by location and by series.

Cost to date and cost of the period are ledger entries of accounts of kind cost, reversals included.
Total cost = cost to date + commitments; EFC = total cost + ETC; variance = revised budget - EFC: a negative
variance is over budget. The definitions are those of docs/reports.md.
"""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.config.chart import AccountKind
from showcost.config.record_kinds import BUDGET_REVISION, ESTIMATE, PURCHASE_ORDER
from showcost.ledger.plan import plan_lines_as_of
from showcost.reports.cost.omissions import MEASURES, unrated_plan, untranslated_entries
from showcost.reports.tables import NOT_IN_TOTALS, ColumnType, ReportColumn, ReportTable, incomplete
from showcost.reports.writers.figures import figure_text

if TYPE_CHECKING:
    import duckdb

    from showcost.reports.cost.basis import ReportBasis

NONE_STATED: Final = "none stated"
"""The location or series of entries that name none."""

_SECTION: Final = ReportColumn("section", "Section", ColumnType.TEXT, "part of the chart of accounts")
_ACCOUNT: Final = ReportColumn("account", "Account", ColumnType.TEXT, "number in the chart of accounts")
_NAME: Final = ReportColumn("name", "Description", ColumnType.TEXT, "name of the account")


def _money(name: str, title: str, meaning: str, formula: str | None = None) -> ReportColumn:
    return ReportColumn(name, title, ColumnType.MONEY, meaning, is_summed=True, formula=formula)


_COSTS: Final = (
    _money("cost_period", "Cost this period", "ledger entries whose transaction date is in the period"),
    _money(
        "cost_to_date",
        "Cost to date",
        "ledger entries up to the last day of the period, reversals and credits included",
    ),
    _money(
        "commitments",
        "Commitments",
        "purchase orders less what was invoiced on them, per order not below zero, none for closed lines;"
        " at the budget rate. An open discount of an order may be negative on its account",
    ),
    _money("total_cost", "Total cost", "cost to date and commitments", "cost_to_date + commitments"),
)

COLUMNS: Final = (
    _SECTION,
    _ACCOUNT,
    _NAME,
    *_COSTS,
    _money(
        "etc",
        "ETC",
        "estimate to complete: the last one entered up to the last day of the period, carried forward; at the"
        " budget rate; blank if none was entered",
    ),
    ReportColumn("etc_stated_on", "ETC of", ColumnType.DATE, "date of the newest estimate of the account"),
    _money("efc", "EFC", "estimated final cost: total cost and ETC", "total_cost + etc"),
    _money("budget_approved", "Approved budget", "budget of the production as approved"),
    _money(
        "budget_revised",
        "Revised budget",
        "approved budget and all budget revisions up to the last day of the period",
    ),
    _money(
        "variance",
        "Variance",
        "revised budget less EFC; a negative variance is over budget",
        "budget_revised - efc",
    ),
)

_LOCATION: Final = ReportColumn("location", "Location", ColumnType.TEXT, "location code of the entries")
_SERIES: Final = ReportColumn("series", "Series", ColumnType.TEXT, "episode or series code of the entries")


def cost_report(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> ReportTable:
    """Return the cost report per account; the connection is that of `open_entries`, with `open_plan`.

    All cost accounts of the chart are listed, also those without amounts.
    """
    rows = connection.sql(_COST_REPORT).to_arrow_table()
    table = ReportTable(
        "cost_report",
        f"Cost report, {basis.period.name}",
        COLUMNS,
        rows,
        basis.currency,
        group_by=("section",),
        notes=tuple(_notes(connection, basis)),
    )
    return incomplete(table, [*untranslated_entries(connection, basis), *unrated_plan(connection)])


def cost_by_location(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> ReportTable:
    """Return the costs per location and account."""
    return _by(connection, basis, _LOCATION)


def cost_by_series(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> ReportTable:
    """Return the costs per series and account."""
    return _by(connection, basis, _SERIES)


def _by(connection: duckdb.DuckDBPyConnection, basis: ReportBasis, column: ReportColumn) -> ReportTable:
    table = ReportTable(
        f"cost_by_{column.name}",
        f"Cost by {column.name}, {basis.period.name}",
        (column, _ACCOUNT, _NAME, *_COSTS),
        connection.sql(_COST_BY.format(column=column.name)).to_arrow_table(),
        basis.currency,
        group_by=(column.name,),
        notes=(
            f"Entries that name no {column.name} are under “none stated”.",
            f"The budget is per account, so it cannot be divided by {column.name}.",
        ),
    )
    return incomplete(
        table, [*untranslated_entries(connection, basis), *unrated_plan(connection, "commitment")]
    )


def _notes(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> list[str]:
    """Return what the totals stand on, and what a reader may miss in them."""
    return [
        _RATES.format(currency=basis.currency),
        *(
            f"Not in this report: {_LINES_OF[kind]} dated after {basis.period.end}: {lines}."
            for kind, lines in connection.execute(
                _LATER.format(lines=plan_lines_as_of(basis.as_of)), {"last": basis.period.end}
            ).fetchall()
        ),
        *(_counted(connection, _NO_ESTIMATE, "Accounts without an ETC, whose EFC is their total cost")),
        *(_counted(connection, _NO_BUDGET, "Accounts with costs and no budget")),
        *(
            f"Costs dated after the ETC of their account: {figure_text(amount or 0, basis.currency)}"
            f" {basis.currency} on accounts ({accounts}){_without(untranslated, basis)}. EFC adds"
            " them to an ETC that may still contain them: state those ETCs"
            " anew."
            for accounts, amount, untranslated in connection.execute(_AFTER_ESTIMATE).fetchall()
            if accounts
        ),
        *(
            f"Not in the chart of accounts, and counted as cost: {account}."
            for (account,) in connection.execute(_NOT_IN_CHART).fetchall()
        ),
        *(
            f"{NOT_IN_TOTALS}{MEASURES[measure]} on {account}, which is not a cost account of the chart."
            for measure, account in connection.execute(_MISPLACED).fetchall()
        ),
    ]


def _without(entries: int, basis: ReportBasis) -> str:
    return f", without {entries} entries that have no rate of {basis.currency}" if entries else ""


def _counted(connection: duckdb.DuckDBPyConnection, query: str, sentence: str) -> list[str]:
    ((accounts,),) = connection.execute(query).fetchall()
    return [f"{sentence}: {accounts}."] if accounts else []


_RATES: Final = (
    "Amounts are in {currency}. Costs are at the pinned daily rate of each transaction's date; budget,"
    " commitments and ETC at the budget rates."
)

_LINES_OF: Final = {
    BUDGET_REVISION.name: "budget revisions",
    ESTIMATE.name: "estimates to complete",
    PURCHASE_ORDER.name: "lines of purchase orders",
}

_LATER: Final = """
SELECT record_kind, count(*) FROM {lines} WHERE stated_on > $last GROUP BY record_kind ORDER BY record_kind
"""

_PLANNED: Final = """
    sum(report_amount) FILTER (measure = 'commitment') AS commitments,
    sum(report_amount) FILTER (measure = 'estimate') AS etc,
    max(stated_on) FILTER (measure = 'estimate') AS etc_stated_on,
    sum(report_amount) FILTER (measure = 'approved') AS budget_approved,
    sum(report_amount) FILTER (measure IN ('approved', 'revision')) AS budget_revised
"""

_COST: Final = """
    sum(report_amount) FILTER (in_period) AS cost_period, sum(report_amount) AS cost_to_date
"""

_AMOUNT: Final = "CAST(coalesce({0}, 0) AS DECIMAL(38, 4)) AS {0}"


def _amounts(*names: str) -> str:
    return ", ".join(_AMOUNT.format(name) for name in names)


_COST_REPORT: Final = f"""
WITH costs AS (SELECT account, {_COST} FROM report_entries GROUP BY account),
planned AS (SELECT account, {_PLANNED} FROM report_plan GROUP BY account),
joined AS (
    SELECT section, account, name, place, etc, etc_stated_on,
        {_amounts("cost_period", "cost_to_date", "commitments", "budget_approved", "budget_revised")}
    FROM report_accounts LEFT JOIN costs USING (account) LEFT JOIN planned USING (account)
    WHERE kind = '{AccountKind.COST}'),
totals AS (
    SELECT *, cost_to_date + commitments AS total_cost,
        cost_to_date + commitments + coalesce(etc, 0) AS efc FROM joined)
SELECT section, account, name, cost_period, cost_to_date, commitments,
    CAST(total_cost AS DECIMAL(38, 4)) AS total_cost, CAST(etc AS DECIMAL(38, 4)) AS etc, etc_stated_on,
    CAST(efc AS DECIMAL(38, 4)) AS efc, budget_approved, budget_revised,
    CAST(budget_revised - efc AS DECIMAL(38, 4)) AS variance
FROM totals ORDER BY min(place) OVER (PARTITION BY section), place, account
"""

_COST_BY: Final = f"""
WITH costs AS (
    SELECT coalesce(nullif({{column}}, ''), '{NONE_STATED}') AS {{column}}, account, {_COST}
    FROM report_entries WHERE kind = '{AccountKind.COST}' GROUP BY ALL),
committed AS (
    SELECT coalesce(nullif({{column}}, ''), '{NONE_STATED}') AS {{column}}, account,
        sum(report_amount) AS commitments
    FROM report_plan WHERE measure = 'commitment' GROUP BY ALL)
SELECT {{column}}, account, name, {_amounts("cost_period", "cost_to_date", "commitments")},
    CAST(coalesce(cost_to_date, 0) + coalesce(commitments, 0) AS DECIMAL(38, 4)) AS total_cost
FROM costs FULL JOIN committed USING ({{column}}, account)
JOIN report_accounts USING (account) WHERE kind = '{AccountKind.COST}'
ORDER BY {{column}} = '{NONE_STATED}', {{column}}, place, account
"""

_NO_ESTIMATE: Final = f"""
SELECT count(*) FROM report_accounts ANTI JOIN (FROM report_plan WHERE measure = 'estimate') USING (account)
WHERE kind = '{AccountKind.COST}' AND account IN (
    SELECT account FROM report_entries UNION SELECT account FROM report_plan)
"""

_AFTER_ESTIMATE: Final = f"""
WITH stated AS (
    SELECT account, max(stated_on) AS stated_on FROM report_plan
    WHERE measure = 'estimate' AND amount <> 0 GROUP BY account)
SELECT count(DISTINCT account), sum(report_amount), count(*) FILTER (report_amount IS NULL)
FROM report_entries JOIN stated USING (account)
WHERE kind = '{AccountKind.COST}' AND transaction_date > stated_on
"""

_NO_BUDGET: Final = f"""
SELECT count(DISTINCT account) FROM report_entries
ANTI JOIN (FROM report_plan WHERE measure IN ('approved', 'revision')) USING (account)
WHERE kind = '{AccountKind.COST}'
"""

_NOT_IN_CHART: Final = """
SELECT account FROM report_accounts ANTI JOIN report_chart USING (account) ORDER BY account
"""

_MISPLACED: Final = f"""
SELECT DISTINCT measure, account FROM report_plan
ANTI JOIN (FROM report_accounts WHERE kind = '{AccountKind.COST}') USING (account) ORDER BY ALL
"""
