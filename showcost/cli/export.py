"""`showcost export`: the ledger for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, check_target, resolve_as_of
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.core.once import write_once
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
    check_target(workspace, out)
    workspace.ledger.require()
    if format_ == _WORKBOOK:
        return _workbook(workspace, out, as_of_seq)
    if format_ in set(Syntax):
        transactions, again = write_once(
            out,
            lambda path: write_plain_text(workspace, path, Syntax(format_), as_of_seq),
            f"{out} exists; name a new file for the export",
        )
        facts = {"format": format_, "file": str(out), "transactions": transactions, "already_done": again}
        return CommandResult(facts, lambda: say(f"{transactions} transactions {_written(again)} {out}"))
    rows, again = write_once(
        out,
        lambda path: write_tables(workspace, path, TableFormat(format_), as_of_seq),
        f"{out} is not empty; name a new folder for the export",
    )

    def display() -> None:
        show_table(
            f"{_written(again).capitalize()} {out}",
            ["file", "rows"],
            [(f"{name}.{format_}", n) for name, n in rows.items()],
        )

    facts = {"format": format_, "folder": str(out), "rows": rows, "already_done": again}
    return CommandResult(facts, display)


def _written(again: bool) -> str:
    """Return how the export came to be where it is; `again` if it was there."""
    return "written before, and unchanged, to" if again else "written to"


def _workbook(workspace: Workspace, out: Path, as_of: int | None) -> CommandResult:
    (rows, rounded), again = write_once(
        out,
        lambda path: write_export_workbook(workspace, path, as_of),
        f"{out} exists; name a new file for the export",
    )

    def display() -> None:
        show_table(f"{_written(again).capitalize()} {out}", ["sheet", "rows"], list(rows.items()))
        if rounded:
            say(f"{rounded} cells have more digits than Excel keeps; csv and parquet have all of them.")

    facts = {
        "format": _WORKBOOK,
        "file": str(out),
        "rows": rows,
        "rounded_cells": rounded,
        "already_done": again,
    }
    return CommandResult(facts, display)
