"""Rows of statements as the sheets of a workbook, one after the other, in bounded memory.

For exports: a header and the rows, without totals. Columns keep their names, those of the data dictionary.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import xlsxwriter

from showcost.core.durable import produce_file
from showcost.core.errors import InputError
from showcost.reports.writers.workbook import MADE, SHEET_ROWS, has_more_digits, safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    import duckdb
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_BATCH_ROWS: Final = 20_000
_WIDTH: Final = 16
_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_sheets(
    connection: duckdb.DuckDBPyConnection, statements: Mapping[str, str], path: Path
) -> tuple[dict[str, int], int]:
    """Write the rows of each statement to a sheet of its name.

    Return the rows of each sheet, and the number of cells with more digits than Excel keeps. Raises
    InputError if a statement has more rows than a sheet.
    """
    rows: dict[str, int] = {}
    rounded = 0

    def make(aside: Path) -> None:
        nonlocal rounded
        book = xlsxwriter.Workbook(str(aside), _OPTIONS)
        book.set_properties({"created": MADE})
        header = book.add_format({"bold": True, "bg_color": "#E8ECEF", "bottom": 1})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, statement in statements.items():
            sheet = book.add_worksheet(name)
            rows[name], cut = _write_sheet(sheet, connection.sql(statement), header, day)
            rounded += cut
        book.close()

    produce_file(path, make)
    return rows, rounded


def _write_sheet(
    sheet: Worksheet, relation: duckdb.DuckDBPyRelation, header: Format, day: Format
) -> tuple[int, int]:
    """Write the rows below a header that stays in view; return their number, and that of rounded cells."""
    count = rounded = 0
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(relation.columns) - 1, _WIDTH)
    for place, column in enumerate(relation.columns):
        sheet.write_string(0, place, column, header)
    for batch in relation.to_arrow_reader(_BATCH_ROWS):
        if count + batch.num_rows >= SHEET_ROWS:
            raise InputError(f"more than {SHEET_ROWS - 1:,} rows do not fit a sheet: use csv or parquet")
        for cells in zip(*(_cells(column) for column in batch.columns), strict=True):
            count += 1
            rounded += _write_row(sheet, count, cells, day)
    return count, rounded


def _cells(column: pa.Array) -> list[str | date | Decimal | int | None]:
    """Return the cells of a column; a list is a text, a condition yes or no."""
    cells: list[str | date | Decimal | int | None] = column.to_pylist()
    if pa.types.is_list(column.type):
        return [" ".join(map(str, cell)) if isinstance(cell, list) else cell for cell in cells]
    if pa.types.is_boolean(column.type):
        return [None if cell is None else "yes" if cell else "no" for cell in cells]
    return cells


def _write_row(
    sheet: Worksheet, row: int, cells: Sequence[str | date | Decimal | int | None], day: Format
) -> int:
    """Write a row; return the number of its cells with more digits than Excel keeps."""
    rounded = 0
    for place, cell in enumerate(cells):
        match cell:
            case None:
                continue
            case str():
                sheet.write_string(row, place, safe_text(cell))
            case date():
                midnight = datetime(cell.year, cell.month, cell.day, tzinfo=UTC).replace(tzinfo=None)
                sheet.write_datetime(row, place, midnight, day)
            case _:
                rounded += has_more_digits(cell)
                sheet.write_number(row, place, cell)
    return rounded
