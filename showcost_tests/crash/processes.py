"""Processes that are forked from one that has imported everything but started no thread.

So they need no imports. Each reports through a pipe; what it did not report before a kill was not
acknowledged.
"""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from showcost.core.errors import ShowcostError

if TYPE_CHECKING:
    from collections.abc import Callable

SENTENCE = 3
"""Exit status of a process that ended with a ShowcostError."""
_CRASHED = 4
"""Exit status of a process that ended with any other error: a defect."""


@dataclass(frozen=True)
class Report:
    """Exit status of a process, and the lines that it reported."""

    status: int
    lines: tuple[str, ...]

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL

    @property
    def code(self) -> int:
        return os.waitstatus_to_exitcode(self.status)

    def reported(self, word: str) -> list[str]:
        """Return the rest of each line that begins with a word."""
        return [line.removeprefix(word).strip() for line in self.lines if line.startswith(word)]


def forked(work: Callable[[Callable[[str], None]], None], kill_after: float | None = None) -> Report:
    """Carry out `work` in a process of its own; kill it after `kill_after` seconds, if given."""
    reading, writing_end = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        exit_with(work, writing_end)
    os.close(writing_end)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    with os.fdopen(reading, encoding="utf-8") as stream:
        lines = tuple(stream.read().splitlines())
    _, status = os.waitpid(process, 0)
    return Report(status, lines)


def exit_with(work: Callable[[Callable[[str], None]], None], pipe: int) -> NoReturn:
    """Carry out `work`, report its end to the pipe, and end the process."""

    def tell(line: str) -> None:
        os.write(pipe, line.encode() + b"\n")

    code = 0
    try:
        work(tell)
    except ShowcostError as error:
        tell(f"sentence {type(error).__name__} {error}")
        code = SENTENCE
    except BaseException:  # noqa: BLE001 - reported to the parent
        tell(f"defect {json.dumps(traceback.format_exc())}")
        code = _CRASHED
    os._exit(code)
