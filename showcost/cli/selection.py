"""Which rows or findings a command is about: what narrows them, and how a person agrees to many."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from showcost.audit.log import AuditLog
from showcost.cli.options import feed_option, from_option, span, to_option
from showcost.core.errors import InputError
from showcost.core.reasons import CATALOGUE
from showcost.reconciliation.queue import WAITING, RowState, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from showcost.config.home import Home

P = ParamSpec("P")


def narrowing(command: Callable[P, None]) -> Callable[P, None]:
    """Add the options that say which rows are wanted."""
    for option in (
        click.option("--vendor", help="Only rows whose vendor has this in its name."),
        click.option("--code", help="Only rows with this reason code."),
        click.option(
            "--state",
            "state_names",
            type=click.Choice([state.value for state in RowState]),
            multiple=True,
            help="Only rows in this state; may be repeated. [default: all in which something is to happen]",
        ),
        to_option,
        from_option,
        feed_option,
    ):
        command = option(command)
    return command


def wanted_rows(home: Home, options: Mapping[str, object]) -> Wanted:
    """Return what the options of `narrowing` ask for."""
    code = optional_text(options["code"])
    if code is not None and code not in CATALOGUE:
        raise InputError(f"there is no reason code {code}; docs/reason-codes.md lists them")
    dates = _time(options["first"]), _time(options["last"])
    first, last = span(home, *dates) if any(dates) else (None, None)
    states = tuple(RowState(name) for name in all_texts(options["state_names"])) or WAITING
    return Wanted(states=states, code=code, vendor=optional_text(options["vendor"]), first=first, last=last)


def check_how_chosen(home: Home, ids: tuple[str, ...], options: Mapping[str, object]) -> None:
    """Raise InputError unless there are ids, or --all and something that narrows it."""
    if ids and options["everything"]:
        raise InputError("give either ids or --all, not both")
    if not ids and not options["everything"]:
        raise InputError("name what is meant by its id, or choose it with --all and what narrows it")
    if options["everything"] and not (wanted_rows(home, options).narrows or options["feed_name"]):
        raise InputError("--all needs at least one of --feed, --code, --vendor, --from and --to")


def ask(question: str, options: Mapping[str, object]) -> None:
    """Ask a person to agree, unless `--yes` was given; click.Abort when they do not."""
    if not options["yes"]:
        click.confirm(question, abort=True, err=True)


def time_as_of(home: Home, known: int | None) -> datetime | None:
    """Return the time of an audit record; None for now."""
    return None if known is None else AuditLog(home.path).time_as_of(known)


def optional_text(value: object) -> str | None:
    """Return the text of an option, if it was given."""
    return None if value is None else str(value)


def all_texts(value: object) -> list[str]:
    """Return the texts of an option that may be repeated."""
    return [str(one) for one in value] if isinstance(value, tuple) else []


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def has_instance(home: Home) -> bool:
    """Say whether runs of the data folder were ever kept, so that somebody may look at them in the UI."""
    named = os.environ.get("DAGSTER_HOME")
    folder = Path(named) if named else home.path / "dagster_home"
    return any((folder / name).is_dir() for name in ("storage", "history", "schedules"))
