"""Ctrl-C ends a run at once, although Dagster makes the failure of a step of it; a second one ends hard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from typing import TYPE_CHECKING

import pytest

from showcost.cli.interrupts import RunInterruptedError, noticing_interrupts
from showcost.cli.run import run_spans
from showcost.orchestration import runs
from showcost.workspace import HOME_VARIABLE
from showcost_tests.whole import small
from showcost_tests.whole.steps import ledger_digest, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

DAYS = [date(2026, 10, 28), date(2026, 10, 30)]
SPANS = [(day, day, None) for day in DAYS]


def test_an_interrupt_that_a_run_swallows_ends_the_command(
    landed_home: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = copy(landed_home)
    begun = []

    def swallow(home: Workspace, first: date, last: date, *_: object) -> None:
        begun.append(first)
        take(home, [first])
        # As Dagster: the signal is caught, the run fails, and no exception is raised.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        signal.signal(signal.SIGINT, before)
        assert last

    monkeypatch.setattr(runs, "run_range", swallow)
    with pytest.raises(RunInterruptedError, match=r"[1-9]\d* entries were posted and stay; `showcost run`"):
        run_spans(workspace, SPANS)
    assert begun == DAYS[:1]


def test_an_interrupt_before_anything_was_posted_says_so(
    landed_home: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run_range", interrupt)
    with pytest.raises(RunInterruptedError, match="nothing was posted"):
        run_spans(copy(landed_home), SPANS)


_STUBBORN = """
import os, signal, time
from showcost.cli.interrupts import noticing_interrupts
with noticing_interrupts():
    signal.signal(signal.SIGINT, lambda *_: None)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""


def test_a_second_interrupt_ends_the_process() -> None:
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", _STUBBORN], capture_output=True, text=True, check=False, timeout=50
    )
    assert ended.returncode == 1
    assert "Ctrl-C again ends at once" in ended.stderr
    assert "committed work is kept" in ended.stderr


def test_the_handler_of_others_is_kept() -> None:
    before = signal.getsignal(signal.SIGINT)
    with noticing_interrupts() as interrupted:
        assert not interrupted.is_set()
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.slow
def test_a_real_run_ends_and_goes_on(landed_home: Workspace, copy: Copy, tmp_path: Path) -> None:
    workspace = copy(landed_home)
    command = [sys.executable, "-m", "showcost", "run"]
    environment = {**os.environ, HOME_VARIABLE: str(workspace.path)}
    environment.pop("DAGSTER_HOME", None)
    with (tmp_path / "err").open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdout=errors, stderr=errors)  # noqa: S603 - ours
        log = workspace.audit.path
        for _ in range(1_200):
            if log.exists() and b'"kind":"committed"' in log.read_bytes():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        assert process.wait(60) == 1
    assert time.monotonic() - begun < 30
    assert "were posted and stay; `showcost run` goes on from there" in (tmp_path / "err").read_text()
    subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 - ours
    clean = copy(landed_home, "clean")
    take(clean, small.WEEK)
    assert ledger_digest(workspace).hash == ledger_digest(clean).hash
