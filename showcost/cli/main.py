"""Entry point of the `showcost` command: its subcommands, and how errors end the process.

Exit status 0: done; 1: a check or verification failed; 2: wrong usage or input. An error is one sentence on
stderr; set `SHOWCOST_DEBUG=1` for the traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Final, NoReturn

import click

from showcost.cli.home import home_option
from showcost.core.errors import ShowcostError, disk_sentence
from showcost.core.privacy import keep_private
from showcost.core.visible_text import visible

_USAGE = 2
_UNEXPECTED = 1

SUMMARIES: Final = {
    "init": "Make a new production in FOLDER, which must be new or empty.",
    "demo": "Take a sample production from its inbox into the ledger, and show the result.",
    "parse": "Read FILES without landing them and print the rows as CSV on stdout.",
    "land": "Land the inbox: store and read new deliveries, and list the transaction dates they touch.",
    "pull": "Pull a range of dates from vendor APIs.",
    "run": "Materialise the partitions of a date range; without a range, all due partitions.",
    "ui": "Open the Dagster UI of the data folder on this machine, with its schedules and sensors.",
    "status": "Show row counts and amounts by state, per feed, and whether they reconcile.",
    "alerts": "List what needs a person now: what, where, since when, and what to do next.",
    "digest": "Print the ledger digest of a date range, to compare runs and machines.",
    "fx": "Show, pin, import, accept, repin and check FX snapshots.",
    "queue": "Work the reconciliation queue: list, show, resolve, replay, dismiss.",
    "period": "List, close and reopen fiscal periods.",
    "trace": "Trace ENTRY (an entry or row id, at least six digits) to its delivery, rules, rate and run.",
    "verify": "Recompute everything from the raw deliveries, and report the first difference.",
    "guild-pack": "Write the audit pack of an agreement: rows, rules applied, clauses, rates and results.",
    "report": "Show cost, commitments, ETC, EFC and variance per section or account, or write them to files.",
    "export": "Write the ledger, with the other side of every document, for other tools.",
    "reconcile": "Compare a statement with the ledger, both ways.",
    "backup": "Copy the data folder to TARGET, a new folder, while others work, and verify the copy.",
    "restore": "Make FOLDER, a new data folder, from a BACKUP, and verify it; nothing is overwritten.",
    "rotate-key": "Put all encrypted payloads under a new master key.",
    "shred": "Delete the key of an encrypted payload (DELIVERY is its sha256).",
}
"""The commands and the first sentence of their help, which is all that `showcost --help` needs of them."""


class _Commands(MutableMapping[str, click.Command]):
    """The commands by name; the module of a command is imported when the command is taken out."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            if name not in SUMMARIES:
                raise KeyError(name)
            module = name.replace("-", "_")
            self._loaded[name] = getattr(import_module(f"showcost.cli.{module}"), module)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


class _Group(click.Group):
    """The command line: its help lists the commands without importing them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names of the commands and the first sentence of each."""
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        short = [click.Command(name, help=SUMMARIES[name]).get_short_help_str(limit) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl([*zip(names, short, strict=True)])


@click.group(cls=_Group, commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="showcost")
@home_option
def cli() -> None:
    """Production cost ledger: ingest, validate, convert, post and verify."""


def main() -> NoReturn:
    """Run the command line and exit with the status of the command contract."""
    try:
        keep_private()
        cli.main(standalone_mode=False)
    except ShowcostError as error:
        _end(str(error), error.exit_status)
    except click.ClickException as error:
        _end(error.format_message(), _USAGE)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted; committed work is kept, rerun the command to continue", _UNEXPECTED)
    except OSError as error:
        if os.environ.get("SHOWCOST_DEBUG"):
            raise
        _end(disk_sentence(error), _UNEXPECTED)
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
    click.echo(f"showcost: {visible(sentence)}", err=True)
    sys.exit(status)
