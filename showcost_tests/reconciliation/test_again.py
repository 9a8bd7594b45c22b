"""The same command again completes what was begun or says that it is done; a second person is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from showcost.audit.transitions import AuditKind
from showcost.checks.verify import verify
from showcost.core.errors import InputError
from showcost.ingest.inbox import settled
from showcost.ingest.landing import land
from showcost.ledger.periods import Period
from showcost.pipeline.periods import close_period
from showcost.pipeline.replay import replay
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import find_rows
from showcost.workspace import open_workspace
from showcost_tests.reconciliation.acts import (
    DE,
    WHO,
    WHY,
    correct_and_replay,
    entry_of,
    feed_of,
    found_row,
    queue_row,
)
from showcost_tests.whole import small
from showcost_tests.whole.steps import ledger_digest, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine
    from showcost_tests.whole.conftest import Copy

BY = ("--who", WHO, "--why", WHY)
OTHER = ("--who", "another", "--why", "for another reason")


def posted(document: str) -> Callable[[Workspace], str]:
    return lambda workspace: entry_of(workspace, document).row_id


def queued(document: str, delivery: int | None = None) -> Callable[[Workspace], str]:
    return lambda workspace: queue_row(workspace, document, delivery).row_id


ACTS = {
    "correct a posted row": (posted("R5"), ("--set", "description=Objektschutz")),
    "correct an open row": (queued("R3"), ("--set", "net_amount=120.00")),
    "reverse": (posted("R5"), ("--reverse",)),
    "discard": (queued("R9"), ("--discard",)),
    "rebook": (queued("R2", 2), ("--rebook",)),
}


_SHORT = ("correct a posted row", "discard")


def recorded(workspace: Workspace) -> int:
    return sum(record.kind is AuditKind.DECIDED for record in workspace.audit.records())


@pytest.mark.parametrize(
    "name", [name if name in _SHORT else pytest.param(name, marks=pytest.mark.slow) for name in ACTS]
)
def test_a_decision_that_died_before_its_replay_is_completed_by_the_same_command(
    posted_home: Workspace, copy: Copy, showcost: CommandLine, name: str
) -> None:
    row_of, options = ACTS[name]
    row = row_of(posted_home)
    clean, workspace = copy(posted_home, "clean"), copy(posted_home, "killed")
    command = ("queue", "resolve", row, *options, *BY)
    assert showcost(clean, *command).status == 0
    # Killed after the record: nothing of the replay happened.
    assert showcost(workspace, *command, "--no-replay").status == 0
    again = showcost(workspace, *command, "--json")
    assert (again.status, again.json["already_done"]) == (0, True)
    assert ledger_digest(workspace).hash == ledger_digest(clean).hash
    for _ in range(2):
        third = showcost(workspace, *command)
        assert (third.status, "Already done: audit record" in third.out) == (0, True)
    assert ledger_digest(workspace).hash == ledger_digest(clean).hash
    assert recorded(workspace) == recorded(clean) == 1
    assert verify(workspace).first is None


def test_undoing_twice_is_done_once(posted_home: Workspace, copy: Copy, showcost: CommandLine) -> None:
    workspace = copy(posted_home)
    row = entry_of(workspace, "R5").row_id
    assert showcost(workspace, "queue", "resolve", row, "--reverse", *BY).status == 0
    undo = ("queue", "resolve", row, "--undo", *BY)
    assert showcost(workspace, *undo, "--no-replay").status == 0
    assert showcost(workspace, *undo, "--json").json["already_done"]
    assert len(entry_of(workspace, "R5").active_entries) == 2
    # A second reversal after that is another decision.
    again = showcost(workspace, "queue", "resolve", row, "--reverse", *BY, "--json")
    assert (again.json["already_done"], again.json["replay"]["appended_entries"]) == (False, 2)


def test_a_command_for_all_rows_of_a_filter_can_be_repeated(
    posted_home: Workspace, copy: Copy, showcost: CommandLine
) -> None:
    workspace = copy(posted_home)
    command = ("queue", "resolve", "--all", "--code", "SC-DUP-001", "--discard", "--yes", *BY)
    first = showcost(workspace, *command, "--json").json
    again = showcost(workspace, *command, "--json")
    assert (again.status, again.json["already_done"]) == (0, True)
    assert again.json["audit_record"] == first["audit_record"]
    other = showcost(workspace, *command[:-4], *OTHER)
    assert other.status == 2


def test_accepting_again_after_the_period_was_closed_is_done_already(
    posted_home: Workspace, copy: Copy, showcost: CommandLine
) -> None:
    workspace = copy(posted_home)
    wrong_sum = found_row(workspace, queue_row(workspace, "R9"))
    correct_and_replay(workspace, wrong_sum, account="3630", gross_amount="12.00")
    accept = ("queue", "resolve", wrong_sum.row_id, "--accept")
    assert showcost(workspace, *accept, *BY).status == 0
    digest = ledger_digest(workspace).hash
    period = Period("W44", small.WEDNESDAY, small.WEDNESDAY, closed=True)
    close_period(workspace, [feed_of()], period, who=WHO, why=WHY)
    # The replay after the closing gives the row the code of the closed period; its entries stay.
    closed = replay(workspace, [wrong_sum.place])
    assert [row.codes for row in closed.rows] == [("SC-AMT-003", "SC-PER-001")]
    again = showcost(workspace, *accept, *BY, "--json")
    assert (again.status, again.json["already_done"]) == (0, True)
    assert ledger_digest(workspace).hash == digest
    assert "is posted" in showcost(workspace, *accept, *OTHER).sentence
    assert verify(workspace).first is None


def test_a_correction_that_a_row_has_already_is_not_made_again(
    posted_home: Workspace, copy: Copy, showcost: CommandLine
) -> None:
    workspace = copy(posted_home)
    row = entry_of(workspace, "R5").row_id
    change = ("queue", "resolve", row, "--set", "description=Objektschutz")
    assert showcost(workspace, *change, *BY).status == 0
    digest = ledger_digest(workspace).hash
    assert showcost(workspace, *change, *OTHER, "--json").json["already_done"]
    assert (ledger_digest(workspace).hash, recorded(workspace)) == (digest, 1)


def test_the_second_of_two_people_is_told(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    (seen,) = find_rows(workspace, [entry_of(workspace, "R5").row_id])
    deciding.correct(workspace, [seen], {"description": "Objektschutz"}, who=WHO, why=WHY)
    with pytest.raises(InputError, match=rf"was decided on meanwhile by {WHO} \(audit record .*: correct\)"):
        deciding.reverse(workspace, [seen], who="another", why="it is wrong")
    assert recorded(workspace) == 1


@pytest.mark.parametrize(
    "name", [name if name == "rebook" else pytest.param(name, marks=pytest.mark.slow) for name in ACTS]
)
def test_the_same_command_twice_at_once_is_done_once(
    posted_home: Workspace, copy: Copy, showcost: CommandLine, name: str
) -> None:
    row_of, options = ACTS[name]
    workspace = copy(posted_home)
    row = row_of(workspace)
    (seen,) = find_rows(workspace, [row])
    assert showcost(workspace, "queue", "resolve", row, *options, *BY).status == 0
    digest = ledger_digest(workspace).hash
    # The other process had looked the row up before the first one decided on it.
    act = {"--set": None}.get(options[0], options[0].removeprefix("--"))
    if act is None:
        decided = deciding.correct(workspace, [seen], dict([options[1].split("=")]), who=WHO, why=WHY)
    else:
        decided = getattr(deciding, act)(workspace, [seen], who=WHO, why=WHY)
    assert decided.already_done
    replay(workspace, decided.places)
    assert (ledger_digest(workspace).hash, recorded(workspace)) == (digest, 1)


def test_two_people_at_once_make_one_decision(posted_home: Workspace, copy: Copy) -> None:
    workspace = copy(posted_home)
    row = entry_of(workspace, "R5").row_id
    both = threading.Barrier(2)

    def decide(who: str) -> str:
        mine = open_workspace(workspace.path)
        (seen,) = find_rows(mine, [row])
        both.wait(120)
        try:
            deciding.reverse(mine, [seen], who=who, why=WHY)
        except InputError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(decide, ["one", "two"]))
    assert told[0] == ""
    assert "was decided on meanwhile by" in told[1]
    assert recorded(workspace) == 1


def test_a_closing_that_died_before_its_report_is_completed(
    posted_home: Workspace, copy: Copy, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = copy(posted_home)
    command = ("period", "close", "W44", "--from", "2026-10-28", "--to", "2026-10-29", *BY)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("showcost.cli.period._sealed_report", die)
        assert showcost(workspace, *command).status == 1
    first = showcost(workspace, *command, "--json")
    assert first.status == 0
    again = showcost(workspace, *command, "--json")
    assert again.json == first.json
    reopen = ("period", "reopen", "W44", *BY)
    assert showcost(workspace, *reopen).status == 0
    assert "was reopened already" in showcost(workspace, *reopen).out
    assert showcost(workspace, "period", "reopen", "W44", *OTHER).status == 2


def test_two_who_land_at_once_register_each_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = small.make_home(tmp_path / "home")
    for number in range(4):
        small.deliver(workspace, DE, f"{number}.csv", small.german([small.FIRST[number]]))
    both = threading.Barrier(2)

    def listed_together(*arguments: Any) -> object:  # noqa: ANN401 - as the original
        listed = settled(*arguments)
        both.wait(20)
        return listed

    monkeypatch.setattr("showcost.ingest.landing.settled", listed_together)
    homes = [open_workspace(workspace.path) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        landings = list(pool.map(lambda home: land(home, feed_of()), homes))
    arrivals = workspace.register.arrivals()
    assert sorted(arrival.name for arrival in arrivals) == [f"{number}.csv" for number in range(4)]
    assert not any(arrival.again for arrival in arrivals)
    assert [landing.again for landing in landings] == [(), ()]
    monkeypatch.undo()
    take(workspace, small.WEEK, feeds=[DE])
    assert verify(workspace).first is None
