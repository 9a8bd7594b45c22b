"""File layouts of the senders: columns, formats of dates and amounts, encoding, line ends and preamble."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CENT = Decimal("0.01")
"""Unit to which amounts are rounded."""

Value = str | date | datetime | Decimal | None
Record = dict[str, Value]
"""A record by field names; text is written unchanged, dates and amounts in the sender's format."""


def continental(amount: Decimal) -> str:
    """Write 1234.5 as 1.234,5."""
    return f"{amount:,f}".translate(str.maketrans(",.", ".,"))


def sterling(amount: Decimal) -> str:
    """Write -1234.5 as -£1,234.5."""
    return f"{'-' if amount < 0 else ''}£{abs(amount):,f}"


def accounting(amount: Decimal) -> str:
    """Write -1234.5 as (1,234.5)."""
    return f"({-amount:,f})" if amount < 0 else f"{amount:,f}"


def plain(amount: Decimal) -> str:
    """Write 1234.5 as 1234.5."""
    return f"{amount:f}"


@dataclass(frozen=True)
class Layout:
    """The layout of one sender's files; `columns` are (header, field) in order.

    `day` and `date_time` are `strftime` formats; `preamble` are the lines before the header.
    """

    columns: tuple[tuple[str, str], ...]
    day: str
    amount: Callable[[Decimal], str]
    delimiter: str = ","
    encoding: str = "utf-8"
    line_end: str = "\n"
    preamble: tuple[str, ...] = ()
    date_time: str = "%Y-%m-%dT%H:%M"
    symbols: tuple[str, str] = field(default=("$", "€"))
    """Currency symbols that contradict the currencies of this sender."""

    @property
    def header_record(self) -> int:
        """The 1-based number of the record with the column names."""
        return len(self.preamble) + 1

    def text(self, value: Value) -> str:
        """Return a value as text."""
        if value is None:
            return ""
        if isinstance(value, Decimal):
            return self.amount(value)
        if isinstance(value, datetime):
            return value.strftime(self.date_time)
        if isinstance(value, date):
            return value.strftime(self.day)
        return value

    def cells(self, record: Record) -> list[str]:
        """Return the cells of a record in the order of the columns."""
        return [self.text(record.get(name)) for _, name in self.columns]

    def line(self, cells: Sequence[str]) -> str:
        """Return cells as a line without its line end, quoted where necessary."""
        return self.delimiter.join(self._quoted(cell) for cell in cells)

    def _quoted(self, cell: str) -> str:
        if any(character in cell for character in (self.delimiter, '"', "\r", "\n")):
            return '"' + cell.replace('"', '""') + '"'
        return cell

    def encode(self, lines: Sequence[str]) -> bytes:
        """Return the bytes of a file with these lines."""
        return "".join(line + self.line_end for line in lines).encode(self.encoding)


