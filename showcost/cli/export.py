"""`showcost export`: the ledger for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, resolve_as_of
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.core.errors import InputError
from showcost.reports.exports import write_export_workbook, write_tables
from showcost.reports.plain_text import Syntax, write_plain_text
from showcost.reports.writers.flat import TableFormat

if TYPE_CHECKING:
    from showcost.workspace import Workspace

_WORKBOOK: Final = "xlsx"
_FORMATS: Final = (*(value.value for value in (*Syntax, *TableFormat)), _WORKBOOK)


@click.command()
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(_FORMATS),
    help="beancount and hledger: the journal; csv, parquet and xlsx: tables with a data dictionary.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="New file (beancount, hledger, xlsx) or new folder (csv, parquet) to write.",
)
@as_of_option
@prints_result
def export(format_: str, out: Path, as_of: str | None) -> CommandResult:
    """Write the ledger, with the other side of every document, for other tools."""
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    workspace.ledger.require()
    if format_ not in set(TableFormat) and out.exists():
        raise InputError(f"{out} exists; name a new file for the export")
    if format_ == _WORKBOOK:
        return _workbook(workspace, out, as_of_seq)
    if format_ in set(Syntax):
        out.parent.mkdir(parents=True, exist_ok=True)
        transactions = write_plain_text(workspace, out, Syntax(format_), as_of_seq)
        facts = {"format": format_, "file": str(out), "transactions": transactions}
        return CommandResult(facts, lambda: say(f"{transactions} transactions written to {out}"))
    rows = write_tables(workspace, out, TableFormat(format_), as_of_seq)

    def display() -> None:
        show_table(
            f"Written to {out}", ["file", "rows"], [(f"{name}.{format_}", n) for name, n in rows.items()]
        )

    return CommandResult({"format": format_, "folder": str(out), "rows": rows}, display)


def _workbook(workspace: Workspace, out: Path, as_of: int | None) -> CommandResult:
    rows, rounded = write_export_workbook(workspace, out, as_of)

    def display() -> None:
        show_table(f"Written to {out}", ["sheet", "rows"], list(rows.items()))
        if rounded:
            say(f"{rounded} cells have more digits than Excel keeps; csv and parquet have all of them.")

    facts = {"format": _WORKBOOK, "file": str(out), "rows": rows, "rounded_cells": rounded}
    return CommandResult(facts, display)
