"""Tax ids of invented vendors, with valid check digits, from the top of each country's range."""

from __future__ import annotations

from itertools import count

import stdnum.bg.vat
import stdnum.ca.bn
import stdnum.de.vat
import stdnum.gb.vat
import stdnum.us.ein

_RULES = {
    "DE": stdnum.de.vat,
    "GB": stdnum.gb.vat,
    "CA": stdnum.ca.bn,
    "US": stdnum.us.ein,
    "BG": stdnum.bg.vat,
}


def is_valid(country: str, tax_id: str) -> bool:
    """Return whether the tax id is valid by the country's rule."""
    return bool(_RULES[country].is_valid(tax_id))


def tax_id(country: str, number: int) -> str:
    """Return the valid tax id of the vendor with this number, as written on invoices."""
    if country == "US":
        return f"9{number % 2}-{7_990_000 + number * 37:07d}"
    serial = f"9990{number:03d}" if country == "GB" else f"999{number:05d}"
    for last in count():
        body = f"{serial}{last:02d}" if country == "GB" else f"{serial}{last}"
        text = {
            "DE": f"DE{body}",
            "GB": f"GB {body[:3]} {body[3:7]} {body[7:]}",
            "CA": f"{body} RT0001",
            "BG": f"BG{body}",
        }[country]
        if is_valid(country, text):
            return text
    raise AssertionError


def with_typo(country: str, valid: str) -> str:
    """Return the tax id with one digit changed, so that it is invalid."""
    if country == "US":
        return "00" + valid[2:]
    places = [index for index, character in enumerate(valid) if character.isdigit()]
    place = places[6]
    for step in range(1, 10):
        typo = valid[:place] + str((int(valid[place]) + step) % 10) + valid[place + 1 :]
        if not is_valid(country, typo):
            return typo
    raise AssertionError
