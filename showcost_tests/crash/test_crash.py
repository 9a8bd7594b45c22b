"""Wherever the process dies on the way of a delivery into the ledger, the next one makes it whole."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_sample_of_points_triples_and_instants_is_mended_by_a_restart() -> None:
    # A process of its own: the harness forks, and the test process has threads.
    arguments = ["--points", "14", "--triples", "2", "--instants", "2", "--seed", "7"]
    finished = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "showcost_tests.crash", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    facts = json.loads(finished.stdout)
    assert facts["defects"] == []
    assert facts["cases"] == 18
    assert facts["fired"] >= 16
    assert facts["points_with_faults"] > 500
