"""`showcost digest`: the ledger digest of a range, to compare runs and machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, from_option, resolve_as_of, span, to_option
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.ledger.digest import digest as ledger_digest

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@from_option
@to_option
@click.option("--partitions", is_flag=True, help="Also show the digest of each date.")
@as_of_option
@prints_result
def digest(
    first: datetime | None, last: datetime | None, *, partitions: bool, as_of: str | None
) -> CommandResult:
    """Print the ledger digest of a date range, to compare runs and machines."""
    workspace = open_home()
    start, end = span(workspace, first, last)
    as_of_seq = resolve_as_of(workspace, as_of)
    ledger = workspace.ledger
    ledger.require()
    with ledger.read() as connection:
        result = ledger_digest(connection, start, end, as_of_seq)
    entries = sum(rows for rows, _ in result.partitions.values())
    facts = {
        "from": start,
        "to": end,
        "digest": result.hash,
        "entries": entries,
        "partitions": {
            str(day): {"entries": rows, "digest": value} for day, (rows, value) in result.partitions.items()
        },
    }

    def show() -> None:
        if partitions:
            rows = [(day, count, value) for day, (count, value) in result.partitions.items()]
            columns = ["date", "entries", "digest"]
            show_table("Partitions", columns, rows)
        say(f"{result.hash}  {start} to {end}, {entries} entries")

    return CommandResult(facts, show)
