"""A fresh ledger with the rates of a week pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from showcost.ledger.store import Ledger
from showcost_tests.ledger.rows import pin_rates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "ledger.duckdb", wait_seconds=20)
    pin_rates(ledger)
    return ledger
