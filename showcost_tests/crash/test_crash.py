"""Wherever a process dies between inbox and ledger, the next process recovers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("part", "points", "triples", "instants", "others", "least"),
    [
        (["--steps"], 1, 0, 0, 0, 500),
        pytest.param([], 14, 2, 2, 1, 1500, marks=pytest.mark.slow),
    ],
)
def test_a_restart_recovers_from_a_sample_of_points_triples_and_instants(
    part: list[str], points: int, triples: int, instants: int, others: int, least: int
) -> None:
    # A process of its own: the harness forks, and the test process has threads.
    numbers = {
        "--points": points,
        "--triples": triples,
        "--instants": instants,
        "--pairs": others,
        "--runs": others,
        "--seed": 7,
    }
    arguments = [text for name, number in numbers.items() for text in (name, str(number))]
    finished = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "showcost_tests.crash", *part, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    facts = json.loads(finished.stdout)
    assert facts["defects"] == []
    assert facts["cases"] == points + triples + instants + 2 * others
    assert facts["fired"] >= points + triples
    assert facts["points_with_faults"] > least
