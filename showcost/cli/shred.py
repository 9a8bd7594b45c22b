"""`showcost shred`: make an encrypted delivery permanently unreadable."""

from __future__ import annotations

import click

from showcost.cli.home import open_home
from showcost.cli.output import CommandResult, prints_result, say
from showcost.ingest.shredding import shred_payload


@click.command()
@click.argument("delivery")
@click.option("--who", required=True, help="Who decides; recorded in the audit log.")
@click.option("--why", required=True, help="Why; recorded in the audit log, so no personal data.")
@prints_result
def shred(delivery: str, who: str, why: str) -> CommandResult:
    """Delete the key of an encrypted payload (DELIVERY is its sha256). Its entries and hashes remain."""
    shred_payload(open_home(), delivery, who=who, why=why)
    return CommandResult({"shredded": delivery}, lambda: say(f"Payload {delivery} is now unreadable."))
