"""State of alerts: what was open since when, what was sent when, and which sink fails.

    alerts/state.json

Derived and dispensable: without it, alerts that are open are sent once more. If it cannot be written, as on a
full disk, this process remembers it.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from showcost.core.durable import make_folder, replace_file
from showcost.core.errors import ShowcostError, StoreBusyError
from showcost.core.locking import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from showcost.workspace import Workspace

FOLDER: Final = "alerts"
_LOCK_WAIT: Final = 1
_REMEMBERED: dict[Path, AlertState] = {}
"""The state of folders that could not be written, in this process."""


@dataclass
class SinkState:
    """The times at which matters were sent through a sink; since when and why it fails, else None."""

    sent: dict[str, datetime] = field(default_factory=dict)
    failing_since: datetime | None = None
    reason: str | None = None


@dataclass
class AlertState:
    """The time at which each matter was first seen, by key, and the state of each sink by name.

    `problem` says why the state could not be kept; None if it was.
    """

    first_seen: dict[str, datetime] = field(default_factory=dict)
    sinks: dict[str, SinkState] = field(default_factory=dict)
    problem: str | None = None
    _used: set[str] = field(default_factory=set)

    def seen(self, key: str, now: datetime) -> datetime:
        """Return since when a matter is seen, from now if it is new."""
        self._used.add(key)
        # A clock that ran ahead for a while must not hide a matter for as long.
        self.first_seen[key] = min(self.first_seen.get(key, now), now)
        return self.first_seen[key]

    def forget_unseen(self) -> None:
        """Forget what was not seen since the state was read: it is no longer open."""
        self.first_seen = {key: at for key, at in self.first_seen.items() if key in self._used}

    def sink(self, name: str) -> SinkState:
        """Return the state of a sink."""
        return self.sinks.setdefault(name, SinkState())

    def forget_sent(self, before: datetime, sinks: Collection[str]) -> None:
        """Forget what was sent before a time, and sinks that are no longer named."""
        self.sinks = {name: state for name, state in self.sinks.items() if name in sinks}
        for state in self.sinks.values():
            state.sent = {key: at for key, at in state.sent.items() if at > before}


def read_state(workspace: Workspace) -> AlertState:
    """Return the state; an empty one if there is none or it cannot be read."""
    remembered = _REMEMBERED.get(workspace.path)
    if remembered is not None:
        remembered._used.clear()  # noqa: SLF001 - of this module
        return remembered
    try:
        stored = json.loads(_file(workspace).read_bytes())
        return AlertState(
            {str(key): _time(at) for key, at in stored["first_seen"].items()},
            {
                str(name): SinkState(
                    {str(key): _time(at) for key, at in sink["sent"].items()},
                    None if sink["failing_since"] is None else _time(sink["failing_since"]),
                    None if sink["reason"] is None else str(sink["reason"]),
                )
                for name, sink in stored["sinks"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return AlertState()


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time with its offset")
    return time


def write_state(workspace: Workspace, state: AlertState) -> None:
    """Keep the state; if the disk does not take it, note why in it and remember it in this process."""
    stored = {
        "first_seen": {key: at.isoformat() for key, at in sorted(state.first_seen.items())},
        "sinks": {
            name: {
                "sent": {key: at.isoformat() for key, at in sorted(sink.sent.items())},
                "failing_since": None if sink.failing_since is None else sink.failing_since.isoformat(),
                "reason": sink.reason,
            }
            for name, sink in sorted(state.sinks.items())
        },
    }
    path = _file(workspace)
    try:
        make_folder(path.parent)
        replace_file(path, json.dumps(stored, ensure_ascii=False, indent=1).encode())
    except (OSError, ShowcostError) as error:
        state.problem = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        _REMEMBERED[workspace.path] = state
    else:
        state.problem = None
        _REMEMBERED.pop(workspace.path, None)


def _file(workspace: Workspace) -> Path:
    return workspace.path / FOLDER / "state.json"


@contextmanager
def sending(workspace: Workspace) -> Iterator[bool]:
    """Keep others from sending within the block; yield False if one of them is sending.

    Where no lock can be made, as on a disk that takes no writes, the block goes on without it.
    """
    lock = exclusive_lock(workspace.locks / "alerts.lock", "busy", wait_seconds=_LOCK_WAIT)
    try:
        lock.__enter__()
    except StoreBusyError:
        yield False
        return
    except OSError:
        yield True
        return
    try:
        yield True
    finally:
        with suppress(OSError):
            lock.__exit__(None, None, None)
