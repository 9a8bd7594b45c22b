"""The command line: `showcost`. Commands are in `showcost.cli`; here is how they end.

Exit status 0: done; 1: a check or verification did not hold; 2: wrong usage or input. An error is one
sentence on stderr; set `SHOWCOST_DEBUG=1` to see where it comes from.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from showcost.cli.demo import demo
from showcost.cli.digest import digest
from showcost.cli.fx import fx
from showcost.cli.guild_pack import guild_pack
from showcost.cli.land import land
from showcost.cli.parse import parse
from showcost.cli.period import period
from showcost.cli.pull import pull
from showcost.cli.queue import queue
from showcost.cli.run import run
from showcost.cli.shred import shred
from showcost.cli.status import status
from showcost.cli.trace import trace
from showcost.cli.verify import verify
from showcost.core.errors import InputError, ShowcostError

_USAGE = 2
_UNEXPECTED = 1


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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="showcost")
def cli() -> None:
    """Keep the costs of a production: land, validate, convert, post, prove."""


for command in (
    demo,
    parse,
    land,
    pull,
    run,
    status,
    digest,
    fx,
    queue,
    period,
    trace,
    verify,
    guild_pack,
    shred,
    *(coming(name) for name in COMING),
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and end the process with the status of its contract."""
    try:
        cli.main(standalone_mode=False)
    except ShowcostError as error:
        _end(str(error), error.exit_status)
    except click.ClickException as error:
        _end(error.format_message(), _USAGE)
    except (click.Abort, KeyboardInterrupt):
        _end("stopped; what was committed stays, the same command goes on from there", _UNEXPECTED)
    except Exception as error:
        if os.environ.get("SHOWCOST_DEBUG"):
            raise
        first_line = (str(error).strip().splitlines() or [""])[0][:200]
        _end(f"unexpected {type(error).__name__}: {first_line} (SHOWCOST_DEBUG=1 shows where)", _UNEXPECTED)
    sys.exit(0)


def _end(sentence: str, status: int) -> NoReturn:
    click.echo(f"showcost: {sentence}", err=True)
    sys.exit(status)
