"""Exports of the ledger for other tools: a folder of CSV or Parquet files, with a data dictionary.

    entries.*       every entry with all its columns, in the order of date and id
    journal.*       every entry with its other side (`showcost.ledger.journal`)
    accounts.*      the chart of accounts
    dictionary.*    file, column, type and meaning of every column of these files

Text comes from vendors: in CSV, a cell that a spreadsheet would read as a formula gets an apostrophe before
it.
"""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.durable import make_folder, produce_file
from showcost.core.errors import InputError
from showcost.ledger.active_entries import entries_as_of
from showcost.ledger.journal import COLUMNS as JOURNAL_COLUMNS
from showcost.ledger.journal import open_journal
from showcost.ledger.schema import ENTRY_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from showcost.workspace import Workspace


class TableFormat(StrEnum):
    """The formats of a folder of tables; the value ends the names of its files."""

    CSV = "csv"
    PARQUET = "parquet"


ACCOUNT_COLUMNS: Final = {
    "account": "number of the account",
    "name": "name of the account",
    "kind": "cost, or balance (to be settled)",
    "union_category": "union whose agreement covers the account's labour, or none",
}

_FILES: Final = {
    "entries": {column.name: column.description for column in ENTRY_COLUMNS},
    "journal": JOURNAL_COLUMNS,
    "accounts": ACCOUNT_COLUMNS,
}
"""The columns of each file, with their meaning."""

_OPTIONS: Final = {
    TableFormat.CSV: "FORMAT csv, HEADER, DELIMITER ','",
    TableFormat.PARQUET: "FORMAT parquet, COMPRESSION zstd",
}


def write_tables(
    workspace: Workspace, folder: Path, format_: TableFormat, as_of: int | None = None
) -> dict[str, int]:
    """Write the files into a folder that is new or empty; return the rows of each by name.

    As known after the audit record `as_of`, or now. Raises InputError for a folder with files, or when
    production.yaml does not name the control accounts of the journal.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a new folder for the export")
    with workspace.ledger.read() as connection:
        open_journal(connection, workspace.production, as_of)
        connection.register("chart", _chart(workspace))
        entry_names = ", ".join(f'"{name}"' for name in _FILES["entries"])
        journal_names = ", ".join(JOURNAL_COLUMNS)
        statements = {
            "entries": f"SELECT {entry_names} FROM {entries_as_of(as_of)}"
            " ORDER BY transaction_date, entry_id",
            "journal": f"SELECT {journal_names} FROM journal ORDER BY ALL",
            "accounts": "FROM chart",
        }
        connection.register("dictionary", _dictionary(connection, statements))
        statements["dictionary"] = "FROM dictionary"
        make_folder(folder)
        return {
            name: _write(connection, statement, folder / f"{name}.{format_.value}", format_)
            for name, statement in statements.items()
        }


def _chart(workspace: Workspace) -> pa.Table:
    rows = [
        (account.number, account.name, account.kind.value, account.union_category.value)
        for account in workspace.chart
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(ACCOUNT_COLUMNS)
    return pa.table(
        {name: pa.array(cells, pa.string()) for name, cells in zip(ACCOUNT_COLUMNS, columns, strict=True)}
    )


def _dictionary(connection: duckdb.DuckDBPyConnection, statements: dict[str, str]) -> pa.Table:
    """Return file, column, type and meaning of every column, in order."""
    rows = [
        (file, column, type_, _FILES[file][column])
        for file, statement in statements.items()
        for column, type_, *_ in connection.execute(f"DESCRIBE {statement}").fetchall()
    ]
    names = ("file", "column", "type", "meaning")
    return pa.table(
        {
            name: pa.array(cells, pa.string())
            for name, cells in zip(names, zip(*rows, strict=True), strict=True)
        }
    )


def _write(connection: duckdb.DuckDBPyConnection, statement: str, path: Path, format_: TableFormat) -> int:
    """Write the rows of a statement to a file and return their number."""
    if format_ is TableFormat.CSV:
        described = connection.execute(f"DESCRIBE {statement}").fetchall()
        columns = ", ".join(
            f'{_guarded(name)} AS "{name}"' if type_ == "VARCHAR" else f'"{name}"'
            for name, type_, *_ in described
        )
        statement = f"SELECT {columns} FROM ({statement})"
    counted: list[int] = []

    def make(aside: Path) -> None:
        copied = connection.execute(
            f"COPY ({statement}) TO $path ({_OPTIONS[format_]})", {"path": str(aside)}
        )
        counted.append(copied.fetchall()[0][0])

    produce_file(path, make)
    return counted[0]


def _guarded(column: str) -> str:
    """Return the expression of a text that a spreadsheet does not read as a formula."""
    # White space and invisible characters first, and the full-width forms of the signs, count too.
    sign = r"[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
    is_formula = rf"""regexp_matches("{column}", '^([\t\r]|[\s\p{{Z}}\p{{Cf}}]*{sign})')"""
    return f"""CASE WHEN {is_formula} THEN '''' || "{column}" ELSE "{column}" END"""
