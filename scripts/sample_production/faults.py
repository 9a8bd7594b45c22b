"""Faults of planted rows: each breaks one clean record and has one reason code.

A fault changes the record before it is written, or the cells as they are written. Faults that need a second
row (duplicates, corrections) are planted by `files`. The names of faults are part of `sample_truth.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sample_production.tax_ids import with_typo
from sample_production.vendors import SOFIA

if TYPE_CHECKING:
    from collections.abc import Callable

    from sample_production.layouts import Layout, Record

_RAGGED, _BLANK, _DATE, _SPAN = "SC-ROW-001", "SC-ROW-002", "SC-DAT-001", "SC-DAT-002"
_AMOUNT, _MINOR, _SUM = "SC-AMT-001", "SC-AMT-002", "SC-AMT-003"


@dataclass(frozen=True)
class Fault:
    """One way to break a record.

    `change` alters the record; `spoil` makes the line of text from its cells. The fault can be planted in
    records for which `fits` returns true, and in any record if `fits` is None.
    """

    name: str
    code: str
    change: Callable[[Record, Layout], None] | None = None
    spoil: Callable[[list[str], Layout], str] | None = None
    fits: Callable[[Record], bool] | None = None

    @property
    def disposition(self) -> str:
        """Expected state of the row: posted, quarantined, duplicate or pending."""
        special = {"SC-FX-001": "pending", "SC-DUP-001": "duplicate"}
        return special.get(self.code, "posted" if self.only_flags else "quarantined")

    @property
    def only_flags(self) -> bool:
        """True if the row is posted, with its code as a flag or a pay finding."""
        return self.code in {"SC-PAY-005", "SC-PAY-007", "SC-PAY-009"}


def amount_of(record: Record, name: str) -> Decimal:
    """Return an amount of a record; TypeError if a fault has replaced it by text."""
    value = record[name]
    if not isinstance(value, Decimal):
        raise TypeError(f"{name} is not an amount")
    return value


def _set(name: str, code: str, **values: str | date | Decimal) -> Fault:
    def change(record: Record, _: Layout) -> None:
        record.update(values)

    return Fault(name, code, change)


def _retype(name: str, code: str, field: str, retype: Callable[[str], str]) -> Fault:
    def change(record: Record, layout: Layout) -> None:
        record[field] = retype(layout.text(record[field]))

    return Fault(name, code, change)


def blank(field: str, code: str = _BLANK) -> Fault:
    """Leave a required field blank."""
    return _set(f"{field} is blank", code, **{field: ""})


def date_text(field: str, text: str) -> Fault:
    """Write a date that does not exist or is not in the sender's format."""
    return _set(f"{field} is no date: {text}", _DATE, **{field: text})


def amount_text(field: str, text: str) -> Fault:
    """Write text that is not an amount in the sender's format."""
    return _set(f"{field} is no amount: {text}", _AMOUNT, **{field: text})


def letter_for_digit(field: str) -> Fault:
    """Type the letter O for the last zero, or for the last digit."""

    def retype(text: str) -> str:
        place = text.rfind("0") if "0" in text else len(text) - 1
        return text[:place] + "O" + text[place + 1 :]

    return _retype(f"{field} has a letter among its digits", _AMOUNT, field, retype)


def other_symbol(field: str, index: int) -> Fault:
    """Put a symbol of another currency, by its index in the layout, before an amount."""

    def change(record: Record, layout: Layout) -> None:
        digits = layout.text(record[field]).replace("£", "")
        record[field] = f"{layout.symbols[index]} {digits}"

    return Fault(f"{field} has the sign of another currency", "SC-CUR-002", change)


def other_currency(currency: str) -> Fault:
    """Set a currency that does not exist or is not set up."""
    return _set(f"currency is {currency}", "SC-CUR-001", currency=currency)


def thousandths(*fields: str) -> Fault:
    """Add half a cent to amounts: they get a third decimal, and sums that were right stay right."""

    def change(record: Record, _: Layout) -> None:
        for name in fields:
            record[name] = amount_of(record, name) + Decimal("0.005")

    return Fault(f"{' and '.join(fields)} in thousandths", _MINOR, change)


