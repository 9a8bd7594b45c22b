"""The booking stack of DATEV (EXTF): a table below a line that says what it is.

The first line has the kind of the data and the period of the bookings, whose dates have no year. The second
has the names of the columns. Semicolons divide cells; text is in Windows-1252, or UTF-8 with its mark. A
booking may leave out its last cells.
"""

from __future__ import annotations

import codecs
import csv
import re
import tempfile
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.readers.archives import UnreadableError

if TYPE_CHECKING:
    from showcost.readers.model import Hints

_LINE: Final = 4096
_KINDS: Final = ("EXTF", "DTVF")
_BOOKING_STACK: Final = "21"
_KIND, _CATEGORY, _FIRST, _LAST = 0, 2, 14, 15
"""Places of the cells of the first line."""

_LONGEST: Final = 2**20
_CELL: Final = rb'(?:[^";\r\n]*|"(?:[^"\r\n]|"")*")'
_AMOUNT: Final = rb"[0-9]{1,10}(?:,[0-9]{1,2})?"
_BOOKING: Final = re.compile(
    rb'%(amount)s;"?[SH]"?;(?:%(cell)s;){7}[0-9]{3,4};(?:%(cell)s;){2}(?:%(amount)s)?;%(cell)s(?:;%(cell)s)*'
    % {b"amount": _AMOUNT, b"cell": _CELL}
)
"""A line with the cells that each booking has in their places: amount, side, date, discount, text."""


@dataclass(frozen=True)
class BookingStack:
    """The first line of a booking stack: encoding, first and last day of the bookings."""

    encoding: str
    period: tuple[date, date]

    def hints(self, hints: Hints) -> Hints:
        """Return the hints of a feed with the form of a booking stack."""
        form = replace(hints, encoding=self.encoding, delimiter=";", quote='"', escape="")
        return replace(form, header_record=2, skip_records=None)


def completed(path: Path, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write the file with the semicolons that its bookings leave out at the end; return it, and a note.

    Only a line whose cells are certainly in their places is completed. The last one, without a line end, may
    be cut off, unless it ends with a quote.
    """
    short = 0
    with (
        path.open("rb") as file,
        tempfile.NamedTemporaryFile(dir=folder, prefix="datev-", delete=False) as out,
    ):
        out.write(file.readline(_LONGEST))
        names = file.readline(_LONGEST)
        out.write(names)
        width = _cells(names)
        is_start = True
        while line := file.readline(_LONGEST):
            body = line.rstrip(b"\r\n")
            is_whole = len(body) < len(line) or body.endswith(b'"')
            missing = width - _cells(body) if is_start and is_whole and _BOOKING.fullmatch(body) else 0
            out.write(body + b";" * missing + line[len(body) :] if missing > 0 else line)
            short += missing > 0
            is_start = line.endswith(b"\n")
    if not short:
        return path, ()
    return Path(out.name), (f"{short} bookings leave out cells at the end; places are counted with them",)


def _cells(line: bytes) -> int:
    """Return the number of cells of a line; a semicolon within quotes divides none."""
    return 1 + re.sub(rb'"[^"]*"', b"", line).count(b";")


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
