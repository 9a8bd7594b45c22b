"""The booking stack of DATEV (EXTF): a table below a line that says what it is.

The first line has the kind of the data and the period of the bookings, whose dates have no year. The second
has the names of the columns. Semicolons divide cells; text is in Windows-1252, or UTF-8 with its mark.
"""

from __future__ import annotations

import codecs
import csv
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from showcost.readers.archives import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.readers.model import Hints

_LINE: Final = 4096
_KINDS: Final = ("EXTF", "DTVF")
_BOOKING_STACK: Final = "21"
_KIND, _CATEGORY, _FIRST, _LAST = 0, 2, 14, 15
"""Places of the cells of the first line."""


@dataclass(frozen=True)
class BookingStack:
    """The first line of a booking stack: encoding, first and last day of the bookings."""

    encoding: str
    period: tuple[date, date]

    def hints(self, hints: Hints) -> Hints:
        """Return the hints of a feed with the form of a booking stack."""
        form = replace(hints, encoding=self.encoding, delimiter=";", quote='"', escape="")
        return replace(form, header_record=2, skip_records=None)


def read_booking_stack(path: Path) -> BookingStack:
    """Read the first line of a booking stack; raises UnreadableError for any other file."""
    with path.open("rb") as file:
        line = file.readline(_LINE)
    marked = line.startswith(codecs.BOM_UTF8)
    text = line.removeprefix(codecs.BOM_UTF8).decode("cp1252", "replace")
    cells = next(csv.reader([text], delimiter=";"), [])
    if len(cells) <= _LAST or cells[_KIND] not in _KINDS:
        raise UnreadableError("the first line is not that of a DATEV file (EXTF)")
    if cells[_CATEGORY] != _BOOKING_STACK:
        raise UnreadableError(f"the DATEV file has data of category {cells[_CATEGORY]}, not bookings (21)")
    first, last = _day(cells[_FIRST]), _day(cells[_LAST])
    if first > last:
        raise UnreadableError("the period of the DATEV file ends before it begins")
    return BookingStack("utf-8" if marked else "cp1252", (first, last))


def _day(text: str) -> date:
    if len(text) == len("20261005") and text.isdecimal() and text.isascii():
        try:
            return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 -- a date has no zone
        except ValueError:
            pass
    raise UnreadableError("the first line of the DATEV file has no period of bookings")