def wrong_sum(field: str, by: str) -> Fault:
    """Make net and tax differ from gross."""

    def change(record: Record, _: Layout) -> None:
        record[field] = amount_of(record, field) + Decimal(by)

    return Fault(f"{field} is off by {by}", _SUM, change)


def account(number: str, code: str) -> Fault:
    """Set an account that is unknown or closed."""
    return _set(f"account is {number}", code, account=number)


def dated(field: str, day: date, code: str) -> Fault:
    """Set a date on which the row cannot be posted, or cannot be posted yet (pending)."""

    def change(record: Record, _: Layout) -> None:
        record[field] = day
        if "service_to" in record:
            record["service_from"], record["service_to"] = day - timedelta(days=2), day - timedelta(days=1)

    return Fault(f"{field} is {day.isoformat()}", code, change)


def other_show(field: str, day: date) -> Fault:
    """Set the production code of another show."""
    return _set("another show's row", _SPAN, production_code="MRN", **{field: day})


def tax_id_typo(record: Record, _: Layout) -> None:
    """Change a digit of the tax id."""
    country = str(record["vendor_country"])
    record["vendor_tax_id"] = with_typo(country, str(record["vendor_tax_id"]))


def _leva(record: Record, _: Layout) -> None:
    net = amount_of(record, "net_amount")
    record.update(
        vendor_code=SOFIA.code,
        vendor_name=SOFIA.name,
        vendor_tax_id=SOFIA.tax_id,
        vendor_country=SOFIA.country,
        invoice_no=SOFIA.numbering.format(int("".join(filter(str.isdigit, str(record["invoice_no"]))))),
        account=SOFIA.supplies[0].account,
        description=SOFIA.supplies[0].text,
        currency="BGN",
        tax_code="RC",
        tax_amount=Decimal("0.00"),
        gross_amount=net,
    )


def _ends_before_start(record: Record, _: Layout) -> None:
    start, end = record["start_datetime"], record["end_datetime"]
    if not isinstance(end, datetime):
        raise TypeError("the end of a permit must be a date and time")
    record["start_datetime"], record["end_datetime"] = end, start


def _deposit_as_cost(record: Record, _: Layout) -> None:
    record.update(
        permit_id=f"{record['permit_id']}-D",
        event_type="deposit",
        fee_amount=Decimal("2500.00"),
        deposit_amount=Decimal("0.00"),
        refundable="yes",
        account="3610",
    )


def _unclosed(cells: list[str], layout: Layout) -> str:
    place = [name for _, name in layout.columns].index("description")
    texts = [*cells[:place], '"' + cells[place], *cells[place + 1 :]]
    return layout.delimiter.join(texts)


def _text_after_quote(cells: list[str], layout: Layout) -> str:
    place = [name for _, name in layout.columns].index("description")
    texts = [layout.line([cell]) for cell in cells]
    texts[place] = '"Director monitor 27" HDR rental"'
    return layout.delimiter.join(texts)


def _short(cells: list[str], layout: Layout) -> str:
    return layout.line(cells[:-3])


def _long(cells: list[str], layout: Layout) -> str:
    return layout.line([*cells[:3], "c/o", *cells[3:]])


TAX_ID_MISSING = blank("vendor_tax_id", "SC-VEN-001")
TAX_ID_TYPO = Fault("vendor_tax_id has a mistyped digit", "SC-VEN-002", tax_id_typo)
LEVA = Fault("currency is set up but no longer quoted", "SC-FX-002", _leva)
ENDS_BEFORE_START = Fault("the permit ends before it starts", "SC-PMT-001", _ends_before_start)
DEPOSIT_AS_COST = Fault("a refundable deposit stands as a fee", "SC-PMT-002", _deposit_as_cost)
UNCLOSED_QUOTE = Fault("a quote is opened and not closed", _RAGGED, spoil=_unclosed)
TEXT_AFTER_QUOTE = Fault("an inch sign within quotes", _RAGGED, spoil=_text_after_quote)
SHORT_ROW = Fault("three cells are missing", _RAGGED, spoil=_short)
LONG_ROW = Fault("a cell too many", _RAGGED, spoil=_long)
CLOSED_MAYBE = _set("closed neither yes nor no", "SC-PO-002", is_closed="maybe")
REPEATED = Fault("the row was delivered before", "SC-DUP-001")
CORRECTED = Fault("the row was delivered before with another amount", "SC-DUP-002")
