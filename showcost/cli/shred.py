"""`showcost shred`: make an encrypted delivery permanently unreadable."""

from __future__ import annotations

import click

from showcost.cli.home import open_home
from showcost.cli.options import recorded_option
from showcost.cli.output import CommandResult, prints_result, say
from showcost.ingest.shredding import TextCopies, remove_from_inbox, shred_payload, text_copies


@click.command()
@click.argument("delivery")
@recorded_option("--who", required=True, help="Who decides; recorded in the audit log.")
@recorded_option("--why", required=True, help="Why; recorded in the audit log, so no personal data.")
@click.option("--remove-copies", is_flag=True, help="Also remove its file in the inbox.")
@prints_result
def shred(delivery: str, who: str, why: str, *, remove_copies: bool) -> CommandResult:
    """Delete the key of an encrypted payload (DELIVERY is its sha256). Its entries and hashes remain.

    Copies of its text in the inbox and in staging are named; `--remove-copies` removes those in the inbox.
    """
    workspace = open_home()
    done_now = shred_payload(workspace, delivery, who=who, why=why)
    copies = text_copies(workspace, delivery)
    if remove_copies:
        remove_from_inbox(copies)
    facts = {
        "shredded": delivery,
        "already_done": not done_now,
        "inbox_copies": copies.inbox,
        "inbox_copies_removed": remove_copies,
        "staged_copies": copies.staged,
    }

    def display() -> None:
        before = "" if done_now else "; it was shredded before"
        say(f"Payload {delivery} is unreadable{before}.")
        _say_copies(copies, removed=remove_copies)

    return CommandResult(facts, display)


def _say_copies(copies: TextCopies, *, removed: bool) -> None:
    for path in copies.inbox:
        say(f"{'Removed' if removed else 'Copy in the inbox'}: {path}")
    if copies.inbox and not removed:
        say("The same command with --remove-copies removes it.")
    for asset in copies.staged:
        say(
            f"Copy in staging: {asset} and the rows made of it; they stay, because later runs post from them."
        )
    say("Backups have their own copies and keys.")
