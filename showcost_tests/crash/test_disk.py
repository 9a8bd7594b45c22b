"""A full or broken disk under a run costs one sentence, and the same run again finishes it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from showcost_tests.crash.disk import COMPILERS

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or not any(map(shutil.which, COMPILERS)), reason="needs Linux and a C compiler"
)


@needs_compiler
@pytest.mark.slow
def test_a_run_survives_faults_of_any_file_below_the_data_folder() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "showcost_tests.crash.disk", "--points", "3", "--seed", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    facts = json.loads(finished.stdout)
    assert (facts["cases"], facts["defects"]) == (3, [])
    assert facts["kinds_of_calls"] > 100
