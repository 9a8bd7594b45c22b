"""Hot costs: a day's labour against its budget, with overtime, meal penalties and short rest.

Gross and fringe are those of the ledger. The valid rows of the payroll manifests say what gross consists of;
what they do not explain is a column of its own. Per account and location, never per person.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.budget import read_amount
from showcost.config.chart import NO_UNION
from showcost.config.loading import read_csv_rows
from showcost.config.record_kinds import PAYROLL
from showcost.core.errors import ConfigError, InputError, IntegrityError
from showcost.core.file_ranges import view_ranges
from showcost.core.money import minor_units, readable_amount
from showcost.fx.conversion import AMOUNT_TYPE, conversion_sql, micro_rate_sql
from showcost.ledger.active_entries import active_condition, entries_as_of
from showcost.pay.multiples import MULTIPLES, pairs_of
from showcost.pay.numbers import TENTHS
from showcost.reports.personal_text import masked_columns
from showcost.reports.tables import ColumnType, ReportColumn, ReportTable
from showcost.staging.assets import valid_asset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.core.file_ranges import FileRange
    from showcost.workspace import Workspace

DAY_BUDGET_FILE: Final = "day_budget.csv"
"""A production's own budget per day, below its data folder: account, amount, and the date or all days."""

_SATURDAY: Final = 5
_MONEY: Final = pa.decimal128(38, 4)


@dataclass(frozen=True)
class HotCostOptions:
    """The days of the report, both included; those of the production, where none is given."""

    first: date | None = None
    last: date | None = None


def hot_costs(
    workspace: Workspace, options: HotCostOptions, as_of: int | None = None
) -> tuple[ReportTable, ...]:
    """Return the labour of each day with pay by account against its budget, and the same by location.

    As of an audit record, or now. InputError for days in the wrong order, ConfigError for an invalid
    `day_budget.csv`.
    """
    dates = workspace.production.dates
    first, last = options.first or dates.start, options.last or dates.end
    if last < first:
        raise InputError(f"hot costs from {first} to {last}: the end is before the start")
    with workspace.ledger.read() as connection:
        _make_manifest(connection, workspace, first, last)
        _make_labour(connection, workspace, (first, last), as_of)
        days = [
            row[0] for row in connection.execute("SELECT DISTINCT day FROM labour ORDER BY day").fetchall()
        ]
        budget = _DayBudget.of(workspace)
        connection.register("day_budget", _budget_rows(budget, days))
        notes = (*_notes(workspace, budget), *_differences(connection, as_of))
        return (
            _table(connection, workspace, "hot_costs", _BY_ACCOUNT, notes),
            _table(connection, workspace, "hot_costs_by_location", _BY_LOCATION, notes),
        )


# --- budget --------------------------------------------------------------------------------------------


def shooting_days(production: Production) -> list[date]:
    """Return the days Monday to Friday of principal photography."""
    photography = production.principal_photography
    length = (photography.end - photography.start).days + 1
    days = [photography.start + timedelta(days=number) for number in range(length)]
    return [day for day in days if day.weekday() < _SATURDAY]


@dataclass(frozen=True)
class _DayBudget:
    """The labour budget of days: given in the production's file, else an account's budget spread evenly."""

    accounts: dict[str, Decimal]
    days: tuple[date, ...]
    decimals: int
    given: dict[str, dict[date | None, Decimal]]

    @classmethod
    def of(cls, workspace: Workspace) -> _DayBudget:
        """Read the budget of the accounts of union labour, and the production's file if there is one."""
        amounts = workspace.budget.amounts
        accounts = {
            account.number: amounts[account.number]
            for account in workspace.chart
            if account.union_category != NO_UNION and account.number in amounts
        }
        decimals = minor_units(workspace.production.base_currency)
        days = tuple(shooting_days(workspace.production))
        return cls(accounts, days, decimals, dict(_given_budget(workspace)))

    def amount(self, account: str, day: date) -> Decimal:
        """Return the budget of an account for a day; zero where it has none."""
        if account in self.given:
            return self.given[account].get(day, self.given[account].get(None, Decimal(0)))
        if account not in self.accounts or day not in self.days:
            return Decimal(0)
        number = self.days.index(day)
        return self._until(account, number + 1) - self._until(account, number)

    def _until(self, account: str, days: int) -> Decimal:
        """Return the budget of the first days, rounded, so that the days add up to the whole budget."""
        units = int(self.accounts[account].scaleb(self.decimals)) * days
        count = len(self.days)
        rounded = (2 * abs(units) + count) // (2 * count)
        return Decimal(rounded if units >= 0 else -rounded).scaleb(-self.decimals)


