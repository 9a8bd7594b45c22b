"""`shred`: one delivery's bytes made unreadable for ever."""

from __future__ import annotations

import click

from showcost.cli.output import Answer, answers, say
from showcost.config.home import open_home
from showcost.ingest.shredding import shred_payload


@click.command()
@click.argument("delivery")
@click.option("--who", required=True, help="Who decides it; goes into the audit log.")
@click.option("--why", required=True, help="Why; goes into the audit log, so no personal data.")
@answers
def shred(delivery: str, who: str, why: str) -> Answer:
    """Delete the key of an encrypted payload (DELIVERY is its sha256); its entries and hashes stay."""
    shred_payload(open_home(), delivery, who=who, why=why)
    return Answer({"shredded": delivery}, lambda: say(f"The payload {delivery} can no longer be read."))
