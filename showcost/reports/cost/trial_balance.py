"""The trial balance and the payables, from the journal: every document with its other side.

Debits and credits come to zero in base and in every currency, or the check `trial_balance_is_zero` fails.
"""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.ledger.journal import open_journal, payable_accounts
from showcost.reports.tables import ColumnType, ReportColumn, ReportTable

if TYPE_CHECKING:
    import duckdb

    from showcost.config.production import Production
    from showcost.reports.cost.basis import ReportBasis

_CURRENCY: Final = ReportColumn("currency", "Currency", ColumnType.TEXT, "original currency of the lines")
_ACCOUNT: Final = ReportColumn("account", "Account", ColumnType.TEXT, "number in the chart of accounts")
_NAME: Final = ReportColumn("name", "Description", ColumnType.TEXT, "name of the account")


def _sides(kind: ColumnType) -> tuple[ReportColumn, ...]:
    return (
        ReportColumn("debit", "Debit", kind, "sum of the debits", is_summed=kind is ColumnType.MONEY),
        ReportColumn(
            "credit",
            "Credit",
            kind,
            "sum of the credits, as a positive amount",
            is_summed=kind is ColumnType.MONEY,
        ),
        ReportColumn(
            "balance",
            "Balance",
            kind,
            "debit less credit; a credit balance is negative",
            is_summed=kind is ColumnType.MONEY,
            formula="debit - credit",
        ),
    )


COLUMNS: Final = (
    ReportColumn("kind", "Kind", ColumnType.TEXT, "cost, or balance (to be settled)"),
    _ACCOUNT,
    _NAME,
    *_sides(ColumnType.MONEY),
)
CURRENCY_COLUMNS: Final = (_CURRENCY, _ACCOUNT, _NAME, *_sides(ColumnType.ORIGINAL))

PAYABLE_COLUMNS: Final = (
    ReportColumn("vendor_code", "Vendor", ColumnType.TEXT, "vendor, authority or payroll company"),
    ReportColumn("vendor_name", "Name", ColumnType.TEXT, "name on the vendor's first document"),
    _ACCOUNT,
    ReportColumn("due_date", "Due", ColumnType.DATE, "date on which payment is due, as the documents state"),
    ReportColumn("age", "Age", ColumnType.TEXT, "days from the due date to the last day of the period"),
    _CURRENCY,
    ReportColumn("documents", "Documents", ColumnType.COUNT, "number of documents"),
    ReportColumn("original", "Original amount", ColumnType.ORIGINAL, "owed in the original currency"),
    ReportColumn("base_amount", "In base", ColumnType.MONEY, "owed, at the pinned rates", is_summed=True),
)


def open_report_journal(
    connection: duckdb.DuckDBPyConnection, production: Production, basis: ReportBasis
) -> None:
    """Make the table `report_journal`: the journal up to the last day of the period.

    Raises InputError when production.yaml does not name the control accounts of the journal.
    """
    open_journal(connection, production, basis.as_of)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE report_journal AS SELECT transaction_date, document_id, line_kind,"
        " account, vendor_code, vendor_name, due_date, currency, amount, base_amount FROM journal"
        " WHERE transaction_date <= $last",
        {"last": basis.period.end},
    )


def trial_balance(
    connection: duckdb.DuckDBPyConnection, production: Production, basis: ReportBasis
) -> ReportTable:
    """Return the trial balance in base; the connection has the tables of `open_report_journal`."""
    return ReportTable(
        "trial_balance",
        f"Trial balance at {basis.period.end}",
        COLUMNS,
        connection.sql(_TRIAL_BALANCE).to_arrow_table(),
        production.base_currency,
        group_by=("kind",),
    )


def trial_balance_by_currency(
    connection: duckdb.DuckDBPyConnection, production: Production, basis: ReportBasis
) -> ReportTable:
    """Return the trial balance per original currency."""
    return ReportTable(
        "trial_balance_by_currency",
        f"Trial balance by currency at {basis.period.end}",
        CURRENCY_COLUMNS,
        connection.sql(_BY_CURRENCY).to_arrow_table(),
        production.base_currency,
        group_by=("currency",),
    )


def payables(
    connection: duckdb.DuckDBPyConnection, production: Production, basis: ReportBasis
) -> ReportTable:
    """Return what is owed per vendor, currency and due date, with its age on the last day of the period."""
    accounts = [number for number in payable_accounts(production).values() if number is not None]
    connection.register("payables", pa.table({"account": pa.array(accounts, pa.string())}))
    return ReportTable(
        "payables",
        f"Aged payables at {basis.period.end}",
        PAYABLE_COLUMNS,
        connection.sql(_PAYABLES, params={"last": basis.period.end}).to_arrow_table(),
        production.base_currency,
        group_by=("vendor_code",),
        notes=(
            "The ledger has no payments: every document counts as owed until a credit note offsets it.",
            "Payables are translated at the rates of the documents' dates, not at a closing rate.",
        ),
    )


_NAMED: Final = """
SELECT report_journal.*, coalesce(name, 'not in the chart of accounts') AS name,
    coalesce(kind, 'cost') AS kind, coalesce(place, 1000000) AS place
FROM report_journal LEFT JOIN report_accounts USING (account)
"""


def _amount(expression: str, name: str) -> str:
    return f"CAST(coalesce({expression}, 0) AS DECIMAL(38, 4)) AS {name}"


_TRIAL_BALANCE: Final = f"""
WITH named AS ({_NAMED})
SELECT kind, account, name, {_amount("sum(base_amount) FILTER (base_amount > 0)", "debit")},
    {_amount("-sum(base_amount) FILTER (base_amount < 0)", "credit")},
    {_amount("sum(base_amount)", "balance")}
FROM named GROUP BY kind, account, name, place ORDER BY kind DESC, place, account
"""

_BY_CURRENCY: Final = f"""
WITH named AS ({_NAMED})
SELECT currency, account, name, {_amount("sum(amount) FILTER (amount > 0)", "debit")},
    {_amount("-sum(amount) FILTER (amount < 0)", "credit")}, {_amount("sum(amount)", "balance")}
FROM named WHERE amount <> 0 GROUP BY currency, account, name, place ORDER BY currency, place, account
"""

_PAYABLES: Final = f"""
WITH owed AS (
    SELECT * FROM report_journal SEMI JOIN payables USING (account)),
vendors AS (
    SELECT vendor_code, arg_min(vendor_name, (transaction_date, document_id, vendor_name)) AS vendor_name
    FROM owed GROUP BY vendor_code),
dues AS (
    SELECT vendor_code, account, due_date, currency, count(DISTINCT document_id) AS documents,
        sum(-amount) AS original, sum(-base_amount) AS base_amount
    FROM owed GROUP BY ALL HAVING sum(amount) <> 0 OR sum(base_amount) <> 0)
SELECT vendor_code, vendor_name, account, due_date, CASE WHEN due_date IS NULL THEN 'no due date'
        WHEN due_date >= $last THEN 'not due' WHEN due_date >= $last - 30 THEN '1 to 30 days'
        WHEN due_date >= $last - 60 THEN '31 to 60 days' WHEN due_date >= $last - 90 THEN '61 to 90 days'
        ELSE 'over 90 days' END AS age,
    currency, documents, {_amount("original", "original")}, {_amount("base_amount", "base_amount")}
FROM dues LEFT JOIN vendors USING (vendor_code)
ORDER BY vendor_code, due_date NULLS LAST, currency, account
"""
