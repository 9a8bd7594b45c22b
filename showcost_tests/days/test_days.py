"""The simulated days end as a clean run does, with nothing stuck in silence."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from showcost_tests.days.__main__ import start

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs LD_PRELOAD"),
]


SHORT = pytest.param(2, 2, marks=pytest.mark.timeout(1_800))
WHOLE = pytest.param(14, 10, marks=pytest.mark.timeout(14_400))


@pytest.mark.parametrize(("days", "nights"), [SHORT, WHOLE])
def test_the_days_end_as_a_clean_run_does(tmp_path: Path, days: int, nights: int) -> None:
    ended = start(days, tmp_path)
    if ended is None:
        pytest.skip("there is no C compiler")
    status, output = ended
    found = json.loads(output[output.index("{\n") :])
    assert found["faults"] == []
    assert status == 0
    assert found["heads"] == nights, "the head is sent every night with a daemon"
