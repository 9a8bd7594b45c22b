"""`showcost rotate-key`: a new master key for all encrypted payloads."""

from __future__ import annotations

import click

from showcost.cli.home import open_home
from showcost.cli.options import recorded_option
from showcost.cli.output import CommandResult, prints_result, progress_bar, say
from showcost.ingest.key_rotation import rotate_key as rotate


@click.command(name="rotate-key")
@recorded_option("--who", required=True, help="Who decides; recorded in the audit log.")
@recorded_option("--why", required=True, help="Why; recorded in the audit log, so no personal data.")
@prints_result
def rotate_key(who: str, why: str) -> CommandResult:
    """Put all encrypted payloads under a new master key.

    SHOWCOST_PAYLOAD_KEY is the new key, SHOWCOST_PAYLOAD_KEY_OLD the one before. If it is interrupted, the
    same command goes on.
    """
    workspace = open_home()
    with progress_bar("rotating") as report:
        done = rotate(workspace, who=who, why=why, progress=report)
    facts = {
        "key_id": done.key_id,
        "replaced": done.replaced,
        "done_before": done.before,
        "recorded": done.recorded,
    }

    def show() -> None:
        say(f"{done.replaced} keys were put under the master key {done.key_id}, {done.before} were before.")
        say("Copies made earlier, such as backups, still open with the old key: keep it as long as they.")

    return CommandResult(facts, show)
