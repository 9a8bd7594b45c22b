"""Invoices of the vendors: dated, numbered per vendor and taxed, with one record per line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from sample_production.layouts import CENT

if TYPE_CHECKING:
    from sample_production.draw import Draw
    from sample_production.layouts import Record
    from sample_production.vendors import Supply, Vendor

_ACCOMMODATION = {"1520", "3660"}
_SETS = {
    "BBG": ("M01 Werft", "M02 Kontor", "M05 Pontonbrücke", "M09 Dachboden"),
    "LDN": ("S11 Wharf", "S12 Cornhill alley", "S14 Chapel"),
    "TOR": ("S21 Ferry dock", "S22 Foundry", "S25 Station hall"),
    "LAX": ("",),
}
_TERMS = {"BBG": 14, "LDN": 30, "TOR": 30, "LAX": 30}


def taxed(country: str, account: str, net: Decimal) -> tuple[str, Decimal]:
    """Return tax code and tax of a net amount; the tax is rounded half away from zero."""
    if country == "US":
        return "", Decimal(0)
    code, percent = {"DE": ("V19", 19), "GB": ("S20", 20), "CA": ("ON13", 13), "BG": ("RC", 0)}[country]
    if country == "DE" and account in _ACCOMMODATION:
        code, percent = "V7", 7
    return code, (net * percent / 100).quantize(CENT, rounding=ROUND_HALF_UP)


@dataclass
class Ledger:
    """The invoices of one country's vendors; invoice numbers continue from file to file."""

    vendors: tuple[Vendor, ...]
    currency: str
    draw: Draw
    _numbers: Counter[str] = field(default_factory=Counter)

    def records(self, count: int, first: date, last: date) -> list[Record]:
        """Return `count` invoice lines in order of date, from `first` to `last` inclusive."""
        days = sorted(self.draw.workday(first, last) for _ in range(count))
        records: list[Record] = []
        while len(records) < count:
            remaining = count - len(records)
            lines = min(remaining, self.draw.pick((1, 1, 2, 2, 3, 4, 5)))
            records += self._invoice(days[len(records)], lines)
        return records

    def _invoice(self, day: date, lines: int) -> list[Record]:
        vendor = self.draw.pick(self.vendors)
        lines = min(lines, 2 * len(vendor.supplies) - 1)
        self._numbers[vendor.code] += 1
        number = vendor.numbering.format(310 + vendor.number * 7 + self._numbers[vendor.code])
        credit = self.draw.chance(3)
        order = f"PO-{vendor.location}-{self.draw.between(100, 499)}" if self.draw.chance(70) else ""
        return [
            self.line(vendor, self.draw.pick(vendor.supplies), number, line, day, order, credit=credit)
            for line in range(1, lines + 1)
        ]

    def line(
        self, vendor: Vendor, supply: Supply, number: str, line: int, day: date, order: str, *, credit: bool
    ) -> Record:
        """Return one line of an invoice."""
        pieces = self.draw.between(1, supply.max_pieces)
        net = self.draw.money(supply.low, supply.high) * pieces * (-1 if credit else 1)
        code, tax = taxed(vendor.country, supply.account, net)
        text = supply.text if supply.max_pieces == 1 else f"{supply.text} ({pieces})"
        return {
            "production_code": "HRB",
            "vendor_code": vendor.code,
            "vendor_name": vendor.name,
            "vendor_tax_id": vendor.tax_id,
            "vendor_country": vendor.country,
            "invoice_no": number,
            "invoice_date": day,
            "service_from": day - timedelta(days=min(pieces, 7)),
            "service_to": day - timedelta(days=1),
            "po_no": order,
            "line_no": str(line),
            "account": supply.account,
            "series": self.draw.pick(("101", "102", "103")),
            "location": vendor.location,
            "set": self.draw.pick(_SETS[vendor.location]),
            "description": f"{_credit_text(vendor.country)}: {text}" if credit else text,
            "currency": self.currency,
            "net_amount": net,
            "tax_code": code,
            "tax_amount": tax,
            "gross_amount": net + tax,
            "due_date": day + timedelta(days=_TERMS[vendor.location]),
        }


def _credit_text(country: str) -> str:
    return "Gutschrift" if country == "DE" else "Credit"
