"""The basis of a cost report: its period, currency and moment, and the entries that it adds up.

Entries are translated into the currency of the report at the pinned rates of their own dates: the base amount
as posted, an amount in the currency itself as it is, all others by one conversion from the original amount.
Amounts that have no date of payment yet (budget, commitments, estimates) are at the budget rates.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.chart import AccountKind
from showcost.config.production import PRODUCTION_FILE
from showcost.config.reporting_periods import period_of, reporting_periods
from showcost.core.errors import InputError
from showcost.fx.conversion import conversion_sql, micro_rate_sql
from showcost.fx.pinned_snapshots import with_rates
from showcost.ledger.active_entries import entries_as_of
from showcost.ledger.plan import plan_lines_as_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from showcost.config.production import Production, ReportingPeriod
    from showcost.workspace import Workspace

NOT_IN_CHART: Final = "Accounts that are not in the chart"
"""The section of accounts with entries that the chart no longer has; they count as costs."""

_RATE_LIMIT: Final = 10**6
_RATE_DECIMALS: Final = 8


@dataclass(frozen=True)
class ReportBasis:
    """The scope of a report: a period, the currency of its amounts, and the last audit record that counts.

    `as_of` is the last audit record included; None for now.
    """

    period: ReportingPeriod
    currency: str
    as_of: int | None = None


def report_basis(
    workspace: Workspace, period: str | None = None, currency: str | None = None, as_of: int | None = None
) -> ReportBasis:
    """Return the basis of a report; by default of the last period with costs, in the base currency.

    A production without any entry has the last period with plan lines.

    `period` is a name or a date in it. Raises InputError for an unknown period, or a currency that the
    production does not use or has no budget rate for.
    """
    production = workspace.production
    chosen = period_of(production, period) if period else _last_period(workspace, as_of)
    currency = currency or production.base_currency
    if currency not in production.currencies:
        raise InputError(
            f"{currency} is not a currency of the production: {', '.join(production.currencies)}"
        )
    if currency not in budget_rates(production):
        raise InputError(
            f"{PRODUCTION_FILE}: budget_rates has no rate for {currency}; a report in {currency} needs one"
        )
    return ReportBasis(chosen, currency, as_of)


def _last_period(workspace: Workspace, as_of: int | None) -> ReportingPeriod:
    """Return the period of the last entry, else of the last plan line; the first one for an empty ledger."""
    periods = reporting_periods(workspace.production)
    with workspace.ledger.read() as connection:
        query = (
            f"SELECT coalesce((SELECT max(transaction_date) FROM {entries_as_of(as_of)}),"
            f" (SELECT max(stated_on) FROM {plan_lines_as_of(as_of)}))"
        )
        ((last,),) = connection.execute(query).fetchall()
    started = [period for period in periods if last is not None and period.start <= last]
    return started[-1] if started else periods[0]


def budget_rates(production: Production) -> dict[str, Decimal]:
    """Return the budget rates: base units per unit of a currency, the base currency at 1."""
    return {production.base_currency: Decimal(1)} | production.budget_rates


@contextmanager
def open_accounts(workspace: Workspace, basis: ReportBasis) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the ledger with the table `report_accounts`: account, name, kind, section, place."""
    with workspace.ledger.read() as connection:
        connection.register("report_chart", _chart(workspace))
        connection.execute(_ACCOUNTS.format(entries=entries_as_of(basis.as_of)))
        yield connection


