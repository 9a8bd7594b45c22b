"""Commands of the contract that are not there yet: each says so in one line and exits with 2."""

from __future__ import annotations

import click

from showcost.core.errors import InputError

COMING = {
    "report": "the cost report and the lender snapshot",
    "export": "the ledger for other tools",
}


def coming(name: str) -> click.Command:
    """Return a command that says that it comes later."""

    @click.command(
        name,
        short_help=f"Comes later: {COMING[name]}.",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def command() -> None:
        raise InputError(f"`showcost {name}` ({COMING[name]}) comes in a later version")

    return command
