"""The charts of the ledger: cost against budget, currencies, FX variance, and rows that wait for a person."""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.config.chart import AccountKind
from showcost.config.production import ReportingPeriod
from showcost.reconciliation.queue import QueueFilter, queue_rows
from showcost.reports.cost.basis import ReportBasis, open_entries
from showcost.reports.writers.charts import ChartTitle, DrawnChart, bar_chart, column_chart, line_chart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from showcost.reports.scope import ReportScope
    from showcost.workspace import Workspace

    _WeeklyCost: TypeAlias = tuple[date, str, Decimal]

_AGES: Final = ("up to 7 days", "8 to 30 days", "older")
_DAYS: Final = (7, 30)
_MOST_REASONS: Final = 12
_WEEK: Final = timedelta(days=7)

_COST: Final = f"""
SELECT date_trunc('week', transaction_date)::DATE AS week, currency, sum(base_amount)
FROM report_entries WHERE kind = '{AccountKind.COST}' GROUP BY ALL ORDER BY week, currency
"""

_VARIANCE: Final = f"""
SELECT date_trunc('week', transaction_date)::DATE AS week, sum(base_amount - budget_amount)
FROM report_entries
WHERE kind = '{AccountKind.COST}' AND currency <> $base AND budget_amount IS NOT NULL
GROUP BY ALL ORDER BY week
"""


def ledger_charts(workspace: Workspace, scope: ReportScope) -> list[DrawnChart]:
    """Return the charts of a report; those without any figures are omitted."""
    period = ReportingPeriod(name=scope.period_line, start=scope.first, end=scope.last)
    with open_entries(workspace, ReportBasis(period, scope.base_currency, scope.as_of)) as connection:
        cost: list[_WeeklyCost] = connection.execute(_COST).fetchall()
        variance = dict(connection.execute(_VARIANCE, {"base": scope.base_currency}).fetchall())
    return [
        *([cost_chart(workspace, scope, cost), currency_chart(scope, cost)] if cost else []),
        *fx_variance_chart(scope, variance),
        *queue_chart(workspace, scope),
    ]


def cost_chart(workspace: Workspace, scope: ReportScope, cost: Sequence[_WeeklyCost]) -> DrawnChart:
    """Return the cost to date at the end of each week, with the budget."""
    by_week: dict[date, Decimal] = {}
    for week, _, amount in cost:
        by_week[week] = by_week.get(week, Decimal(0)) + amount
    series, to_date = [], Decimal(0)
    for week in _weeks(by_week):
        to_date += by_week.get(week, Decimal(0))
        series.append((_label(week), to_date))
    title = ChartTitle(
        "cost-to-date",
        "Cost to date and budget",
        "Cost to date at the end of each week (Sunday), by transaction date. The dashed line is the budget.",
        scope.base_currency,
    )
    budget = workspace.budget.total
    return line_chart(title, series, ("Budget", budget) if budget else None)


def currency_chart(scope: ReportScope, cost: Sequence[_WeeklyCost]) -> DrawnChart:
    """Return the cost to date by original currency, in base."""
    by_currency: dict[str, Decimal] = {}
    for _, currency, amount in cost:
        by_currency[currency] = by_currency.get(currency, Decimal(0)) + amount
    title = ChartTitle(
        "currencies",
        "Cost to date by original currency",
        f"Cost to date in {scope.base_currency}, by the currency in which it was incurred.",
        scope.base_currency,
    )
    series = sorted(by_currency.items(), key=lambda item: (-item[1], item[0]))
    return bar_chart(title, [scope.base_currency], [(currency, [amount]) for currency, amount in series])


def fx_variance_chart(scope: ReportScope, by_week: Mapping[date, Decimal]) -> Iterator[DrawnChart]:
    """Yield the FX variance of each week (its Monday) against the budget rates; nothing without any."""
    if not by_week:
        return
    title = ChartTitle(
        "fx-variance",
        "FX variance by week",
        "Cost at pinned rates less cost at budget rates, of the weeks that end on these Sundays. Hatched"
        " columns are gains: the cost was less than at budget rates. Currencies without a budget rate are"
        " left out.",
        scope.base_currency,
    )
    yield column_chart(title, [(_label(week), by_week.get(week, Decimal(0))) for week in _weeks(by_week)])


def _weeks(by_week: Iterable[date]) -> list[date]:
    """Return the Mondays from the first week to the last, without gaps."""
    first, last = min(by_week), max(by_week)
    return [first + _WEEK * number for number in range((last - first).days // _WEEK.days + 1)]


def _label(week: date) -> str:
    return (week + _WEEK - timedelta(days=1)).isoformat()


def queue_chart(workspace: Workspace, scope: ReportScope) -> Iterator[DrawnChart]:
    """Yield the rows that wait for a person or a rate, by reason and age; nothing if no row waits."""
    now = workspace.audit.time_as_of(scope.as_of)
    ages: dict[str, list[int]] = {}
    for row in queue_rows(workspace, workspace.feeds, QueueFilter(), scope.as_of):
        age = sum(row.age_days(now) > days for days in _DAYS)
        for code in row.codes or ("none",):
            ages.setdefault(code, [0] * len(_AGES))[age] += 1
    if not ages:
        return
    ordered = sorted(ages.items(), key=lambda item: (-sum(item[1]), item[0]))
    shown = ordered[:_MOST_REASONS]
    if others := ordered[_MOST_REASONS:]:
        shown.append(
            ("other reasons", [sum(counts) for counts in zip(*(of for _, of in others), strict=True)])
        )
    title = ChartTitle(
        "queue",
        "Rows that wait, by reason and age",
        "Rows in the reconciliation queue, which are in no figure of this report, by reason code and days"
        " since their delivery. A row with several reasons counts for each.",
    )
    yield bar_chart(title, _AGES, [(code, list(map(Decimal, counts))) for code, counts in shown])
