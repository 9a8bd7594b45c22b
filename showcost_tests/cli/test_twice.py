"""A command that changes something, given twice or again after a kill, is done once, with exit status 0."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.core.durable import using
from showcost.fx.sources import embedded_history
from showcost.reconciliation.queue import queue_rows
from showcost.simulator.running import simulated
from showcost.workspace import Workspace
from showcost_tests.crash import acts, scenario
from showcost_tests.crash.acts import ACCEPTED, DAY, KEYS, OTHER, VENDOR, declare_vendor
from showcost_tests.crash.faults import FaultySystem
from showcost_tests.crash.scenario import DAYS, books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from showcost_tests.command_line import CommandLine

BY = ("--who", "A. Clerk", "--why", "as the vendor says")


class Killed(BaseException):
    """Stands for the end of the process."""


@dataclass
class Dying(FaultySystem):
    """Ends the process before a call that changes a file."""

    def _call(
        self, action: str, path: Path, work: Callable[[], None], _: Callable[[], None] | None = None
    ) -> None:
        self.calls.append((action, path.name))
        if len(self.calls) == self.point:
            raise Killed
        work()


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a data folder with encrypted payloads, posted entries, an open queue, and a vendor to pull."""
    with pytest.MonkeyPatch.context() as patch, simulated([VENDOR]) as simulator:
        for name, key in KEYS.items():
            patch.setenv(name, key)
        folder = tmp_path_factory.mktemp("twice") / "home"
        workspace = declare_vendor(acts.make_home(folder), simulator.base_url(VENDOR.name))
        for step in scenario.STEPS:
            step(workspace)
        acts.ACTS[0](workspace)
        yield folder


@pytest.fixture
def copy(posted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Workspace]:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)

    def copied(name: str) -> Workspace:
        shutil.copytree(posted, tmp_path / name)
        return Workspace(tmp_path / name)

    return copied


def queued(workspace: Workspace, document: str) -> str:
    rows = queue_rows(workspace, workspace.feeds)
    return next(row.row_id for row in rows if row.document == document)


def posted_row(workspace: Workspace) -> str:
    with workspace.ledger.read() as connection:
        (entry,) = connection.execute(
            "SELECT min(entry_id) FROM ledger_entries WHERE feed = $feed AND transaction_date = $day",
            {"feed": scenario.FEED, "day": DAYS[3]},
        ).fetchall()[0]
    return str(entry)


def jumping_rates(workspace: Workspace) -> str:
    """Write a file with the dollar of one day at twice its rate, and return its path."""
    known = {
        row["currency"]: row["rate"] for row in embedded_history().rates.to_pylist() if row["date"] == DAY
    }
    known["USD"] = str(Decimal(known["USD"]) * 2)
    codes = sorted(known)
    path = workspace.path / "jumping.csv"
    text = f"Date,{','.join(codes)}\n{DAY},{','.join(known[code] for code in codes)}\n"
    path.write_text(text, encoding="utf-8")
    return str(path)


def shred(workspace: Workspace) -> tuple[str, ...]:
    (arrival,) = workspace.register.deliveries(OTHER)
    return ("shred", arrival.delivery, "--remove-copies", *BY)


def rotate_key(_: Workspace) -> tuple[str, ...]:
    return ("rotate-key", *BY)


def pull(_: Workspace) -> tuple[str, ...]:
    return ("pull", "--feed", VENDOR.name, "--from", str(DAYS[3]), "--to", str(DAYS[4]))


def import_rates(workspace: Workspace) -> tuple[str, ...]:
    return ("fx", "import", str(workspace.path / "rates.csv"), "--replace", *BY)


def import_jump(workspace: Workspace) -> tuple[str, ...]:
    return ("fx", "import", jumping_rates(workspace), "--replace", "--accept-jump", *BY)


def accept_rate(_: Workspace) -> tuple[str, ...]:
    day, currency, _rate = ACCEPTED
    return ("fx", "accept", str(day), currency, *BY)


def repin(_: Workspace) -> tuple[str, ...]:
    return ("fx", "repin", str(DAY), *BY)


def set_posted(workspace: Workspace) -> tuple[str, ...]:
    return ("queue", "resolve", posted_row(workspace), "--set", "description=as on the paper", *BY)


def accept_row(workspace: Workspace) -> tuple[str, ...]:
    return ("queue", "resolve", queued(workspace, acts.DOUBTFUL), "--accept", *BY)


BEFORE = {repin: import_rates}
"""Commands that another must come before."""
COMMANDS = (
    *(shred, rotate_key, pull, import_rates, import_jump, accept_rate, repin),
    *(set_posted, accept_row),
)
_SHORT = (set_posted, shred)


def state(workspace: Workspace) -> tuple[object, ...]:
    """Return everything that a repetition must not change."""
    after = books(Workspace(workspace.path), read_again=False)
    assert after.difference is None
    arrivals = sorted(arrival.delivery for arrival in workspace.register.arrivals())
    keys = {path.name: path.read_bytes() for path in workspace.raw.glob("??/*.key")}
    inbox = sorted(path.name for path in (workspace.path / "inbox").rglob("*.*"))
    return (after, arrivals, len(keys), inbox)


@pytest.mark.parametrize(
    "command",
    [each if each in _SHORT else pytest.param(each, marks=pytest.mark.slow) for each in COMMANDS],
)
def test_a_command_given_twice_or_killed_and_given_again_is_done_once(
    copy: Callable[[str], Workspace], showcost: CommandLine, command: Callable[[Workspace], tuple[str, ...]]
) -> None:
    clean = copy("clean")
    for each in (BEFORE[command],) if command in BEFORE else ():
        assert showcost(clean, *each(clean)).status == 0
    arguments = command(clean)
    before = clean.path.with_name("before")
    shutil.copytree(clean.path, before)
    system = Dying()
    with using(system):
        ended = showcost(clean, *arguments)
    assert ended.status == 0, ended.err
    once = state(clean)
    calls = len(system.calls)
    assert calls, "a command that changes nothing"
    again = showcost(clean, *arguments, "--json")
    assert again.status == 0, again.err
    assert state(clean) == once
    for number, point in enumerate(sorted({1, calls // 2, calls})):
        killed = Workspace(clean.path.with_name(f"killed {number}"))
        shutil.copytree(before, killed.path)
        repeated = tuple(text.replace(str(clean.path), str(killed.path)) for text in arguments)
        with using(Dying(point=point)), pytest.raises((Killed, BaseExceptionGroup)):
            showcost(killed, *repeated)
        ended = showcost(killed, *repeated)
        assert ended.status == 0, (point, ended.err)
        assert state(killed) == once, point
        assert showcost(killed, *repeated).status == 0
        shutil.rmtree(killed.path)
