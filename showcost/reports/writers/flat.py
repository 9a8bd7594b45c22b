"""Tables as CSV or Parquet, and the dictionary of their columns.

Text comes from vendors: in CSV, a cell that a spreadsheet would read as a formula gets an apostrophe before
it, and hidden characters are marks (`visible_text`). Parquet has the text as it is. Numbers are exact, with
all decimals that are stored.
"""
# ruff: noqa: S608 - statements are put together from the names of columns

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.durable import produce_file
from showcost.core.engine import engine
from showcost.core.visible_text import HIDDEN_CLASS, visible_sql
from showcost.staging.parquet import write_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import duckdb

    from showcost.reports.tables import ReportTable


class TableFormat(StrEnum):
    """The formats of a folder of tables; the value ends the names of its files."""

    CSV = "csv"
    PARQUET = "parquet"


DICTIONARY: Final = "dictionary"
"""The stem of the file with the meaning of every column."""

_DICTIONARY_COLUMNS: Final = ("file", "column", "type", "meaning")
_COMPRESSION_LEVEL: Final = 3
_BATCH_ROWS: Final = 65_536


def write_report_tables(tables: Sequence[ReportTable], folder: Path, format_: TableFormat) -> dict[str, int]:
    """Write the rows of each table, and the dictionary, into a folder; return the rows of each by name."""
    with engine() as connection:
        for table in tables:
            connection.register(table.name, table.rows)
        types = {table.name: column_types(connection, f'FROM "{table.name}"') for table in tables}
        rows = [
            (table.name, column.name, types[table.name][column.name], column.meaning)
            for table in tables
            for column in table.columns
        ]
        connection.register(DICTIONARY, dictionary(rows))
        return {
            name: write_rows(connection, f'FROM "{name}"', folder / f"{name}.{format_.value}", format_)
            for name in (*types, DICTIONARY)
        }


def column_types(connection: duckdb.DuckDBPyConnection, statement: str) -> dict[str, str]:
    """Return the columns of a statement with their types, in order."""
    described = connection.execute(f"DESCRIBE {statement}").fetchall()
    return {name: type_ for name, type_, *_ in described}


def dictionary(rows: Iterable[tuple[str, str, str, str]]) -> pa.Table:
    """Return file, column, type and meaning of columns as a table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(_DICTIONARY_COLUMNS)
    return pa.table(
        {name: pa.array(cells, pa.string()) for name, cells in zip(_DICTIONARY_COLUMNS, columns, strict=True)}
    )


def write_rows(
    connection: duckdb.DuckDBPyConnection, statement: str, path: Path, format_: TableFormat
) -> int:
    """Write the rows of a statement to a file and return their number."""
    counted: list[int] = []

    def make_csv(aside: Path) -> None:
        guarded = _guarded_statement(connection, statement)
        copied = connection.execute(
            f"COPY ({guarded}) TO $path (FORMAT csv, HEADER, DELIMITER ',')", {"path": str(aside)}
        )
        counted.append(copied.fetchall()[0][0])

    def make_parquet(aside: Path) -> None:
        rows = connection.sql(statement).to_arrow_reader(_BATCH_ROWS)
        counted.append(write_parquet(rows, aside, compression_level=_COMPRESSION_LEVEL))

    produce_file(path, make_csv if format_ is TableFormat.CSV else make_parquet)
    return counted[0]


_GUARD: Final = "needs a guard"

# White space and invisible characters first, and the full-width forms of the signs, count too.
_FORMULA: Final = r"^([\t\r]|[\s\p{Z}\p{Cf}]*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"


def _guarded_statement(connection: duckdb.DuckDBPyConnection, statement: str) -> str:
    """Return a statement whose texts no spreadsheet reads as a formula, and that have no hidden character.

    One expression over all texts of a row tells the few rows whose texts have to be looked at one by one.
    """
    types = column_types(connection, statement)
    texts = [f'"{name}"' for name, type_ in types.items() if type_ == "VARCHAR"]
    if not texts:
        return statement
    needs = f"regexp_matches(concat_ws(chr(10), {', '.join(texts)}), '(?m){_FORMULA}|[{HIDDEN_CLASS}]')"
    columns = ", ".join(
        f'CASE WHEN "{_GUARD}" THEN {_guarded(name)} ELSE "{name}" END AS "{name}"'
        if type_ == "VARCHAR"
        else f'"{name}"'
        for name, type_ in types.items()
    )
    return f'SELECT {columns} FROM (SELECT *, {needs} AS "{_GUARD}" FROM ({statement}))'


def _guarded(column: str) -> str:
    """Return the expression of a text that is not read as a formula, with marks for hidden characters."""
    shown = visible_sql(f'"{column}"')
    return f"""CASE WHEN regexp_matches("{column}", '{_FORMULA}') THEN '''' ELSE '' END || {shown}"""
