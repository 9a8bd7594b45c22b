"""`showcost alerts`: what needs a person now; test the sinks, or send as the sensor does."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from showcost.alerts.sending import own_alerts, send_open, send_test
from showcost.alerts.state import read_state
from showcost.cli.home import open_home
from showcost.cli.output import CommandResult, plural, prints_result, say
from showcost.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.alerts.alert import Alert
    from showcost.workspace import Workspace


@click.command()
@click.option("--test", is_flag=True, help="Send a test message through every sink.")
@click.option("--send", is_flag=True, help="Send what was not sent lately, as the sensor does; for cron.")
@prints_result
def alerts(*, test: bool, send: bool) -> CommandResult:
    """List what needs a person now: what, where, since when, and what to do next."""
    workspace = open_home()
    if test and send:
        raise InputError("--test and --send exclude each other")
    if test:
        return _tested(workspace)
    from showcost.orchestration.alerts import alert_sources  # noqa: PLC0415 -- Dagster takes seconds to import

    now = datetime.now(UTC)
    with alert_sources(workspace) as sources:
        if not send:
            state = read_state(workspace)
            return _listed([*sources.find(state, now), *own_alerts(workspace, state)])
        outcome = send_open(workspace, lambda state: sources.find(state, now), now, _log)
    facts = {
        "alerts": [alert.facts for alert in outcome.alerts],
        "sent": outcome.sent,
        "failed": outcome.failed,
        "busy": outcome.busy,
    }

    def show() -> None:
        _listed(outcome.alerts).show()
        for name, number in outcome.sent.items():
            say(f"{name}: {number} sent")
        for name, reason in outcome.failed.items():
            say(f"{name}: FAILED, {reason}")
        if outcome.busy:
            say("another process is sending; nothing was sent")

    return CommandResult(facts, show, status=1 if outcome.failed else 0)


def _log(text: str) -> None:
    logging.getLogger("showcost.alerts").warning(text)


def _tested(workspace: Workspace) -> CommandResult:
    outcomes = send_test(workspace, datetime.now(UTC), _log)
    facts = {"sinks": {name: {"sent": reason is None, "reason": reason} for name, reason in outcomes.items()}}

    def show() -> None:
        for name, reason in outcomes.items():
            say(f"{name}: " + ("sent" if reason is None else f"FAILED, {reason}"))

    return CommandResult(facts, show, status=1 if any(outcomes.values()) else 0)


def _listed(found: Sequence[Alert]) -> CommandResult:
    facts = {"alerts": [alert.facts for alert in found]}

    def show() -> None:
        for alert in found:
            say(alert.facts["what"])
            say(f"  where: {alert.facts['where']}")
            if alert.since is not None:
                say(f"  since: {alert.facts['since']}")
            say(f"  next:  {alert.facts['next']}\n")
        say(f"{plural(len(found), 'open alert')}." if found else "No open alert.")

    return CommandResult(facts, show)
