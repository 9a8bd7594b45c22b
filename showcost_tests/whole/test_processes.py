"""Concurrent processes doing the same work: nothing lost, nothing duplicated, no lock errors."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from showcost.checks.verify import verify
from showcost_tests.whole import small
from showcost_tests.whole.steps import counts, land_all, ledger_digest, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

WORK = """
import sys
from showcost.workspace import open_workspace
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take
from pathlib import Path

home = open_workspace(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
land_all(home)
dates = small.WEEK[::-1] if int(sys.argv[2]) % 2 else small.WEEK
for day in dates:
    take(home, [day])
take(home, small.WEEK)
"""


def work_at_once(workspace: Workspace, processes: int) -> list[str]:
    """Let concurrent processes process the inbox into the ledger; return the output of each."""
    started = [
        subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", WORK, str(workspace.path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate() for process in started]
    return [f"{process.returncode} {error}" for process, (_, error) in zip(started, ends, strict=True)]


@pytest.mark.parametrize("processes", [pytest.param(n, marks=pytest.mark.slow) for n in (2, 10)])
def test_processes_that_work_at_once_come_to_what_one_comes_to(
    posted_home: Workspace, tmp_path: Path, processes: int
) -> None:
    together = small.make_home(tmp_path / "together")
    small.fill(together)
    assert work_at_once(together, processes) == ["0 "] * processes
    assert ledger_digest(together) == ledger_digest(posted_home)
    assert counts(together) == counts(posted_home)
    assert verify(together, read_again=True).first is None


@pytest.mark.slow
def test_ten_deliveries_of_everything_change_nothing(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    before = ledger_digest(workspace), counts(workspace)
    for again in range(10):
        for (feed_name, name), content in small.DELIVERIES.items():
            small.deliver(workspace, feed_name, f"{again} {name}", content)
        land_all(workspace)
        take(workspace, small.WEEK)
        assert (ledger_digest(workspace), counts(workspace)) == before
    assert verify(workspace, read_again=True).first is None
