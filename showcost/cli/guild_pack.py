"""`showcost guild-pack`: the audit pack of an agreement for a guild's auditor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from showcost.cli.home import open_home
from showcost.cli.options import check_target, from_option, span, to_option
from showcost.cli.output import CommandResult, prints_result, say, show_table

if TYPE_CHECKING:
    from datetime import datetime


@click.command("guild-pack")
@click.option("--agreement", required=True, help="Agreement name, as in production.yaml.")
@from_option
@to_option
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the pack to.",
)
@prints_result
def guild_pack(agreement: str, first: datetime | None, last: datetime | None, out: Path) -> CommandResult:
    """Write the audit pack of an agreement: rows, rules applied, clauses, rates and results."""
    from showcost.reports.guild_pack import write_guild_pack  # noqa: PLC0415 -- slow to import: loads the workbook library

    workspace = open_home()
    check_target(workspace, out)
    start, end = span(workspace, first, last)
    pack = write_guild_pack(workspace, agreement, start, end, out)
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
        say(f"{pack.findings} findings; guild_pack.xlsx has everything as sheets.")

    return CommandResult(facts, display)
