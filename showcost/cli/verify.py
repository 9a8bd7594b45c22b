"""`showcost verify`: recompute everything and compare it with the record; export the audit pack."""

from __future__ import annotations

from pathlib import Path

import click

from showcost.checks.nightly import record_by_hand, safe_binding
from showcost.checks.verify import Patience, Verification
from showcost.checks.verify import verify as verify_home
from showcost.cli.home import open_home
from showcost.cli.output import CommandResult, prints_result, progress_bar, say, show_table
from showcost.core.once import write_once
from showcost.ledger.audit_pack import write_pack


@click.command()
@click.option(
    "--head", help="An audit-log head stored earlier, off this machine; the log must still contain it."
)
@click.option("--read-again", is_flag=True, help="Also parse every stored payload again.")
@click.option(
    "--pack",
    type=click.Path(file_okay=False, path_type=Path),
    help="If there are no differences, also write an audit pack to this folder for tools/verify_pack.py.",
)
@prints_result
def verify(head: str | None, pack: Path | None, *, read_again: bool) -> CommandResult:
    """Recompute everything from the raw deliveries, and report the first difference."""
    workspace = open_home()
    # The nights go on from a verification by hand.
    binding = safe_binding(workspace)
    with progress_bar("verifying") as report:
        outcome = verify_home(
            workspace, head=head, read_again=read_again, progress=report, patience=Patience()
        )
    if binding is not None:
        record_by_hand(workspace, outcome, binding)
    packed = None
    if pack is not None and outcome.first is None:
        production = workspace.production
        packed, _ = write_once(
            pack,
            lambda folder: write_pack(workspace.ledger, production.code, production.base_currency, folder),
            f"{pack} is not empty; choose a new folder for the audit pack",
        )
    facts = _facts(outcome) | {"pack": packed}
    return CommandResult(
        facts, lambda: _show(outcome, pack if packed else None), status=1 if outcome.first else 0
    )


def _facts(outcome: Verification) -> dict[str, object]:
    return {
        "verified": outcome.first is None,
        "first_difference": None if outcome.first is None else str(outcome.first),
        "head": outcome.head.hash,
        "records": outcome.head.seq,
        "entries": outcome.entries,
        "notes": list(outcome.notes),
        "steps": [
            {
                "name": step.name,
                "proves": step.proves,
                "looked_at": step.checked,
                "findings": [str(discrepancy) for discrepancy in step.discrepancies],
            }
            for step in outcome.steps
        ],
    }


def _show(outcome: Verification, pack: Path | None) -> None:
    rows = [
        (step.name, step.checked, "DIFFERS" if step.discrepancies else "as recorded", step.proves)
        for step in outcome.steps
    ]
    show_table("Verification", ["step", "checked", "result", "proves"], rows)
    for step in outcome.steps:
        for discrepancy in step.discrepancies:
            say(f"{step.name}: {discrepancy}")
    for note in outcome.notes:
        say(f"note: {note}")
    if outcome.first is not None:
        say(f"\nFirst difference: {outcome.first}")
        return
    say(f"Verified: no differences. Audit-log head (store it off this machine): {outcome.head.hash}")
    if pack is not None:
        say(f"Pack written to {pack}; check it with: python tools/verify_pack.py {pack}")
