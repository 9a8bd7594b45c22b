"""Entry point of the `showcost` command: its subcommands, and how errors end the process.

Exit status 0: done; 1: a check or verification failed; 2: wrong usage or input. An error is one sentence on
stderr; set `SHOWCOST_DEBUG=1` for the traceback.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from showcost.cli.demo import demo
from showcost.cli.digest import digest
from showcost.cli.export import export
from showcost.cli.fx import fx
from showcost.cli.guild_pack import guild_pack
from showcost.cli.home import home_option
from showcost.cli.init import init
from showcost.cli.land import land
from showcost.cli.parse import parse
from showcost.cli.period import period
from showcost.cli.pull import pull
from showcost.cli.queue import queue
from showcost.cli.reconcile import reconcile
from showcost.cli.report import report
from showcost.cli.run import run
from showcost.cli.shred import shred
from showcost.cli.status import status
from showcost.cli.trace import trace
from showcost.cli.verify import verify
from showcost.core.errors import ShowcostError

_USAGE = 2
_UNEXPECTED = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="showcost")
@home_option
def cli() -> None:
    """Production cost ledger: ingest, validate, convert, post and verify."""


for command in (
    init,
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
    report,
    export,
    reconcile,
    shred,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit with the status of the command contract."""
    try:
        cli.main(standalone_mode=False)
    except ShowcostError as error:
        _end(str(error), error.exit_status)
    except click.ClickException as error:
        _end(error.format_message(), _USAGE)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted; committed work is kept, rerun the command to continue", _UNEXPECTED)
    except Exception as error:
        if os.environ.get("SHOWCOST_DEBUG"):
            raise
        first_line = (str(error).strip().splitlines() or [""])[0][:200]
        _end(
            f"unexpected {type(error).__name__}: {first_line} (set SHOWCOST_DEBUG=1 for the traceback)",
            _UNEXPECTED,
        )
    sys.exit(0)


def _end(sentence: str, status: int) -> NoReturn:
    click.echo(f"showcost: {sentence}", err=True)
    sys.exit(status)
