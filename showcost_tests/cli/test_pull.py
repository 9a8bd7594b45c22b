"""`showcost pull` on the sample of simulated vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from showcost.vendor_api.dead_letters import DeadLetters
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.vendor_api.sample import sample_home, serving_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.simulator.running import Simulator
    from showcost_tests.command_line import CommandLine

DATES = ("--from", "2026-10-19", "--to", "2026-10-21")


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Serve the sample's vendors, one of them down."""
    with serving_sample(monkeypatch) as running:
        yield running


def test_a_pull_reports_stored_and_missing_pages(
    showcost: CommandLine, simulator: Simulator, tmp_path: Path
) -> None:
    workspace = sample_home(tmp_path)
    outcome = showcost(workspace, "pull", *DATES, "--json")
    assert outcome.status == 1
    facts = outcome.json
    assert len(facts["feeds"]["pickup_camera"]["complete"]) == 3
    assert facts["feeds"]["pickup_grip"]["down"]
    assert {letter["code"] for letter in facts["dead_letters"]} == {"SC-API-001"}
    assert facts["machine"]["peak_resident"] > 0

    kept = DeadLetters(workspace.raw, "pickup_grip").open()
    reported = [letter for letter in facts["dead_letters"] if letter["feed"] == "pickup_grip"]
    assert [letter["request"]["method"] for letter in reported] == ["GET"] * len(kept)
    assert [letter["response"] for letter in reported] == [letter.response for letter in kept]
    assert [letter["response_headers"] for letter in reported] == [letter.response_headers for letter in kept]
    assert [letter["status"] for letter in reported] == [letter.status for letter in kept]

    queue = showcost(workspace, "queue", "list", "--json").json
    assert queue["dead_letters"] == sorted(facts["dead_letters"], key=lambda letter: letter["first"])
    assert "SC-API-001" in showcost(workspace, "queue", "list", "--code", "SC-API-001").out
    assert showcost(workspace, "queue", "list", "--state", "open", "--json").json["dead_letters"] == []

    simulator.revive("grip")
    replayed = showcost(workspace, "pull", *DATES, "--dead-letters")
    assert replayed.status == 0
    assert "missing" in replayed.out

    settled = showcost(workspace, "pull", *DATES, "--json").json
    assert {len(facts["left_alone"]) for facts in settled["feeds"].values()} == {3}
    status = showcost(workspace, "status", "--json").json
    assert status["balances"]
    assert status["provisional"] == []


def test_a_production_without_apis_says_so(showcost: CommandLine) -> None:
    folder = str(REPOSITORY / "data")
    outcome = showcost(folder, "pull")
    assert outcome.status == 2
    assert outcome.sentence == "the production HRB has no feed with an API"
    outcome = showcost(folder, "pull", "--feed", "location_permits")
    assert outcome.status == 2
    assert "inbox" in outcome.sentence
