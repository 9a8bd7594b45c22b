"""Sending of alerts: each matter once per sink, and again after a pause while it stays open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from showcost.alerts.alert import Alert, alert_message, plain_message
from showcost.alerts.sinks import send_all
from showcost.alerts.state import read_state, sending, write_state
from showcost.vendor_api.guard import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from showcost.alerts.state import AlertState
    from showcost.vendor_api.guard import Resolver
    from showcost.workspace import Workspace

SINK_FAILS: Final = "sink"
STATE_NOT_KEPT: Final = "state"
_NEXT_SINK: Final = "correct `alerts` in production.yaml or its variables, then run `showcost alerts --test`"
_NEXT_STATE: Final = "check the disk of the data folder and who may write there"


@dataclass(frozen=True)
class Sent:
    """The open alerts, and per sink the number of them that were sent now, or the reason why it failed.

    `busy` says that another process was sending.
    """

    alerts: tuple[Alert, ...]
    sent: Mapping[str, int]
    failed: Mapping[str, str]
    busy: bool = False


def send_open(
    workspace: Workspace,
    find: Callable[[AlertState], Sequence[Alert]],
    now: datetime,
    log: Callable[[str], object],
    resolver: Resolver = resolve,
) -> Sent:
    """Send the alerts that `find` returns, each through every sink that has not sent it lately.

    Nothing that fails here is an error of the caller: it is in the outcome, in the state, and an alert of its
    own.
    """
    with sending(workspace) as free:
        state = read_state(workspace)
        found = [*find(state), *own_alerts(workspace, state)]
        if not free:
            return Sent(tuple(found), {}, {}, busy=True)
        state.forget_unseen()
        policy = workspace.production.alerts
        repeat = timedelta(hours=policy.repeat_hours)
        state.forget_sent(now - repeat, [sink.name for sink in policy.sinks])
        sent, failed = _sent(workspace, state, found, now, log, resolver)
        write_state(workspace, state)
        if state.problem is not None:
            found.append(_not_kept(state.problem))
        return Sent(tuple(found), sent, failed)


def own_alerts(workspace: Workspace, state: AlertState) -> list[Alert]:
    """Return the alerts about alerts: sinks that fail, and a state that cannot be kept."""
    names = {sink.name for sink in workspace.production.alerts.sinks}
    alerts = [
        Alert(
            SINK_FAILS,
            (f"sink {name}",),
            f"alerts are not sent by {name}",
            f"production.yaml, alerts: {sink.reason}",
            sink.failing_since,
            _NEXT_SINK,
        )
        for name, sink in sorted(state.sinks.items())
        if sink.reason is not None and name in names
    ]
    return [*alerts, *([] if state.problem is None else [_not_kept(state.problem)])]


def _not_kept(problem: str) -> Alert:
    return Alert(
        STATE_NOT_KEPT, ("state",), "the state of alerts cannot be written", problem, None, _NEXT_STATE
    )


def _sent(
    workspace: Workspace,
    state: AlertState,
    alerts: Sequence[Alert],
    now: datetime,
    log: Callable[[str], object],
    resolver: Resolver,
) -> tuple[dict[str, int], dict[str, str]]:
    """Send through each sink what it has not sent yet."""
    sent: dict[str, int] = {}
    failed: dict[str, str] = {}
    fresh: dict[str, tuple[Alert, ...]] = {}
    work = []
    for sink in workspace.production.alerts.sinks:
        before = state.sink(sink.name).sent
        unsent = tuple(alert for alert in alerts if any(key not in before for key in alert.keys))
        if unsent:
            fresh[sink.name] = unsent
            work.append((sink, alert_message(workspace.production, unsent)))
    for name, reason in send_all(work, log, resolver).items():
        sink_state = state.sink(name)
        if reason is not None:
            failed[name] = reason
            sink_state.failing_since = sink_state.failing_since or now
            sink_state.reason = reason
            log(f"alerts are not sent by {name}: {reason}")
            continue
        sent[name] = len(fresh[name])
        sink_state.failing_since = sink_state.reason = None
        sink_state.sent |= {key: now for alert in fresh[name] for key in alert.keys}
    return sent, failed


def send_test(
    workspace: Workspace, now: datetime, log: Callable[[str], object], resolver: Resolver = resolve
) -> dict[str, str | None]:
    """Send a test message through all sinks; return per sink the reason why it failed, None if it did not."""
    message = plain_message(
        workspace.production,
        "test of the alerts",
        f"This is a test of the alerts of {workspace.production.code}. Nothing needs to be done.",
        {"test": True},
    )
    outcomes = send_all([(sink, message) for sink in workspace.production.alerts.sinks], log, resolver)
    with sending(workspace) as free:
        if free:
            state = read_state(workspace)
            for name, reason in outcomes.items():
                sink = state.sink(name)
                sink.failing_since = None if reason is None else sink.failing_since or now
                sink.reason = reason
            write_state(workspace, state)
    return outcomes
