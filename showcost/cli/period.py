"""`showcost period`: list, close and reopen fiscal periods, with an audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from showcost.cli.home import home_option, open_home
from showcost.cli.options import (
    as_of_option,
    chosen_feeds,
    from_option,
    recorded_option,
    resolve_as_of,
    span,
    to_option,
)
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.config.production import ReportingPeriod
from showcost.core.errors import InputError
from showcost.ledger.periods import Period
from showcost.pipeline.periods import close_period, closed_periods, reopen_period
from showcost.reports.cost.basis import ReportBasis
from showcost.reports.cost.report import write_report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from showcost.audit.log import Record
    from showcost.reports.pack.sealing import SealedPack
    from showcost.workspace import Workspace

_who = recorded_option("--who", required=True, help="Who decides; recorded in the audit log.")
_why = recorded_option("--why", required=True, help="Why; recorded in the audit log, so no personal data.")


@click.group()
@home_option
def period() -> None:
    """List, close and reopen fiscal periods."""


@period.command("list")
@as_of_option
@prints_result
def list_periods(as_of: str | None) -> CommandResult:
    """List the closed periods."""
    workspace = open_home()
    as_of_seq = resolve_as_of(workspace, as_of)
    closed = closed_periods(workspace, as_of_seq)
    facts = {
        "as_of": as_of_seq,
        "closed": [{"name": span.name, "from": span.start, "to": span.end} for span in closed],
    }

    def show() -> None:
        if closed:
            rows = [(span.name, span.start, span.end) for span in closed]
            show_table("Closed periods", ["name", "from", "to"], rows)
        else:
            say("No periods are closed.")

    return CommandResult(facts, show)


@period.command()
@click.argument("name")
@from_option
@to_option
@_who
@_why
@prints_result
def close(name: str, first: datetime | None, last: datetime | None, who: str, why: str) -> CommandResult:
    """Close the fiscal period NAME: no further postings to its dates; seal its report."""
    if first is None or last is None:
        raise InputError("a period needs both --from and --to")
    workspace = open_home()
    start, end = span(workspace, first, last)
    head = workspace.audit.head().seq
    record = close_period(
        workspace, chosen_feeds(workspace, None), Period(name, start, end, closed=True), who=who, why=why
    )
    pack = _sealed_report(workspace, ReportingPeriod(name=name, start=start, end=end), record.seq)
    done = f"{name} closed, {start} to {end}" if record.seq > head else f"{name} was closed already"
    return _result(record, done, {"report": pack.folder, "sha256": pack.sha256})


@period.command()
@click.argument("name")
@_who
@_why
@prints_result
def reopen(name: str, who: str, why: str) -> CommandResult:
    """Reopen the closed period NAME; the next run posts its pending rows."""
    workspace = open_home()
    head = workspace.audit.head().seq
    record = reopen_period(workspace, name, who=who, why=why)
    done = "reopened" if record.seq > head else "was reopened already"
    return _result(record, f"{name} {done}; `showcost run` posts its pending rows")


def _sealed_report(workspace: Workspace, period: ReportingPeriod, seq: int) -> SealedPack:
    """Return the sealed report of a period, as of the record that closed it."""
    basis = ReportBasis(period, workspace.production.base_currency, seq)
    _, pack = write_report(workspace, basis)
    return pack


def _result(record: Record, sentence: str, more: Mapping[str, object] | None = None) -> CommandResult:
    facts = {"audit_record": record.seq, **record.facts, **(more or {})}

    def show() -> None:
        say(f"{sentence} (audit record {record.seq}).")
        for name, value in (more or {}).items():
            say(f"{name}: {value}")

    return CommandResult(facts, show)
