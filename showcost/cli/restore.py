"""`showcost restore`: make a data folder from a backup."""

from __future__ import annotations

from pathlib import Path

import click

from showcost.backup import restore as restore_backup
from showcost.cli.backup import facts_of, show
from showcost.cli.home import use_home
from showcost.cli.output import CommandResult, prints_result


@click.command()
@click.argument("backup", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--head", help="An audit-log head stored off this machine; the backup must contain it.")
@prints_result
def restore(backup: Path, folder: Path, head: str | None) -> CommandResult:
    """Make FOLDER, a new data folder, from a BACKUP, and verify it; nothing is overwritten."""
    made = restore_backup(backup, folder, head=head)
    use_home(made.folder)
    return CommandResult(facts_of(made), lambda: show(made, "Restored"))
