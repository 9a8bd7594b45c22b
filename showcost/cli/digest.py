"""`showcost digest`: the ledger digest of a range, to compare runs and machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.options import as_of_option, from_option, moment, span, to_option
from showcost.cli.output import Answer, answers, say, show_table
from showcost.config.home import open_home
from showcost.ledger.digest import digest as ledger_digest
from showcost.ledger.store import Ledger

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@from_option
@to_option
@click.option("--partitions", is_flag=True, help="Also show the digest of each date.")
@as_of_option
@answers
def digest(first: datetime | None, last: datetime | None, *, partitions: bool, as_of: str | None) -> Answer:
    """Print the ledger digest of a range, to compare runs and machines."""
    home = open_home()
    start, end = span(home, first, last)
    known = moment(home, as_of)
    with Ledger(home.ledger).read() as connection:
        found = ledger_digest(connection, start, end, known)
    entries = sum(rows for rows, _ in found.partitions.values())
    facts = {
        "from": start,
        "to": end,
        "digest": found.hash,
        "entries": entries,
        "partitions": {
            str(day): {"entries": rows, "digest": value} for day, (rows, value) in found.partitions.items()
        },
    }

    def show() -> None:
        if partitions:
            rows = [(day, count, value) for day, (count, value) in found.partitions.items()]
            columns = ["date", "entries", "digest"]
            show_table("Partitions", columns, rows)
        say(f"{found.hash}  {start} to {end}, {entries} entries")

    return Answer(facts, show)
