"""The command line: `showcost`. Commands are in `showcost.commands`; here is how they end.

Exit status 0: done; 1: a check or verification did not hold; 2: wrong usage or input. An error is one
sentence on stderr; set `SHOWCOST_DEBUG=1` to see where it comes from.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from showcost.commands.demo import demo
from showcost.commands.guilds import guild_pack
from showcost.commands.landing import land, status
from showcost.commands.later import COMING, coming
from showcost.commands.parsing import parse
from showcost.commands.periods import period
from showcost.commands.pulling import pull
from showcost.commands.queueing import queue
from showcost.commands.rates import fx
from showcost.commands.running import digest, run
from showcost.commands.shredding import shred
from showcost.commands.tracing import trace
from showcost.commands.verifying import verify
from showcost.core.errors import ShowcostError

_USAGE = 2
_UNEXPECTED = 1


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
