"""The pollutions that the Pollock benchmark describes, applied to a source file of our own.

Each polluted file comes with its clean table. The source has 83 rows of 9 columns: dates, times, counts,
codes, prices, words, text with commas and quotes. Weights are the frequencies of the pollutions among the
86 real files that the reader was tried on (the benchmark's own are not published in its description).
"""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from showcost_tests.readers.measures import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

WEIGHTS = {
    "source": 0.50,
    "no payload": 0.01,
    "newlines at the end": 0.20,
    "no header": 0.07,
    "few rows": 0.12,
    "preamble": 0.21,
    "footer": 0.05,
    "empty lines": 0.16,
    "delimiter": 0.10,
    "quote": 0.10,
    "escape": 0.01,
    "record delimiter": 0.50,
    "encoding": 0.37,
    "header": 0.09,
    "several header lines": 0.07,
    "several tables": 0.06,
    "header extra delimiter": 0.02,
    "header extra quote": 0.01,
    "header missing delimiter": 0.01,
    "header changed delimiter": 0.01,
    "extra delimiter": 0.02,
    "missing delimiter": 0.02,
    "extra quote": 0.02,
    "missing quote": 0.01,
    "changed delimiter": 0.01,
}
"""The share of each pollution among real files, divided among all files with that pollution."""

WIDTH = 9
HEADER: Row = ("Date", "Time", "Qty", "Product ID", "Price", "Type", "Description", "Link", "Comments")


_THINGS = [
    "Cable drum",
    "Lens, 50 mm",
    "Gaffer tape",
    'Flag 24" x 36"',
    "Call sheet printing",
    "Van hire, weekly",
]
_NOTES = [
    "",
    "",
    "returned",
    "see PO 4411; approved",
    'called "urgent"',
    "second unit, night",
    "\u00a312 deposit",
]


@dataclass(frozen=True)
class Polluted:
    """A polluted file: `kind` is the pollution, `name` the file."""

    kind: str
    name: str
    payload: bytes
    true: Table


def source() -> Table:
    """Build the clean source; always the same."""
    pick = random.Random(2023)  # noqa: S311 -- repeatable, no secret
    return Table(HEADER, tuple(_source_row(pick, number) for number in range(83)))


def _source_row(pick: random.Random, number: int) -> Row:
    return (
        f"{pick.randint(1, 28):02d}/{pick.randint(1, 12):02d}/2025",
        f"{pick.randint(6, 20):02d}:{pick.randint(0, 59):02d}:00",
        str(pick.randint(1, 40)),
        f"{pick.choice(['CAM', 'GRP', 'LOC'])}-{1000 + number}",
        f"{pick.randint(1, 2000)}.{pick.randint(0, 99):02d}",
        pick.choice(["Hire", "Purchase", "Service"]),
        pick.choice(_THINGS),
        f"http://vendor.example/item/{number}",
        pick.choice(_NOTES),
    )


def quoted(cell: str, delimiter: str = ",", quote: str = '"', escape: str | None = None) -> str:
    """Write a cell with quotes where it needs them."""
    if not any(mark in cell for mark in (delimiter.strip() or delimiter, quote, "\n", ",")):
        return cell
    inner = cell.replace(quote, (quote if escape is None else escape) + quote)
    return f"{quote}{inner}{quote}"


def lines(table: Table, delimiter: str = ",", quote: str = '"', escape: str | None = None) -> list[str]:
    """Write each record of a table as one line."""
    return [
        delimiter.join(quoted(cell, delimiter, quote, escape) for cell in row)
        for row in (table.header, *table.rows)
    ]


def _file(kind: str, name: str, text: str, true: Table, encoding: str = "utf-8") -> Polluted:
    return Polluted(kind, name, text.encode(encoding), true)


def _joined(parts: list[str], end: str = "\r\n") -> str:
    return end.join(parts) + end


