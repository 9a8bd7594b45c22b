"""The tables of the plan behind a cost report: purchase orders, invoices beyond them, estimates, revisions.

The connection is that of `open_entries`, with `open_plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.reports.commitments import FINDING_COLUMNS
from showcost.reports.cost.basis import at_budget_rate
from showcost.reports.cost.omissions import unrated_plan
from showcost.reports.tables import ColumnType, ReportColumn, ReportTable, incomplete

if TYPE_CHECKING:
    import duckdb

    from showcost.reports.cost.basis import ReportBasis


def _text(name: str, title: str, meaning: str) -> ReportColumn:
    return ReportColumn(name, title, ColumnType.TEXT, meaning)


def _original(name: str, title: str, meaning: str) -> ReportColumn:
    return ReportColumn(name, title, ColumnType.ORIGINAL, meaning, is_summed=True)


def _reported(meaning: str) -> ReportColumn:
    return ReportColumn("report_amount", "In the report", ColumnType.MONEY, meaning, is_summed=True)


_ACCOUNT: Final = _text("account", "Account", "account of the chart")
_CURRENCY: Final = _text("currency", "Currency", "original currency")
_SERIES: Final = _text("series", "Series", "episode or series code")
_LOCATION: Final = _text("location", "Location", "location code")
_STATED_ON: Final = ReportColumn("stated_on", "Of", ColumnType.DATE, "date from which the line holds")
_STATED_BY: Final = _text("stated_by", "By", "person who stated it")
_REASON: Final = _text("reason", "Reason", "reason that the person gave")
_ROW: Final = _text("row_id", "Row", "row that states the line; `showcost trace` leads back to its delivery")

COMMITMENT_COLUMNS: Final = (
    _text("vendor_code", "Vendor", "vendor of the order"),
    _text("vendor_name", "Name", "its name"),
    _text("po_no", "Purchase order", "number of the order"),
    _text("line_no", "Line", "line of the order"),
    _ACCOUNT,
    _SERIES,
    _LOCATION,
    _CURRENCY,
    _original("ordered", "Ordered", "amount of the line in force, without tax"),
    _original("invoiced", "Invoiced", "net invoices that were set off against the line"),
    _original("open", "Open", "ordered less invoiced, not below zero; none for closed lines"),
    _original("over", "Over", "invoiced beyond the line"),
    _reported("open commitment at the budget rate; blank if its currency has none"),
    _text("closed", "Closed", "yes if nothing more will be invoiced on the line"),
    _STATED_ON,
    _ROW,
)

ORDER_FINDING_COLUMNS: Final = (
    ReportColumn("transaction_date", "Date", ColumnType.DATE, FINDING_COLUMNS["transaction_date"]),
    *(
        _text(name, title, FINDING_COLUMNS[name])
        for name, title in (
            ("vendor_code", "Vendor"),
            ("vendor_name", "Name"),
            ("document_no", "Invoice"),
            ("po_no", "Purchase order"),
            ("account", "Account"),
            ("currency", "Currency"),
        )
    ),
    _original("amount", "Amount", FINDING_COLUMNS["amount"]),
    _original("excess", "Excess", FINDING_COLUMNS["excess"]),
    _text("finding", "Finding", FINDING_COLUMNS["finding"]),
    _text("entry_id", "Entry", FINDING_COLUMNS["entry_id"]),
)

ESTIMATE_COLUMNS: Final = (
    _ACCOUNT,
    _SERIES,
    _LOCATION,
    _CURRENCY,
    _original("amount", "ETC", "estimate to complete in its own currency"),
    _reported("ETC at the budget rate; blank if its currency has none"),
    _STATED_ON,
    _STATED_BY,
    _REASON,
    _ROW,
)

REVISION_COLUMNS: Final = (
    _text("revision_no", "Revision", "number of the revision"),
    *ESTIMATE_COLUMNS[:4],
    _original("amount", "Change", "change of the approved budget"),
    _reported("change at the budget rate; blank if its currency has none"),
    _STATED_ON,
    _STATED_BY,
    _REASON,
    _ROW,
)


_SET_OFF: Final = (
    "An invoice that names an order but no line is set off against the order's lines of its account first,"
    " then against the others in order of line."
)


_NO_MATCH: Final = (
    "These invoices name an order that is unknown, closed, of another vendor or currency, or without a line"
    " of their account. Only the last kind, and invoices dated after the closing, were set off against it."
)


def plan_tables(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> list[ReportTable]:
    """Return purchase orders, findings about them, estimates and budget revisions up to the last day."""
    amounts = {"amount": at_budget_rate("open", basis.currency)}
    last = basis.period.end
    tables = [
        ReportTable(
            "commitments",
            f"Purchase orders at {last}",
            COMMITMENT_COLUMNS,
            connection.sql(_COMMITMENTS.format(**amounts)).to_arrow_table(),
            basis.currency,
            group_by=("vendor_code",),
            notes=(_SET_OFF,),
        ),
        ReportTable(
            "order_findings",
            f"Invoices beyond or without their purchase order, to {last}",
            ORDER_FINDING_COLUMNS,
            connection.sql(_FINDINGS.format(findings="order_findings")).to_arrow_table(),
            basis.currency,
            notes=("SC-PO-001: each line asks a person for approval; none is kept out of the ledger.",),
        ),
        ReportTable(
            "order_exceptions",
            f"Invoices that do not match a purchase order, to {last}",
            ORDER_FINDING_COLUMNS,
            connection.sql(_FINDINGS.format(findings="order_exceptions")).to_arrow_table(),
            basis.currency,
            notes=(_NO_MATCH,),
        ),
        ReportTable(
            "estimates",
            f"Estimates to complete in force at {last}",
            ESTIMATE_COLUMNS,
            connection.sql(_ESTIMATES).to_arrow_table(),
            basis.currency,
        ),
        ReportTable(
            "budget_revisions",
            f"Budget revisions to {last}",
            REVISION_COLUMNS,
            connection.sql(_REVISIONS).to_arrow_table(),
            basis.currency,
        ),
    ]
    measures = {"commitments": "commitment", "estimates": "estimate", "budget_revisions": "revision"}
    return [
        incomplete(table, unrated_plan(connection, measures[table.name], column="report_amount"))
        if table.name in measures
        else table
        for table in tables
    ]


_COMMITMENTS: Final = """
SELECT vendor_code, vendor_name, po_no, line_no, account, series, location, currency, ordered, invoiced,
    open, over,
    CAST({amount} AS DECIMAL(38, 4)) AS report_amount,
    CASE WHEN is_closed THEN 'yes' ELSE 'no' END AS closed, stated_on, row_id
FROM commitments LEFT JOIN report_rates USING (currency) ORDER BY vendor_code, po_no, line_no, currency
"""

_FINDINGS: Final = """
SELECT transaction_date, vendor_code, vendor_name, document_no, po_no, account, currency,
    CAST(amount AS DECIMAL(38, 4)) AS amount, CAST(excess AS DECIMAL(38, 4)) AS excess, finding, entry_id
FROM {findings}
ORDER BY transaction_date, vendor_code, document_no, entry_id, finding
"""

_ESTIMATES: Final = """
SELECT account, series, location, currency, CAST(amount AS DECIMAL(38, 4)) AS amount,
    CAST(report_amount AS DECIMAL(38, 4)) AS report_amount, stated_on, stated_by, reason, row_id
FROM report_plan WHERE measure = 'estimate' ORDER BY account, series, location, stated_on, currency
"""

_REVISIONS: Final = """
SELECT revision_no, account, series, location, currency, CAST(amount AS DECIMAL(38, 4)) AS amount,
    CAST(report_amount AS DECIMAL(38, 4)) AS report_amount, stated_on, stated_by, reason, row_id
FROM report_plan WHERE measure = 'revision' ORDER BY stated_on, revision_no, account, series, location
"""
