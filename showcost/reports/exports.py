"""Exports of the ledger for other tools: CSV or Parquet files, or a workbook, with a data dictionary.

    entries.*       every entry with all its columns, in the order of date and id
    journal.*       every entry with its other side (`showcost.ledger.journal`)
    accounts.*      the chart of accounts
    dictionary.*    file, column, type and meaning of every column of these files

In a workbook each is a sheet. Excel keeps 15 digits of a number; the files have all.

Text comes from vendors: in CSV, a cell that a spreadsheet would read as a formula gets an apostrophe before
it, and hidden characters are marks such as `[U+202E]`.
"""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.durable import make_folder
from showcost.core.errors import InputError
from showcost.core.national_ids import masked_sql
from showcost.ledger.active_entries import entries_as_of
from showcost.ledger.journal import COLUMNS as JOURNAL_COLUMNS
from showcost.ledger.journal import open_journal
from showcost.ledger.schema import ENTRY_COLUMNS
from showcost.reports.writers.flat import DICTIONARY, TableFormat, column_types, dictionary, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from showcost.workspace import Workspace


ACCOUNT_COLUMNS: Final = {
    "account": "number of the account",
    "name": "name of the account",
    "kind": "cost, or balance (to be settled)",
    "union_category": "union whose agreement covers the account's labour, or none",
}

_FROM_SENDERS: Final = frozenset({"vendor_code", "vendor_name", "document_no", "description", "po_no"})
"""Columns with texts of senders, which may name a person's identifier."""

_FILES: Final = {
    "entries": {column.name: column.description for column in ENTRY_COLUMNS},
    "journal": JOURNAL_COLUMNS,
    "accounts": ACCOUNT_COLUMNS,
}
"""The columns of each file, with their meaning."""


def write_tables(
    workspace: Workspace, folder: Path, format_: TableFormat, as_of: int | None = None
) -> dict[str, int]:
    """Write the files into a folder that is new or empty; return the rows of each by name.

    As known after the audit record `as_of`, or now. Raises InputError for a folder with files, or when
    production.yaml does not name the control accounts of the journal.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a new folder for the export")
    with _tables(workspace, as_of) as (connection, statements):
        make_folder(folder)
        return {
            name: write_rows(connection, statement, folder / f"{name}.{format_.value}", format_)
            for name, statement in statements.items()
        }


def write_export_workbook(
    workspace: Workspace, path: Path, as_of: int | None = None
) -> tuple[dict[str, int], int]:
    """Write the same as the sheets of a workbook; return the rows of each, and the cells that Excel rounds.

    Raises InputError for more rows than a sheet has, and as `write_tables` does.
    """
    from showcost.reports.writers.sheets import write_sheets  # noqa: PLC0415 -- slow to import: loads the workbook library

    with _tables(workspace, as_of) as (connection, statements):
        make_folder(path.parent)
        return write_sheets(connection, statements, path)


@contextmanager
def _tables(
    workspace: Workspace, as_of: int | None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, str]]]:
    """Open the ledger with the statements of all tables by name, the dictionary last."""
    with workspace.ledger.read() as connection:
        open_journal(connection, workspace.production, as_of)
        connection.register("chart", _chart(workspace))
        entry_names, journal_names = (", ".join(map(_shown, _FILES[name])) for name in ("entries", "journal"))
        statements = {
            "entries": f"SELECT {entry_names} FROM {entries_as_of(as_of)}"
            " ORDER BY transaction_date, entry_id",
            "journal": f"SELECT {journal_names} FROM journal ORDER BY ALL",
            "accounts": "FROM chart",
        }
        connection.register(DICTIONARY, _dictionary(connection, statements))
        statements[DICTIONARY] = f"FROM {DICTIONARY}"
        yield connection, statements


def _shown(column: str) -> str:
    """Return the expression of a column: the text of a sender without national identifiers."""
    return f'{masked_sql(column)} AS "{column}"' if column in _FROM_SENDERS else f'"{column}"'


def _chart(workspace: Workspace) -> pa.Table:
    rows = [
        (account.number, account.name, account.kind.value, account.union_category)
        for account in workspace.chart
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(ACCOUNT_COLUMNS)
    return pa.table(
        {name: pa.array(cells, pa.string()) for name, cells in zip(ACCOUNT_COLUMNS, columns, strict=True)}
    )


def _dictionary(connection: duckdb.DuckDBPyConnection, statements: dict[str, str]) -> pa.Table:
    """Return file, column, type and meaning of every column, in order."""
    return dictionary(
        (file, column, type_, _FILES[file][column])
        for file, statement in statements.items()
        for column, type_ in column_types(connection, statement).items()
    )
