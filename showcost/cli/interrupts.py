"""Ctrl-C during a run: the first ends it, whatever Dagster makes of it; a second ends the process at once.

Dagster replaces the handler of the interrupt and turns it into the failure of a step. The signal is noticed
here all the same, through a pipe to which the interpreter writes the number of every signal.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from showcost.audit.transitions import AuditKind
from showcost.cli.output import plural
from showcost.core.errors import ShowcostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.workspace import Workspace

_HARD: Final = b"\nshowcost: ended at once; committed work is kept, run the same command again\n"
_STOPPING: Final = b"\nshowcost: stopping; Ctrl-C again ends at once\n"
_STATUS: Final = 1


class RunInterruptedError(ShowcostError):
    """A person interrupted a run; the text says what was committed, and how to go on."""

    exit_status: ClassVar[int] = _STATUS


@contextmanager
def noticing_interrupts() -> Iterator[threading.Event]:
    """Yield an event that the first interrupt sets; a second one ends the process.

    Outside the main thread, which receives the signals, the event is never set.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(reading, interrupted), daemon=True)
    thread.start()
    try:
        yield interrupted
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)
        thread.join()
        os.close(reading)


def _watch(reading: int, interrupted: threading.Event) -> None:
    while numbers := os.read(reading, 64):
        for number in numbers:
            if number != signal.SIGINT:
                continue
            if interrupted.is_set():
                os.write(2, _HARD)
                os._exit(_STATUS)
            interrupted.set()
            os.write(2, _STOPPING)


def interruption(workspace: Workspace, since: int) -> RunInterruptedError:
    """Return the error for an interrupted run; `since` is the number of the last audit record before it."""
    committed = [
        record for record in workspace.audit.records(since + 1) if record.kind is AuditKind.COMMITTED
    ]
    entries = sum(int(str(record.facts["entries"])) for record in committed)
    done = f"{plural(entries, 'entry').replace('entrys', 'entries')} were posted and stay"
    if not committed:
        done = "nothing was posted"
    return RunInterruptedError(f"interrupted: {done}; `showcost run` goes on from there")