@contextmanager
def open_entries(workspace: Workspace, basis: ReportBasis) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the ledger with the tables of a report, beside that of `open_accounts`.

    `budget_rates` (into base) and `report_rates` (into the currency of the report): for `at_budget_rate`.
    `report_entries`: the entries up to the last day
    of the period, reversals included, with account, kind, series, location, currency, amount, base_amount,
    report_amount (in the currency of the report; null without a pinned rate), budget_amount (in base at the
    budget rate; null without one), transaction_date and in_period.
    """
    with open_accounts(workspace, basis) as connection:
        for name, currency in (
            ("budget_rates", workspace.production.base_currency),
            ("report_rates", basis.currency),
        ):
            connection.register(name, _rates(workspace.production, currency))
        connection.execute(
            _ENTRIES.format(
                entries=reported_entries(workspace.production, basis.currency, basis.as_of),
                budget_amount=at_budget_rate("amount", workspace.production.base_currency),
            ),
            {"first": basis.period.start, "last": basis.period.end},
        )
        yield connection


def at_budget_rate(amount: str, currency: str) -> str:
    """Return the SQL expression of an amount in `currency` at the budget rates, rounded once.

    The row has the column `budget_units`, from joining the table `budget_rates`; null without a rate.
    `budget_rates.target_units` is the rate of the currency that the table was registered for.
    """
    return conversion_sql(amount, "currency", "target_units", "budget_units", currency)


def reported_entries(production: Production, currency: str, as_of: int | None) -> str:
    """Return the SQL after FROM that reads the entries as of an audit record, or now, with `report_amount`.

    That is the amount in the currency of a report, one of the production's; null if the entry's snapshot has
    no rate of it.
    """
    entries = entries_as_of(as_of)
    if currency == production.base_currency:
        return f"(SELECT *, base_amount AS report_amount FROM {entries})"
    converted = conversion_sql(
        "amount", "currency", micro_rate_sql("eur_rate_original"), micro_rate_sql("report_rate"), currency
    )
    return f"""(
        SELECT * EXCLUDE (report_rate),
            CASE WHEN currency = '{currency}' OR report_rate IS NOT NULL THEN {converted} END AS report_amount
        FROM {with_rates(entries, as_of)} LEFT JOIN (
            SELECT snapshot_id, rate AS report_rate FROM fx_rates WHERE currency = '{currency}')
            USING (snapshot_id))"""


def _chart(workspace: Workspace) -> pa.Table:
    accounts = list(workspace.chart)
    return pa.table(
        {
            "account": pa.array([account.number for account in accounts], pa.string()),
            "name": pa.array([account.name for account in accounts], pa.string()),
            "kind": pa.array([account.kind.value for account in accounts], pa.string()),
            "section": pa.array([account.section for account in accounts], pa.string()),
            "place": pa.array(range(len(accounts)), pa.int32()),
        }
    )


def _rates(production: Production, target: str) -> pa.Table:
    """Return the budget rates in units of 10^-8, beside that of the target currency."""
    units = {currency: _units(currency, rate) for currency, rate in budget_rates(production).items()}
    return pa.table(
        {
            "currency": pa.array(units, pa.string()),
            "budget_units": pa.array(units.values(), pa.int64()),
            "target_units": pa.array([units[target]] * len(units), pa.int64()),
        }
    )


def _units(currency: str, rate: Decimal) -> int:
    units = rate.scaleb(_RATE_DECIMALS)
    if rate >= _RATE_LIMIT or units != units.to_integral_value():
        raise InputError(
            f"{PRODUCTION_FILE}: the budget rate of {currency} must be below {_RATE_LIMIT:,} and have at"
            f" most {_RATE_DECIMALS} decimals"
        )
    return int(units)


_ACCOUNTS: Final = f"""
CREATE OR REPLACE TEMP TABLE report_accounts AS
FROM report_chart
UNION ALL BY NAME
SELECT DISTINCT account, 'not in the chart of accounts' AS name, '{AccountKind.COST}' AS kind,
    '{NOT_IN_CHART}' AS section, 1000000 AS place
FROM {{entries}} AS entries ANTI JOIN report_chart USING (account)
"""

_ENTRIES: Final = """
CREATE OR REPLACE TEMP TABLE report_entries AS
SELECT transaction_date, transaction_date >= $first AS in_period, account, kind, series, location, currency,
    amount, base_amount, report_amount, {budget_amount} AS budget_amount
FROM {entries} AS entries JOIN report_accounts USING (account) LEFT JOIN budget_rates USING (currency)
WHERE transaction_date <= $last
"""
