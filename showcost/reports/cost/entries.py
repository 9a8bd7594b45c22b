"""The ledger entries behind a cost report, one line each: what an auditor adds up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.reports.cost.basis import reported_entries
from showcost.reports.tables import ColumnType, ReportColumn, ReportTable

if TYPE_CHECKING:
    import duckdb

    from showcost.config.production import Production
    from showcost.reports.cost.basis import ReportBasis


def _text(name: str, title: str, meaning: str) -> ReportColumn:
    return ReportColumn(name, title, ColumnType.TEXT, meaning)


_BASE: Final = "base_amount"

COLUMNS: Final = (
    ReportColumn("transaction_date", "Date", ColumnType.DATE, "date of the cost"),
    _text("entry_id", "Entry", "id of the entry; `showcost trace` follows it back to the delivered file"),
    _text("entry_kind", "Kind", "posting, or reversal of an earlier entry"),
    _text("account", "Account", "number in the chart of accounts"),
    _text("account_kind", "Account kind", "cost, or balance (to be settled)"),
    _text("series", "Series", "episode or series code"),
    _text("location", "Location", "location code"),
    _text("vendor_code", "Vendor", "vendor, authority or payroll company"),
    _text("vendor_name", "Name", "its name"),
    _text("document_no", "Document", "invoice, permit or payroll invoice"),
    _text("po_no", "Purchase order", "purchase order named by the invoice"),
    _text("description", "Description", "goods or services supplied"),
    ReportColumn("service_from", "From", ColumnType.DATE, "first day of the service"),
    ReportColumn("service_to", "To", ColumnType.DATE, "last day of the service"),
    _text("currency", "Currency", "original currency"),
    ReportColumn("amount", "Amount", ColumnType.ORIGINAL, "amount in the original currency", is_summed=True),
    ReportColumn("rate", "Rate", ColumnType.RATE, "base units per unit of the currency, rounded for display"),
    ReportColumn("rate_date", "Rate of", ColumnType.DATE, "publication date of the rate"),
    ReportColumn(
        _BASE,
        "In base",
        ColumnType.MONEY,
        "amount in base, converted and rounded once",
        is_summed=True,
    ),
    _text("flags", "Flags", "warning codes"),
)


def entries(connection: duckdb.DuckDBPyConnection, production: Production, basis: ReportBasis) -> ReportTable:
    """Return the entries up to the last day of the period; the connection is that of `open_accounts`.

    In a report in another currency than base each has its amount in that currency, too.
    """
    columns = entry_columns(basis.currency, production.base_currency)
    statement = _ENTRIES.format(
        columns=", ".join(_EXPRESSIONS.get(column.name, column.name) for column in columns),
        entries=reported_entries(production, basis.currency, basis.as_of),
    )
    return ReportTable(
        "entries",
        f"Ledger entries to {basis.period.end}",
        columns,
        connection.sql(statement, params={"last": basis.period.end}).to_arrow_table(),
        production.base_currency,
        notes=("Rates are shown with ten decimals; amounts are converted at the exact rates.",),
    )


def entry_columns(currency: str, base_currency: str) -> tuple[ReportColumn, ...]:
    """Return the columns of the entries in a report in a currency."""
    if currency == base_currency:
        return COLUMNS
    reported = ReportColumn(
        "report_amount",
        f"In {currency}",
        ColumnType.MONEY,
        f"amount in {currency}, the currency of the report: the amount itself, or converted from it at the"
        " rates of its date and rounded once; blank without a rate",
        is_summed=True,
        currency=currency,
    )
    return tuple(
        shown for column in COLUMNS for shown in ((column, reported) if column.name == _BASE else (column,))
    )


_EXPRESSIONS: Final = {
    "account_kind": "kind AS account_kind",
    "flags": "nullif(array_to_string(flags, ' '), '') AS flags",
}

_ENTRIES: Final = """
SELECT {columns} FROM {entries} AS entries JOIN report_accounts USING (account)
WHERE transaction_date <= $last ORDER BY transaction_date, entry_id
"""
