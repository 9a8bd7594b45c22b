"""The data of the book as JSON in chunks: within the page while small, in files beside it otherwise.

A browser loads the files by script elements, which works for a page opened from a disk. No text can end a
script element: `<`, `>` and `&` are written as escapes, and so is what reverses the direction of writing.
"""
# ruff: noqa: S608 - statements are put together from constants of this module

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

from showcost.core.durable import fsync_folder, make_folder, replace_file
from showcost.core.engine import engine, view_files
from showcost.reports.book.links import ENTRY
from showcost.reports.book.words import places_sql, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    import duckdb

    from showcost.reports.book.collecting import CollectedFacts
    from showcost.reports.tables import Cell, ReportTable

ENTRIES_PER_CHUNK: Final = 5_000
ROWS_PER_CHUNK: Final = 2_000
LINES_PER_CHUNK: Final = 5_000
_QUERY_ROWS: Final = 80_000
"""Entries or rows of a query; a multiple of all chunk sizes."""

_WRITERS: Final = 4
"""Chunks that are written side by side: most of the time of each is the wait for the disk."""

_MOST_WAITING: Final = 8
"""Chunks in memory that wait to be written."""

DATA_FOLDER: Final = "book"
_ESCAPES: Final = {
    sign: f"\\u{ord(sign):04x}"
    for sign in "<>&\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
}


def plain_json(value: object) -> str:
    """Return a value as JSON without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def script_json(value: object) -> str:
    """Return a value as JSON for a script element."""
    return _escaped(plain_json(value))


def _escaped(text: str) -> str:
    """Return JSON with escapes; much faster than `str.translate` where few signs occur."""
    for sign, escape in _ESCAPES.items():
        text = text.replace(sign, escape)
    return text


class DataChunks:
    """The chunks of a book: kept for the page, or written to files while the next ones are made.

    `embedded` has the escaped JSON by name, such as `entries-0001`, if there is no folder; otherwise `files`
    is the number of files. To be used as a context manager, at whose end all files are durable.
    """

    def __init__(self, folder: Path | None) -> None:
        self.embedded: dict[str, str] = {}
        self.files = 0
        self._folder = folder
        self._writer = ThreadPoolExecutor(max_workers=_WRITERS)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        if self._folder is not None:
            make_folder(self._folder)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._writer.shutdown(cancel_futures=kind is not None)
        if kind is None and self._folder is not None:
            while self._waiting:
                self._waiting.popleft().result()
            fsync_folder(self._folder)

    def add(self, kind: str, number: int, text: str) -> None:
        """Add a chunk of JSON."""
        name = f"{kind}-{number:04d}"
        if self._folder is None:
            self.embedded[name] = _escaped(text)
            return
        self.files += 1
        self._waiting.append(
            self._writer.submit(_write, self._folder.joinpath(f"{name}.js"), kind, number, text)
        )
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft().result()


def _write(path: Path, kind: str, number: int, text: str) -> None:
    replace_file(path, f'showcostBook("{kind}",{number},{_escaped(text)});\n'.encode())


def add_entries(chunks: DataChunks, facts: CollectedFacts) -> None:
    """Add the entries and the rows of a book."""
    with engine() as connection:
        view_files(connection, "entries", [facts.entries])
        view_files(connection, "entries_by_row", [facts.entries_by_row])
        view_files(connection, "rows", [facts.rows])
        listed = _entries_sql(_cells(listed_columns(facts), facts))
        for first in range(0, facts.entry_count, _QUERY_ROWS):
            for number, text in _queried(connection, listed, first, ENTRIES_PER_CHUNK).items():
                chunks.add("entries", number, text)
        details = _details_sql(_cells(detail_columns(facts), facts))
        for first in range(0, facts.row_count, _QUERY_ROWS):
            # Put together here: grouping the entries of each row in the engine costs more than all the rest.
            entries = _queried(connection, details, first, ROWS_PER_CHUNK)
            for number, text in _queried(connection, _ROWS, first, ROWS_PER_CHUNK).items():
                chunks.add("rows", number, f'{{"rows":{text},"entries":{entries.get(number, "[]")}}}')


def listed_columns(facts: CollectedFacts) -> tuple[str, ...]:
    """Return the columns of an entry in lists and searches."""
    return (*LISTED, *(REPORTED if facts.is_translated else ()))


def detail_columns(facts: CollectedFacts) -> tuple[str, ...]:
    """Return the columns of an entry on the page of its row."""
    return (*DETAILS, *(REPORTED if facts.is_translated else ()))


def _cells(columns: Sequence[str], facts: CollectedFacts) -> list[str]:
    """Return the SQL of the cells of columns: places of texts that are kept once, or texts."""
    return [_text(name) if name in _NO_TEXTS and name not in facts.words else name for name in columns]


def _queried(connection: duckdb.DuckDBPyConnection, statement: str, first: int, size: int) -> dict[int, str]:
    """Return the chunks of a query, in order, as JSON by number."""
    parameters = {"first": first, "end": first + _QUERY_ROWS, "size": size}
    return dict(connection.execute(statement, parameters).fetchall())


def chunk_dates(facts: CollectedFacts) -> list[tuple[str, str]]:
    """Return the first and last date of each chunk of entries, so that a search can skip chunks."""
    with engine() as connection:
        view_files(connection, "entries", [facts.entries])
        dates: list[tuple[str, str]] = connection.execute(_DATES, {"size": ENTRIES_PER_CHUNK}).fetchall()
        return dates


def add_lines(
    chunks: DataChunks, kind: str, table: ReportTable, href: Callable[[Mapping[str, Cell]], str | None]
) -> None:
    """Add the rows of a table that is too long for the page; each ends with the link to its entries."""
    for place, start in enumerate(range(0, table.rows.num_rows, LINES_PER_CHUNK)):
        rows = table.rows.slice(start, LINES_PER_CHUNK).to_pylist()
        lines = [[*(None if cell is None else str(cell) for cell in row.values()), href(row)] for row in rows]
        chunks.add(kind, place, plain_json(lines))


def add_entry_lines(
    chunks: DataChunks, kind: str, table: ReportTable, facts: CollectedFacts
) -> list[list[str] | None]:
    """Add the rows of a table that names an entry in each row: the same, but for millions of rows.

    Returns the texts that are kept once, of each column; None of a column whose cells are in its rows.
    """
    names = table.rows.column_names
    numbered = table.rows.append_column("line_number", pa.array(range(table.rows.num_rows), pa.int64()))
    with engine() as connection:
        view_files(connection, "entries", [facts.entries])
        connection.register("numbered", numbered)
        words = words_of(connection, "numbered", names)
        codes = places_sql(connection, words)
        places = connection.sql(_PLACES_OF_LINES).to_arrow_table()
        connection.unregister("numbered")
        rows = numbered.append_column("r", places.column("r")).append_column("n", places.column("n"))
        columns = ", ".join(codes.get(name) or _text(f'"{name}"') for name in names)
        for first in range(0, rows.num_rows, _QUERY_ROWS):
            connection.register("lines", rows.slice(first, _QUERY_ROWS))
            found = connection.execute(_LINES.format(columns=columns), {"size": LINES_PER_CHUNK})
            while line := found.fetchone():
                chunks.add(kind, line[0], line[1])
    return [words.get(name) for name in names]


def _json_array(columns: Sequence[str]) -> str:
    return f"CAST(json_array({', '.join(columns)}) AS VARCHAR)"


def _text(column: str) -> str:
    return f"CAST({column} AS VARCHAR)"


LISTED: Final = (
    *("r", "transaction_date", "vendor_name", "document_no", "description", "component", "is_reversal"),
    *("currency", "amount", "base_amount", "flags", "series", "location", "vendor_code"),
)
"""The columns of an entry in lists and searches, in the order that the page's script expects."""

