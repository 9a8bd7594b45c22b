"""The next steps of failed checks: for checks that exist, by names that exist."""

from __future__ import annotations

import pytest

from showcost.checks.next_steps import NEXT_STEPS, with_next_step
from showcost_tests.defs.loading import HOMES, load


def test_every_next_step_is_of_a_check() -> None:
    names = {
        key.name
        for home in HOMES.values()
        for key in load(home).get_repository_def().asset_graph.asset_check_keys
    }
    assert names >= NEXT_STEPS.keys()


@pytest.mark.parametrize(
    ("check", "asset", "step"),
    [
        ("rows_reconcile", "valid_x", "materialise raw_x of that date again"),
        ("amounts_balance", "posted_x", "materialise posted_x of that date again"),
        ("audit_chain", "ledger_entries", "stop, find the difference with `showcost verify`"),
    ],
)
def test_a_failed_check_says_what_to_do(check: str, asset: str, step: str) -> None:
    assert with_next_step(check, "2026-10-30: differs", asset).startswith(
        f"2026-10-30: differs; next: {step}"
    )


def test_a_check_without_a_next_step_keeps_its_message() -> None:
    assert with_next_step("another", "differs", "ledger_entries") == "differs"