def _given_budget(workspace: Workspace) -> Iterator[tuple[str, dict[date | None, Decimal]]]:
    """Yield the accounts of `day_budget.csv` with their amounts per date; None is any other shooting day."""
    path = workspace.path / DAY_BUDGET_FILE
    if not path.is_file():
        return
    amounts: dict[str, dict[date | None, Decimal]] = {}
    for row in read_csv_rows(path, ("account", "amount"), ("date",)):
        line = f"line {row['line']}"
        if row["account"] not in workspace.chart:
            raise ConfigError(path, f"{line}, account", "an account of the chart", row["account"])
        day = _optional_day(path, line, row.get("date", ""))
        of_account = amounts.setdefault(row["account"], {})
        if day in of_account:
            raise ConfigError(
                path, line, "each account and date once", f"{row['account']} {day or ''}".strip()
            )
        of_account[day] = read_amount(path, line, row["amount"], workspace.production.base_currency)
    yield from amounts.items()


def _optional_day(path: Path, line: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(path, f"{line}, date", "a date such as 2026-10-31", text) from None


def _budget_rows(budget: _DayBudget, days: Sequence[date]) -> pa.Table:
    """Return the budget of the days with pay, for every account with a budget for labour."""
    accounts = sorted(budget.accounts.keys() | budget.given.keys())
    rows = [(day, account, budget.amount(account, day)) for day in days for account in accounts]
    rows = [row for row in rows if row[2]]
    return pa.table(
        {
            "day": pa.array([row[0] for row in rows], pa.date32()),
            "account": pa.array([row[1] for row in rows], pa.string()),
            "budget": pa.array([row[2] for row in rows], _MONEY),
        }
    )


# --- pay -----------------------------------------------------------------------------------------------

_USED: Final = (
    *("delivery", "record", "content", "transaction_date", "currency", "gross", "meal_penalty_amount"),
    *("rest_penalty_amount", "meal_penalty_count", "hours_at", *MULTIPLES),
)


def _make_manifest(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, first: date, last: date
) -> None:
    """Make the temporary table `manifest`: the valid rows of all payroll feeds in the period."""
    columns = ", ".join(_USED)
    connection.execute(_NO_MANIFEST)
    for feed in workspace.feeds:
        ranges = _valid_ranges(workspace, feed, first, last) if feed.kind.has_pay_rules else []
        if ranges:
            view_ranges(connection, "manifest_file", ranges)
            connection.execute(
                f"INSERT INTO manifest BY NAME SELECT $feed AS feed, {columns} FROM manifest_file",
                {"feed": feed.name},
            )
    _register_pairs(connection)


def _register_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Register `hour_pairs`: per text of pairs in the manifest, its hours at 1x, above, and weighted."""
    texts = [text for (text,) in connection.execute(_PAIRED).fetchall()]
    pairs = [pairs_of(text) or {} for text in texts]
    straight = [_hours(hours.get(TENTHS, 0)) for hours in pairs]
    overtime = [_hours(sum(hours.values()) - hours.get(TENTHS, 0)) for hours in pairs]
    weighted = [sum(multiple * part for multiple, part in hours.items()) for hours in pairs]
    connection.register(
        "hour_pairs",
        pa.table(
            {
                "hours_at": pa.array(texts, pa.string()),
                "pair_straight": pa.array(straight, _HOURS),
                "pair_overtime": pa.array(overtime, _HOURS),
                "pair_weighted": pa.array(weighted, pa.int64()),
            }
        ),
    )


def _hours(millionths: int) -> Decimal:
    return Decimal(millionths).scaleb(-_HOUR_DECIMALS)


_HOUR_DECIMALS: Final = 6
_HOURS: Final = pa.decimal128(20, _HOUR_DECIMALS)
_PAIRED: Final = "SELECT DISTINCT hours_at FROM manifest WHERE hours_at IS NOT NULL ORDER BY hours_at"


def _valid_ranges(workspace: Workspace, feed: FeedSpec, first: date, last: date) -> list[FileRange]:
    store, asset = workspace.staging, valid_asset(feed.name)
    keys = [key for key in store.partitions(asset) if first.isoformat() <= key <= last.isoformat()]
    with_rows = []
    for key in keys:
        staged = store.metadata(asset, key)
        if staged is None or not staged.rows:
            continue
        if not set(_USED) <= set(store.columns(asset, key)):
            raise IntegrityError(
                f"{asset} of {key} was validated by another version of showcost: materialise it again"
            )
        with_rows.append(key)
    return store.ranges(asset, with_rows)


def _make_labour(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, period: tuple[date, date], as_of: int | None
) -> None:
    """Make the temporary tables `pay`, the active payroll rows of the ledger, and `labour`, with detail."""
    balances = sorted(workspace.chart.balance_accounts)
    connection.register("balance_accounts", pa.table({"account": pa.array(balances, pa.string())}))
    connection.register(
        "labour_accounts",
        pa.table(
            {
                "account": pa.array([account.number for account in workspace.chart], pa.string()),
                "account_name": pa.array([account.name for account in workspace.chart], pa.string()),
            }
        ),
    )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW pay_entries AS FROM {entries_as_of(as_of)}")
    connection.execute(_PAY, {"first": period[0], "last": period[1]})
    base = workspace.production.base_currency
    micro = micro_rate_sql("eur_rate_original"), micro_rate_sql("eur_rate_base")
    # The share of overtime has more decimals than an amount in base, which a conversion to base keeps.
    converted = {
        f"{name}_base": f"round({conversion_sql(name, 'currency', *micro, base)}, {minor_units(base)})"
        for name in ("manifest_gross", "overtime", "meal", "rest")
    }
    connection.execute(_LABOUR.format(**converted))


_NO_MANIFEST: Final = f"""
CREATE OR REPLACE TEMP TABLE manifest (feed VARCHAR, delivery VARCHAR, record BIGINT, content VARCHAR,
    transaction_date DATE, currency VARCHAR, gross {AMOUNT_TYPE}, meal_penalty_amount {AMOUNT_TYPE},
    rest_penalty_amount {AMOUNT_TYPE}, meal_penalty_count DECIMAL(20, 6), hours_at VARCHAR,
    {", ".join(f"{name} DECIMAL(20, 6)" for name in MULTIPLES)})
"""

# A row whose gross is zero has no entry of it: its contributions are shown on their own account.
_PAY: Final = f"""
CREATE OR REPLACE TEMP TABLE pay AS
SELECT feed, delivery, record, content, transaction_date AS day, coalesce(location, '') AS location, currency,
    coalesce(any_value(account) FILTER (component = '{PAYROLL.primary.name}'), any_value(account)) AS account,
    any_value(eur_rate_original) AS eur_rate_original, any_value(eur_rate_base) AS eur_rate_base,
    coalesce(sum(base_amount) FILTER (component = '{PAYROLL.primary.name}'), 0) AS gross_base,
    coalesce(sum(base_amount) FILTER (component <> '{PAYROLL.primary.name}'), 0) AS fringe_base
FROM pay_entries ANTI JOIN balance_accounts USING (account)
WHERE record_kind = '{PAYROLL.name}' AND transaction_date BETWEEN $first AND $last
    AND {active_condition("pay_entries")}
GROUP BY ALL
"""

_OVERTIME: Final = [name for name, multiple in MULTIPLES.items() if multiple > TENTHS]
_OVERTIME_HOURS: Final = " + ".join(f"coalesce({name}, 0)" for name in _OVERTIME)
_STRAIGHT: Final = (
    f"CAST((coalesce(hours_1x, 0) + coalesce(pair_straight, 0)) * {TENTHS} * 1000000 AS HUGEINT)"
)
_WEIGHTED: Final = (
    "CAST(("
    + " + ".join(f"coalesce({name}, 0) * {multiple}" for name, multiple in MULTIPLES.items())
    + ") * 1000000 AS HUGEINT) + coalesce(pair_weighted, 0)"
)
_UNIT: Final = f"CAST('0.0001' AS {AMOUNT_TYPE})"

# Pay without penalties is divided by the hours at their multiples, in ten-thousandths of the currency.
_LABOUR: Final = f"""
CREATE OR REPLACE TEMP TABLE labour AS
WITH detail AS (
    SELECT feed, delivery, record, content, gross AS manifest_gross,
        coalesce(meal_penalty_amount, CAST(0 AS {AMOUNT_TYPE})) AS meal,
        coalesce(rest_penalty_amount, CAST(0 AS {AMOUNT_TYPE})) AS rest,
        coalesce(meal_penalty_count, 0) AS meal_count,
        coalesce(hours_1x, 0) + coalesce(pair_straight, 0) AS straight_hours,
        {_OVERTIME_HOURS} + coalesce(pair_overtime, 0) AS overtime_hours,
        CAST((manifest_gross - meal - rest) * 10000 AS HUGEINT) AS units, {_STRAIGHT} AS straight,
        {_WEIGHTED} AS weighted
    FROM manifest LEFT JOIN hour_pairs USING (hours_at)),
divided AS (
    SELECT *, CASE WHEN weighted > 0 THEN CAST(
            CASE WHEN units < 0 THEN -1 ELSE 1 END
            * ((2 * abs(units) * (weighted - straight) + weighted) // (2 * weighted)) AS BIGINT)
        ELSE 0 END AS overtime_units
    FROM detail),
paid AS (SELECT *, CAST(overtime_units * {_UNIT} AS {AMOUNT_TYPE}) AS overtime FROM divided),
converted AS (
    SELECT pay.*, paid.content IS NOT NULL AS has_detail, meal_count, straight_hours, overtime_hours, rest,
        coalesce({{manifest_gross_base}}, 0) AS manifest_base,
        coalesce({{overtime_base}}, 0) AS overtime_base,
        coalesce({{meal_base}}, 0) AS meal_base, coalesce({{rest_base}}, 0) AS rest_base
    FROM pay LEFT JOIN paid USING (feed, delivery, record, content))
SELECT *, manifest_base - overtime_base - meal_base - rest_base AS straight_base,
    gross_base - manifest_base AS difference
FROM converted
"""

_SUMS: Final = """
    coalesce(sum(straight_base), 0) AS straight, coalesce(sum(overtime_base), 0) AS overtime,
    coalesce(sum(meal_base), 0) AS meal_penalties, coalesce(sum(rest_base), 0) AS short_rest,
    coalesce(sum(difference), 0) AS difference, coalesce(sum(gross_base), 0) AS gross,
    coalesce(sum(fringe_base), 0) AS fringe
"""
_COUNTS: Final = """
    coalesce(sum(straight_hours), 0) AS straight_hours, coalesce(sum(overtime_hours), 0) AS overtime_hours,
    coalesce(CAST(sum(meal_count) AS BIGINT), 0) AS meal_count,
    count(*) FILTER (rest > 0) AS rest_count
"""

_BY_ACCOUNT: Final = f"""
WITH days AS (SELECT day, account, {_SUMS}, {_COUNTS} FROM labour GROUP BY day, account)
SELECT CAST(day AS VARCHAR) AS day, account, coalesce(account_name, '') AS account_name,
    COLUMNS(* EXCLUDE (day, account, account_name, budget)), coalesce(budget, 0) AS budget,
    coalesce(budget, 0) - coalesce(gross, 0) AS variance
FROM days FULL JOIN day_budget USING (day, account) LEFT JOIN labour_accounts USING (account)
ORDER BY day, account
"""

_BY_LOCATION: Final = f"""
SELECT CAST(day AS VARCHAR) AS day, location, account,
    coalesce(any_value(account_name), '') AS account_name, {_SUMS}, {_COUNTS}
FROM labour LEFT JOIN labour_accounts USING (account)
GROUP BY day, location, account ORDER BY day, location, account
"""

_T: Final = ColumnType


def _money(name: str, title: str, meaning: str, formula: str | None = None) -> ReportColumn:
    return ReportColumn(name, title, _T.MONEY, meaning, is_summed=True, formula=formula)


HOT_COST_COLUMNS: Final = (
    ReportColumn("day", "Day", _T.TEXT, "work date of the pay"),
    ReportColumn("location", "Location", _T.TEXT, "location code of the payroll row"),
    ReportColumn("account", "Account", _T.TEXT, "account of the pay"),
    ReportColumn("account_name", "Name", _T.TEXT, "name of the account"),
    _money("straight", "Straight time", "gross by the manifest, less overtime and penalties"),
    _money("overtime", "Overtime", "pay of the hours above 1x: their share of the weighted hours"),
    _money("meal_penalties", "Meal penalties", "paid meal penalties of the manifest"),
    _money("short_rest", "Short rest", "paid rest penalties of the manifest"),
    _money("difference", "Not explained", "gross of the ledger less gross of the manifest rows that made it"),
    _money(
        "gross",
        "Gross",
        "gross pay in base, as in the ledger",
        "straight + overtime + meal_penalties + short_rest + difference",
    ),
    _money("fringe", "Fringe", "the employer's contributions of the same rows, as in the ledger"),
    ReportColumn("straight_hours", "Hours at 1x", _T.RATE, "hours of the manifest", is_summed=True),
    ReportColumn("overtime_hours", "Overtime hours", _T.RATE, "hours above 1x", is_summed=True),
    ReportColumn("meal_count", "Meal penalties", _T.COUNT, "number of meal penalties", is_summed=True),
    ReportColumn("rest_count", "Short rests", _T.COUNT, "rows with a rest penalty", is_summed=True),
    _money("budget", "Budget of the day", "labour budget of the account for the day; the notes say how"),
    _money("variance", "Variance", "budget of the day less gross; negative is over budget", "budget - gross"),
)
_BUDGETED: Final = ("budget", "variance")


def _table(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    name: str,
    statement: str,
    notes: tuple[str, ...],
) -> ReportTable:
    by_location = statement is _BY_LOCATION
    left_out = _BUDGETED if by_location else ("location",)
    columns = tuple(column for column in HOT_COST_COLUMNS if column.name not in left_out)
    rows = connection.sql(statement).to_arrow_table().select([column.name for column in columns])
    return ReportTable(
        name=name,
        title="Hot costs by location" if by_location else "Hot costs",
        columns=columns,
        rows=masked_columns(
            pa.table({column.name: _cells(rows.column(column.name), column) for column in columns})
        ),
        currency=workspace.production.base_currency,
        group_by=("day", "location") if by_location else ("day",),
        notes=notes,
    )


def _cells(cells: pa.ChunkedArray, column: ReportColumn) -> pa.ChunkedArray:
    types = {_T.TEXT: pa.string(), _T.COUNT: pa.int64(), _T.MONEY: _MONEY, _T.RATE: pa.decimal128(28, 10)}
    filled = cells.fill_null(0) if column.type is not _T.TEXT else cells
    return filled.cast(types[column.type])


def _notes(workspace: Workspace, budget: _DayBudget) -> Iterator[str]:
    photography, days = workspace.production.principal_photography, len(budget.days)
    yield (
        f"Budget of a day, for accounts of union labour: their budget over the {days} days Monday to Friday"
        f" of principal photography, {photography.start} to {photography.end}; on other days none."
    )
    if budget.given:
        yield f"{DAY_BUDGET_FILE} has the budget of a day of accounts {', '.join(sorted(budget.given))}."
    yield "Budgets are for gross pay: fringe has accounts of its own, so it is not in the variance."


def _differences(connection: duckdb.DuckDBPyConnection, as_of: int | None) -> Iterator[str]:
    """Yield what manifests and ledger do not agree on."""
    rows, amount = connection.execute(_WITHOUT_DETAIL).fetchall()[0]
    if rows:
        yield (
            f"{rows} rows of pay, {readable_amount(amount)} gross: hours and penalties are not available,"
            " because the manifest rows are missing or have changed since; their gross is not explained."
        )
    if as_of is not None:
        yield "As of a past moment, hours and penalties are those of rows that have not changed since."
        return
    for day, count, currency, amount in connection.execute(_UNPOSTED).fetchall():
        gross = readable_amount(amount)
        yield f"{day}: {count} valid rows of pay, {gross} {currency} gross, are not in the ledger."


_WITHOUT_DETAIL: Final = "SELECT count(*), coalesce(sum(gross_base), 0) FROM labour WHERE NOT has_detail"

_UNPOSTED: Final = """
SELECT transaction_date, count(*), currency, sum(gross)
FROM manifest ANTI JOIN pay USING (feed, delivery, record, content)
GROUP BY transaction_date, currency ORDER BY ALL
"""
