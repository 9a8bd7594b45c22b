"""A short run of the state machine; `python -m showcost_tests.machine` is the long one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from showcost_tests.machine.machine import Machine

SHORT = settings(
    max_examples=5,
    stateful_step_count=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)


@pytest.mark.timeout(600)
def test_the_ledger_agrees_with_the_model() -> None:
    run_state_machine_as_test(Machine, settings=SHORT)