def file_pollutions(table: Table) -> Iterator[Polluted]:
    """Yield the files that are polluted as a whole."""
    plain = lines(table)
    only_header = Table(table.header, ())
    numbered = Table(tuple(f"col_{n}" for n in range(WIDTH)), table.rows)
    yield _file("source", "source", _joined(plain), table)
    yield _file("no payload", "no_payload", "", Table((), ()))
    yield _file("newlines at the end", "no_trailing_newline", "\r\n".join(plain), table)
    yield _file("newlines at the end", "double_trailing_newline", _joined([*plain, ""]), table)
    yield _file("no header", "no_header", _joined(plain[1:]), numbered)
    yield _file("few rows", "header_only", _joined(plain[:1]), only_header)
    yield _file("few rows", "one_row", _joined(plain[:2]), Table(table.header, table.rows[:1]))
    yield _file(
        "preamble",
        "preamble",
        _joined(["Cost export, second unit", "Prepared by accounts", "", *plain]),
        table,
    )
    pad = "," * (WIDTH - 1)
    yield _file("preamble", "preamble_padded", _joined([f"Cost export{pad}", pad, *plain]), table)
    yield _file("footer", "footer_note", _joined([*plain, "", "End of report"]), table)
    total = ("Total", "", "", "", "9999.5", "", "", "", "")
    with_total = Table(table.header, (*table.rows, total))
    yield _file("footer", "footer_total", _joined([*plain, ",".join(total)]), with_total)
    yield _file("empty lines", "empty_lines", _joined([x for line in plain for x in (line, "")]), table)
    yield _file("empty lines", "empty_records", _joined([*plain[:40], pad, *plain[40:], pad, pad]), table)
    for delimiter in (";", "\t", "|", " ", ", ", "||", ":"):
        text = _joined(lines(table, delimiter))
        if delimiter in " :":
            text = _joined(
                [
                    delimiter.join(f'"{c.replace(chr(34), chr(34) * 2)}"' for c in row)
                    for row in (table.header, *table.rows)
                ]
            )
        yield _file("delimiter", "delimiter_" + delimiter.encode().hex(), text, table)
    yield _file("quote", "quote_27", _joined(lines(table, quote="'")), table)
    yield _file(
        "quote",
        "quote_all",
        _joined(
            [
                ",".join(f'"{c.replace(chr(34), chr(34) * 2)}"' for c in row)
                for row in (table.header, *table.rows)
            ]
        ),
        table,
    )
    yield _file("escape", "escape_5c", _joined(lines(table, escape="\\")), table)
    yield _file("record delimiter", "record_0a", _joined(plain, "\n"), table)
    yield _file("record delimiter", "record_0d", _joined(plain, "\r"), table)
    mixed = "".join(line + ("\n" if number % 3 else "\r\n") for number, line in enumerate(plain))
    yield _file("record delimiter", "record_mixed", mixed, table)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"):
        yield _file("encoding", "encoding_" + encoding, _joined(plain), table, encoding)
    yield from _header_pollutions(table, plain)
    yield from _table_pollutions(table, plain)


def _header_pollutions(table: Table, plain: list[str]) -> Iterator[Polluted]:
    twice = ("Date", "Date", "Qty", "Qty", *table.header[4:])
    yield _file(
        "header", "header_not_unique", _joined([",".join(twice), *plain[1:]]), Table(twice, table.rows)
    )
    long = tuple(name + " " + "x" * 300 for name in table.header)
    yield _file("header", "header_long", _joined([",".join(long), *plain[1:]]), Table(long, table.rows))
    odd = tuple(f"{name} (#{number}) *" for number, name in enumerate(table.header))
    yield _file("header", "header_marks", _joined([",".join(odd), *plain[1:]]), Table(odd, table.rows))
    for count in (2, 3):
        upper = [tuple(f"{name} {level}" for name in table.header) for level in range(count)]
        joined = tuple(" ".join(parts) for parts in zip(*upper, strict=True))
        yield _file(
            "several header lines",
            f"header_lines_{count}",
            _joined([*(",".join(line) for line in upper), *plain[1:]]),
            Table(joined, table.rows),
        )


def _table_pollutions(table: Table, plain: list[str]) -> Iterator[Polluted]:
    """Yield files with a second table; only a table with the same header can be read."""
    narrow = ["", "Account,Total", "2000,15.00", "2100,16.00"]
    yield _file("several tables", "tables_less", _joined([*plain, *narrow]), table)
    wide = ["", ",".join(f"Extra {n}" for n in range(WIDTH + 3)), ",".join("12" for _ in range(WIDTH + 3))]
    yield _file("several tables", "tables_more", _joined([*plain, *wide]), table)
    yield _file(
        "several tables", "tables_same", _joined([*plain, "", *plain]), Table(table.header, table.rows * 2)
    )


def row_pollutions(table: Table) -> Iterator[Polluted]:
    """Yield a file for each row and column that is polluted; row 0 is the header."""
    plain = lines(table)
    records = (table.header, *table.rows)
    for number, record in enumerate(records):
        cells = [quoted(cell) for cell in record]
        for column in range(WIDTH):
            more = ",".join([*cells[:column], "", *cells[column:]])
            yield _row("extra delimiter", f"more_sep_{number}_{column}", plain, number, more, table)
            if column:
                less = ",".join(
                    [*cells[: column - 1], cells[column - 1] + cells[column], *cells[column + 1 :]]
                )
                yield _row("missing delimiter", f"less_sep_{number}_{column}", plain, number, less, table)
            extra = ",".join([*cells[:column], cells[column] + '"', *cells[column + 1 :]])
            yield _row("extra quote", f"extra_quote_{number}_{column}", plain, number, extra, table)
            front = ",".join([*cells[:column], '"' + cells[column], *cells[column + 1 :]])
            yield _row("extra quote", f"front_quote_{number}_{column}", plain, number, front, table)
            if cells[column].startswith('"'):
                lacking = ",".join([*cells[:column], cells[column][:-1], *cells[column + 1 :]])
                yield _row("missing quote", f"less_quote_{number}_{column}", plain, number, lacking, table)
        for delimiter in (";", "\t", " "):
            changed = delimiter.join(quoted(cell, delimiter) for cell in record)
            yield _row(
                "changed delimiter",
                f"row_delimiter_{number}_{delimiter.encode().hex()}",
                plain,
                number,
                changed,
                table,
            )


def _row(kind: str, name: str, plain: list[str], number: int, line: str, true: Table) -> Polluted:
    where = "header " if number == 0 else ""
    return _file(where + kind, name, _joined([*plain[:number], line, *plain[number + 1 :]]), true)


def read_clean(text: str) -> Table:
    """Read a clean file of RFC 4180."""
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline="")) if row]
    return Table(rows[0] if rows else (), tuple(rows[1:]))
