"""The sensor that sends alerts."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from showcost.alerts.alert import Alert
from showcost.alerts.sending import Sent, send_open
from showcost.components.run_alerts import AlertSources, check_keys
from showcost.components.workers import end_lost_runs
from showcost.defs.automation.requests import shortened
from showcost.defs.automation.sensors import TICK_WAIT
from showcost.defs.automation.ticks import ends_with_a_sentence
from showcost.workspace import open_workspace, required_home

ALERT_SECONDS: Final = 300


@dg.definitions
def alerts() -> dg.Definitions:
    """Build the sensor over all feeds, runs and checks."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=ALERT_SECONDS,
        description="Sends what needs a person: failed runs and checks, stuck dates, an old queue, missing "
        "feeds, rates and vendor pages, and a verification that is overdue. `alerts` of production.yaml says "
        "where and when; `showcost alerts` lists what is open.",
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return send_alerts(context, datetime.now(UTC))

    return dg.Definitions(sensors=[watch])


@ends_with_a_sentence
def send_alerts(context: dg.SensorEvaluationContext, now: datetime) -> dg.SkipReason:
    """Send open alerts that were not sent lately; the reason says what is open, and what was sent where."""
    workspace = open_workspace(required_home(), wait_seconds=TICK_WAIT)
    end_lost_runs(context.instance)
    repository = context.repository_def
    keys = [] if repository is None else check_keys(repository.asset_graph.asset_check_keys)
    sources = AlertSources(workspace, context.instance, keys)
    outcome = send_open(
        workspace, lambda state: sources.find_without_ledger(state, now), now, context.log.warning
    )
    return dg.SkipReason(summary(outcome))


def summary(outcome: Sent) -> str:
    """Return what is open, with where, since when and what to do next, and what was sent, in one text."""
    if not outcome.alerts:
        return "no open alert"
    count = len(outcome.alerts)
    listed = [f"({number}) {_sentence(alert)}" for number, alert in enumerate(outcome.alerts, start=1)]
    parts = [f"{count} open alert{'s' * (count != 1)}: {shortened(listed)}"]
    parts += [f"{number} sent by {name}" for name, number in outcome.sent.items()]
    parts += [f"{name} failed: {reason}" for name, reason in outcome.failed.items()]
    if outcome.busy:
        parts.append("another process is sending")
    return "; ".join(parts)


def _sentence(alert: Alert) -> str:
    facts = alert.facts
    since = f", since {facts['since']}" if facts["since"] is not None else ""
    return f"{facts['what']}: {facts['where']}{since}, next: {facts['next']}"
