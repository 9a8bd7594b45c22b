"""Selection of queue rows and pay findings: filter options, and confirmation of bulk actions."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from showcost.cli.options import feed_option, from_option, span, to_option
from showcost.core.errors import DeclinedError, InputError
from showcost.core.reason_catalogue import CATALOGUE
from showcost.core.visible_text import visible
from showcost.reconciliation.queue import WAITING, QueueFilter, RowState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from showcost.workspace import Workspace

P = ParamSpec("P")


def filter_options(command: Callable[P, None]) -> Callable[P, None]:
    """Add the filter options of the queue."""
    for option in (
        click.option("--vendor", help="Only rows whose vendor name contains this text."),
        click.option("--code", help="Only rows with this reason code."),
        click.option(
            "--state",
            "state_names",
            type=click.Choice([state.value for state in RowState]),
            multiple=True,
            help="Only rows in this state; may be repeated. [default: open, pending, duplicate, decided]",
        ),
        to_option,
        from_option,
        feed_option,
    ):
        command = option(command)
    return command


def queue_filter(workspace: Workspace, options: Mapping[str, object]) -> QueueFilter:
    """Return the filter that the options of `filter_options` describe."""
    code = optional_text(options["code"])
    if code is not None and code not in CATALOGUE:
        raise InputError(f"unknown reason code {code}; see docs/reason-codes.md")
    dates = _time(options["first"]), _time(options["last"])
    first, last = span(workspace, *dates) if any(dates) else (None, None)
    states = tuple(RowState(name) for name in all_texts(options["state_names"])) or WAITING
    return QueueFilter(
        states=states, code=code, vendor=optional_text(options["vendor"]), first=first, last=last
    )


def check_how_chosen(workspace: Workspace, ids: tuple[str, ...], options: Mapping[str, object]) -> None:
    """Raise InputError unless there are ids, or --all with at least one filter."""
    if ids and options["everything"]:
        raise InputError("give either ids or --all, not both")
    if not ids and not options["everything"]:
        raise InputError("give ids, or --all with at least one filter")
    if options["everything"] and not (queue_filter(workspace, options).is_narrowed or options["feed_name"]):
        raise InputError("--all needs at least one of --feed, --code, --vendor, --from, --to")


def ask(question: str, options: Mapping[str, object]) -> None:
    """Ask for confirmation unless `--yes` was given. Raises DeclinedError for any other answer than yes."""
    if options["yes"]:
        return
    try:
        confirmed = click.confirm(visible(question), err=True)
    except click.Abort:
        click.echo(err=True)
        confirmed = False
    if not confirmed:
        raise DeclinedError("nothing was changed")


def time_as_of(workspace: Workspace, as_of_seq: int | None) -> datetime | None:
    """Return the time of an audit record; None for now."""
    return None if as_of_seq is None else workspace.audit.time_as_of(as_of_seq)


def optional_text(value: object) -> str | None:
    """Return the text of an option, or None if it was not given."""
    return None if value is None else str(value)


def all_texts(value: object) -> list[str]:
    """Return the texts of a repeatable option."""
    return [str(text) for text in value] if isinstance(value, tuple) else []


def _time(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def has_instance(workspace: Workspace) -> bool:
    """Tell whether the data folder has Dagster history, which the UI may be showing."""
    dagster_home = os.environ.get("DAGSTER_HOME")
    folder = Path(dagster_home) if dagster_home else workspace.path / "dagster_home"
    return any((folder / name).is_dir() for name in ("storage", "history", "schedules"))
