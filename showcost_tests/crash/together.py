"""Acts by two processes at once, of which one may be killed; the other must end well."""

from __future__ import annotations

import os
import selectors
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from showcost_tests.crash.processes import Report, exit_with
from showcost_tests.crash.scenario import entry_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.workspace import Workspace

READY = "ready"
"""The report of a process before each act; then it waits for the other."""


@dataclass
class _Process:
    """A process under way: its id, the ends of its pipes, and what it reported so far."""

    pid: int
    reports: int
    go: int
    text: bytearray = field(default_factory=bytearray)
    waiting: bool = False
    ended: bool = False

    def read(self) -> None:
        """Take in what the process reported, or that it ended."""
        data = os.read(self.reports, 1 << 16)
        self.text += data
        self.ended = not data
        self.waiting = self.text.endswith(f"{READY}\n".encode())

    def release(self) -> None:
        self.waiting = False
        self.text += b"\n"
        os.write(self.go, b"\n")

    def report(self) -> Report:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.reports)
        os.close(self.go)
        return Report(status, tuple(self.text.decode().splitlines()))


def carry_out_together(
    workspace: Workspace, acts: Sequence[Callable[[Workspace], None]], kill: tuple[int, float] | None
) -> list[Report]:
    """Let two processes begin each act at the same time; return their reports.

    `kill` are the number of an act and the seconds after its beginning at which the first is killed.
    """
    both = [_started(workspace, acts), _started(workspace, acts)]
    with selectors.DefaultSelector() as selector:
        for process in both:
            selector.register(process.reports, selectors.EVENT_READ, process)
        act = 0
        while living := [process for process in both if not process.ended]:
            if all(process.waiting for process in living):
                for process in living:
                    process.release()
                if kill is not None and kill[0] == act:
                    time.sleep(kill[1])
                    os.kill(both[0].pid, signal.SIGKILL)
                act += 1
            for key, _ in selector.select():
                key.data.read()
                if key.data.ended:
                    selector.unregister(key.fileobj)
    return [process.report() for process in both]


def _started(workspace: Workspace, acts: Sequence[Callable[[Workspace], None]]) -> _Process:
    reading, writing_end = os.pipe()
    waiting, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.close(go)
        exit_with(lambda tell: _work(workspace, acts, tell, waiting), writing_end)
    os.close(writing_end)
    os.close(waiting)
    return _Process(pid, reading, go)


def _work(
    workspace: Workspace,
    acts: Sequence[Callable[[Workspace], None]],
    tell: Callable[[str], None],
    waiting: int,
) -> None:
    for act in acts:
        tell(f"act {act.__name__}")
        tell(READY)
        os.read(waiting, 1)
        act(workspace)
        tell(f"acknowledged {entry_count(workspace)}")
