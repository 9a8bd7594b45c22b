"""`showcost backup`: copy the data folder while others work."""

from __future__ import annotations

from pathlib import Path

import click

from showcost.backup import Backup, back_up
from showcost.cli.home import open_home
from showcost.cli.output import CommandResult, prints_result, say


@click.command()
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@prints_result
def backup(target: Path) -> CommandResult:
    """Copy the data folder to TARGET, a new folder, while others work, and verify the copy."""
    made = back_up(open_home(), target)
    return CommandResult(facts_of(made), lambda: show(made, "Backup"))


def facts_of(backup: Backup) -> dict[str, object]:
    """Return the facts about a backup or a restored folder."""
    return {
        "folder": backup.folder,
        "files": backup.files,
        "bytes": backup.size,
        "entries": backup.entries,
        "digest": backup.digest,
        "records": backup.records,
        "head": backup.head,
        "manifest": backup.manifest,
        "links_left_out": backup.left_out,
        "already_done": backup.already_done,
    }


def show(backup: Backup, what: str) -> None:
    """Print a backup or a restored folder."""
    if backup.already_done:
        say("Already done: nothing has changed since.")
    say(f"{what}, verified: {backup.folder}, {backup.files} files, {backup.size:,} bytes")
    say(f"Ledger: {backup.entries} entries, digest {backup.digest}")
    say(f"Audit log: {backup.records} records, head {backup.head} (store it off this machine)")
    for link in backup.left_out:
        say(f"Not copied, because it is a symbolic link: {link}")
