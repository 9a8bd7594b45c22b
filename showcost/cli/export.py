"""`showcost export`: the ledger for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, resolve_as_of
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.core.errors import InputError
from showcost.reports.exports import write_tables
from showcost.reports.plain_text import Syntax, write_plain_text
from showcost.reports.writers.flat import TableFormat

_FORMATS: Final = (*Syntax, *TableFormat)


@click.command()
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice([value.value for value in _FORMATS]),
    help="beancount and hledger: a file; csv and parquet: a folder of tables with a data dictionary.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="File (beancount, hledger) or new folder (csv, parquet) to write.",
)
@as_of_option
@prints_result
def export(format_: str, out: Path, as_of: str | None) -> CommandResult:
    """Write the ledger, with the other side of every document, for other tools."""
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    workspace.ledger.require()
    if format_ in set(Syntax):
        if out.exists():
            raise InputError(f"{out} exists; name a new file for the export")
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