DETAILS: Final = (
    *("n", "entry_id", "entry_kind", "generation", "reverses", "reversed_by", "component", "account"),
    *("transaction_date", "amount", "currency", "base_amount", "base_currency", "rate", "eur_rate_original"),
    *("eur_rate_base", "rate_date", "snapshot_id", "fx_policy", "flags", "batch_id", "vendor_code"),
    *("vendor_name", "vendor_country", "document_no", "description", "series", "location", "set_code"),
    *("po_no", "tax_code", "service_from", "service_to", "due_date", "jurisdiction", "earning_type"),
    *("union_category", "pay_rules"),
)
"""The columns of each entry on the page of its row, in the same way."""

REPORTED: Final = ("report_amount",)
"""What follows these columns in a report in another currency than base."""

_NO_TEXTS: Final = frozenset(
    {
        *("transaction_date", "rate_date", "service_from", "service_to", "due_date"),
        *("amount", "base_amount", "report_amount", "rate", "eur_rate_original", "eur_rate_base"),
    }
)
"""Dates and decimals, which the page has as texts."""

_OF_ROW: Final = (
    "d",
    "record",
    "to_json(row_id)",
    "coalesce(CAST(byte_start AS VARCHAR), 'null')",
    "coalesce(CAST(byte_end AS VARCHAR), 'null')",
    "coalesce(CAST(to_json(raw) AS VARCHAR), 'null')",
    "coalesce(decisions, 'null')",
)
"""The parts of a row on its page, as JSON; its entries are beside it: none for a line of the plan."""

# Joined as text: DuckDB would parse the JSON within JSON once more.
_ROW_JSON: Final = f"'[' || {' || chr(44) || '.join(_OF_ROW)} || ']'"


def _entries_sql(columns: Sequence[str]) -> str:
    return f"""
        SELECT n // $size AS chunk, '[' || string_agg({_json_array(columns)}, ',' ORDER BY n) || ']'
        FROM entries WHERE n >= $first AND n < $end GROUP BY chunk ORDER BY chunk
    """


def _details_sql(details: Sequence[str]) -> str:
    """Return the SQL of the entries of rows, each after the number of its row."""
    entry = _json_array(("r", *details))
    return f"""
        SELECT r // $size AS chunk, '[' || string_agg({entry}, ',' ORDER BY r, n) || ']'
        FROM entries_by_row WHERE r >= $first AND r < $end GROUP BY chunk ORDER BY chunk
    """


_ROWS: Final = f"""
SELECT r // $size AS chunk, '[' || string_agg({_ROW_JSON}, ',' ORDER BY r) || ']'
FROM rows WHERE r >= $first AND r < $end GROUP BY chunk ORDER BY chunk
"""

# The place of every line's entry, found once: a join for each chunk would read all entries each time.
_PLACES_OF_LINES: Final = f"""
SELECT r, n FROM (SELECT line_number, {ENTRY} FROM numbered)
LEFT JOIN (SELECT {ENTRY}, r, n FROM entries) USING ({ENTRY}) ORDER BY line_number
"""

_LINES: Final = """
SELECT line_number // $size AS chunk,
    '[' || string_agg(CAST(json_array({columns}, '#/row/' || r || '?n=' || n) AS VARCHAR), ','
        ORDER BY line_number) || ']'
FROM lines GROUP BY chunk ORDER BY chunk
"""

_DATES: Final = """
SELECT CAST(min(transaction_date) AS VARCHAR), CAST(max(transaction_date) AS VARCHAR)
FROM entries GROUP BY n // $size ORDER BY n // $size
"""
