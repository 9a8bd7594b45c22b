"""The files of the committed sample and their expected results from `sample_truth.json`.

They are read with the standard library only, so that the sample is checked independently of showcost.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = REPOSITORY / "data"

_ENCODINGS = {"vendor_invoices_uk": "cp1252"}
_DAYS = {"vendor_invoices_de": "%d.%m.%Y", "vendor_invoices_uk": "%d/%m/%Y", "vendor_invoices_us": "%m/%d/%Y"}
UNCLOSED = "a quote is opened and not closed"


def truth() -> dict[str, Any]:
    """Return the expected results of the sample."""
    content: dict[str, Any] = json.loads((HOME / "sample_truth.json").read_text(encoding="utf-8"))
    return content


def delivered(feed: str, file: dict[str, Any]) -> list[list[str]]:
    """Return the records of a file, preamble, header and footer included."""
    content = (HOME / "inbox" / feed / file["file"]).read_bytes()
    text = content.decode(_ENCODINGS.get(feed, "utf-8-sig"))
    delimiter = ";" if feed == "vendor_invoices_de" else ","
    if any(planted["fault"] == UNCLOSED for planted in file["planted"]):
        return [next(csv.reader([line], delimiter=delimiter)) for line in text.splitlines()]
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def clean_rows(feed: str, file: dict[str, Any]) -> list[dict[str, str]]:
    """Return the rows of a file without faults, by header."""
    records = delivered(feed, file)
    start, end = file["header_record"], len(records) - file["footer_records"]
    planted = {row["record"] for row in file["planted"]}
    return [
        dict(zip(records[start - 1], record, strict=True))
        for number, record in enumerate(records[start:end], start + 1)
        if number not in planted
    ]


def day(feed: str, text: str) -> date:
    """Read a date in the sender's format."""
    return datetime.strptime(text, _DAYS.get(feed, "%Y-%m-%d")).date()  # noqa: DTZ007 -- a day, no moment


def amount(feed: str, text: str) -> Decimal:
    """Read an amount in the sender's format; blank is zero."""
    if feed == "vendor_invoices_de":
        text = text.replace(".", "").replace(",", ".")
    sign = -1 if text.startswith("(") else 1
    return sign * Decimal(text.strip("()").replace("£", "").replace(",", "") or "0")