_GERMAN = (
    ("Produktion", "production_code"),
    ("Kreditor", "vendor_code"),
    ("Kreditorname", "vendor_name"),
    ("USt-IdNr.", "vendor_tax_id"),
    ("Land", "vendor_country"),
    ("Rechnungsnummer", "invoice_no"),
    ("Rechnungsdatum", "invoice_date"),
    ("Leistung von", "service_from"),
    ("Leistung bis", "service_to"),
    ("Bestellnummer", "po_no"),
    ("Position", "line_no"),
    ("Sachkonto", "account"),
    ("Folge", "series"),
    ("Drehort", "location"),
    ("Motiv", "set"),
    ("Buchungstext", "description"),
    ("Währung", "currency"),
    ("Nettobetrag", "net_amount"),
    ("Steuerschlüssel", "tax_code"),
    ("Steuerbetrag", "tax_amount"),
    ("Bruttobetrag", "gross_amount"),
    ("Fällig am", "due_date"),
)
_BRITISH = (
    ("Show", "production_code"),
    ("Supplier A/C", "vendor_code"),
    ("Supplier", "vendor_name"),
    ("VAT Reg No", "vendor_tax_id"),
    ("Country", "vendor_country"),
    ("Invoice No", "invoice_no"),
    ("Line", "line_no"),
    ("Invoice Date", "invoice_date"),
    ("Period From", "service_from"),
    ("Period To", "service_to"),
    ("PO Number", "po_no"),
    ("Nominal", "account"),
    ("Episode", "series"),
    ("Location", "location"),
    ("Set", "set"),
    ("Details", "description"),
    ("Curr", "currency"),
    ("Net", "net_amount"),
    ("VAT Code", "tax_code"),
    ("VAT", "tax_amount"),
    ("Gross", "gross_amount"),
    ("Due", "due_date"),
)
_CANADIAN = (
    ("Project", "production_code"),
    ("Vendor ID", "vendor_code"),
    ("Vendor", "vendor_name"),
    ("GST/HST No.", "vendor_tax_id"),
    ("Country", "vendor_country"),
    ("Document No.", "invoice_no"),
    ("Line", "line_no"),
    ("Document Date", "invoice_date"),
    ("Service From", "service_from"),
    ("Service To", "service_to"),
    ("PO", "po_no"),
    ("G/L Account", "account"),
    ("Episode", "series"),
    ("Location", "location"),
    ("Description", "description"),
    ("Currency", "currency"),
    ("Amount Before Tax", "net_amount"),
    ("Tax Group", "tax_code"),
    ("HST", "tax_amount"),
    ("Document Total", "gross_amount"),
    ("Due Date", "due_date"),
)
_AMERICAN = (
    ("Production", "production_code"),
    ("Vendor ID", "vendor_code"),
    ("Vendor", "vendor_name"),
    ("EIN", "vendor_tax_id"),
    ("Bill No.", "invoice_no"),
    ("Line", "line_no"),
    ("Bill Date", "invoice_date"),
    ("Service From", "service_from"),
    ("Service To", "service_to"),
    ("P.O.", "po_no"),
    ("Account No.", "account"),
    ("Episode", "series"),
    ("Location", "location"),
    ("Memo", "description"),
    ("Currency", "currency"),
    ("Amount", "net_amount"),
    ("Due", "due_date"),
)
_PERMITS = (
    ("Show", "production_code"),
    ("Permit No.", "permit_id"),
    ("Event", "event_type"),
    ("Authority", "authority"),
    ("Jurisdiction", "jurisdiction"),
    ("Site", "location_name"),
    ("Charged On", "entered_on"),
    ("Start", "start_datetime"),
    ("End", "end_datetime"),
    ("Time Zone", "timezone"),
    ("Account", "account"),
    ("Episode", "series"),
    ("Unit", "location"),
    ("Set", "set"),
    ("Currency", "currency"),
    ("Fee", "fee_amount"),
    ("Deposit", "deposit_amount"),
    ("Refundable", "refundable"),
)
_PAYROLL = (
    ("Show", "production_code"),
    ("Payroll Company", "payroll_company"),
    ("Payroll Invoice", "payroll_invoice_no"),
    ("Employee", "employee_ref"),
    ("Loan Out", "loan_out"),
    ("Agreement", "agreement"),
    ("Local", "union_local"),
    ("Occ Code", "occupation_code"),
    ("Schedule", "schedule"),
    ("Account", "account"),
    ("Episode", "series"),
    ("Unit", "location"),
    ("Work Date", "work_date"),
    ("Zone", "work_place"),
    ("Call Time", "call_time"),
    ("Meal1 Out", "meal1_out"),
    ("Meal1 In", "meal1_in"),
    ("Wrap Time", "wrap_time"),
    ("Workday", "day_of_workweek"),
    ("Holiday", "is_holiday"),
    ("Currency", "currency"),
    ("Rate", "rate"),
    ("Rate Basis", "rate_basis"),
    ("Hours 1x", "hours_1x"),
    ("Hours 1.5x", "hours_1_5x"),
    ("Hours 2x", "hours_2x"),
    ("Hours 3x", "hours_3x"),
    ("Meal Penalties", "meal_penalty_count"),
    ("Meal Penalty", "meal_penalty_amount"),
    ("Rest Penalty", "rest_penalty_amount"),
    ("Gross", "gross"),
    ("Benefits", "benefit_amount"),
)

_ORDERS = (
    ("Show", "production_code"),
    ("PO No.", "po_no"),
    ("Line", "line_no"),
    ("Vendor ID", "vendor_code"),
    ("Vendor", "vendor_name"),
    ("Changed On", "stated_on"),
    ("Start", "service_from"),
    ("Finish", "service_to"),
    ("Account", "account"),
    ("Episode", "series"),
    ("Unit", "location"),
    ("Set", "set"),
    ("Description", "description"),
    ("Currency", "currency"),
    ("Ordered", "amount"),
    ("Closed", "is_closed"),
)
_ESTIMATES = (
    ("Show", "production_code"),
    ("Estimated On", "stated_on"),
    ("Account", "account"),
    ("Episode", "series"),
    ("Unit", "location"),
    ("Currency", "currency"),
    ("To Complete", "amount"),
    ("Estimated By", "stated_by"),
    ("Reason", "reason"),
)
_REVISIONS = (
    ("Show", "production_code"),
    ("Revision", "revision_no"),
    ("Approved On", "stated_on"),
    ("Account", "account"),
    ("Episode", "series"),
    ("Unit", "location"),
    ("Currency", "currency"),
    ("Change", "amount"),
    ("Approved By", "stated_by"),
    ("Reason", "reason"),
)

GERMAN = Layout(_GERMAN, "%d.%m.%Y", continental, ";", "utf-8-sig", "\r\n", symbols=("£", "$"))
BRITISH = Layout(_BRITISH, "%d/%m/%Y", sterling, ",", "cp1252", "\r\n", symbols=("€", "$"))
BRITISH_PLAIN = Layout(_BRITISH, "%d/%m/%Y", plain, ",", "cp1252", "\n", symbols=("€", "$"))
CANADIAN = Layout(
    _CANADIAN,
    "%Y-%m-%d",
    plain,
    preamble=(
        "Harrow Bridge Productions (Ontario) Inc.",
        "A/P Invoice Register",
        "Batch type: Entered - Functional: CAD",
    ),
    symbols=("£", "€"),
)
AMERICAN = Layout(_AMERICAN, "%m/%d/%Y", accounting, ",", "utf-8", "\r\n", symbols=("£", "€"))
ORDERS = Layout(_ORDERS, "%Y-%m-%d", plain)
ESTIMATES = Layout(_ESTIMATES, "%Y-%m-%d", plain)
REVISIONS = Layout(_REVISIONS, "%Y-%m-%d", accounting)
PERMITS = Layout(_PERMITS, "%Y-%m-%d", plain, symbols=("£", "€"))
PAYROLL = Layout(_PAYROLL, "%Y-%m-%d", plain, symbols=("£", "€"))
