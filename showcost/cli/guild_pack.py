"""`guild-pack`: what a guild's auditor reads of the pay under an agreement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from showcost.cli.options import from_option, span, to_option
from showcost.cli.output import Answer, answers, say, show_table
from showcost.config.home import open_home

if TYPE_CHECKING:
    from datetime import datetime


@click.command("guild-pack")
@click.option("--agreement", required=True, help="Name of the agreement, as production.yaml has it.")
@from_option
@to_option
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the pack."
)
@answers
def guild_pack(agreement: str, first: datetime | None, last: datetime | None, out: Path) -> Answer:
    """Write the audit pack of an agreement: each row, the rules applied, clause, rate and result."""
    from showcost.reports.guild_pack import write_guild_pack  # noqa: PLC0415 -- slow to import: it brings the workbook library

    home = open_home()
    start, end = span(home, first, last)
    pack = write_guild_pack(home, agreement, start, end, out)
    facts = {
        "folder": str(out),
        "agreement": pack.agreement,
        "from": start,
        "to": end,
        "rows": pack.rows,
        "results": pack.results,
        "findings": pack.findings,
        "sha256": pack.sha256,
    }

    def display() -> None:
        say(f"{pack.rows} rows under {pack.agreement}, {start} to {end}, in {out}")
        show_table("Checks", ["result", "checks"], list(pack.results.items()))
        say(f"{pack.findings} findings; guild_pack.xlsx has all of it as sheets.")

    return Answer(facts, display)
