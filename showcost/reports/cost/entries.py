"""The ledger entries behind a cost report, one line each: what an auditor adds up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.ledger.active_entries import entries_as_of
from showcost.reports.tables import ColumnType, ReportColumn, ReportTable

if TYPE_CHECKING:
    import duckdb

    from showcost.config.production import Production
    from showcost.reports.cost.basis import ReportBasis


def _text(name: str, title: str, meaning: str) -> ReportColumn:
    return ReportColumn(name, title, ColumnType.TEXT, meaning)


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
        "base_amount",
        "In base",
        ColumnType.MONEY,
        "amount in base, converted and rounded once",
        is_summed=True,
    ),
    _text("flags", "Flags", "warning codes"),
)


def entries(connection: duckdb.DuckDBPyConnection, production: Production, basis: ReportBasis) -> ReportTable:
    """Return the entries up to the last day of the period; the connection is that of `open_entries`."""
    return ReportTable(
        "entries",
        f"Ledger entries to {basis.period.end}",
        COLUMNS,
        connection.sql(
            _ENTRIES.format(entries=entries_as_of(basis.as_of)), params={"last": basis.period.end}
        ).to_arrow_table(),
        production.base_currency,
        notes=("Rates are shown with ten decimals; amounts are converted at the exact rates.",),
    )


_ENTRIES: Final = """
SELECT transaction_date, entry_id, entry_kind, account, kind AS account_kind, series, location, vendor_code,
    vendor_name, document_no, po_no, description, service_from, service_to, currency, amount, rate, rate_date,
    base_amount, nullif(array_to_string(flags, ' '), '') AS flags
FROM {entries} AS entries JOIN report_accounts USING (account)
WHERE transaction_date <= $last ORDER BY transaction_date, entry_id
"""
