"""A small production with posted rows, whose reports the tests add up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from showcost.workspace import open_workspace
from showcost_tests.ledger.rows import pin_rates
from showcost_tests.ledger.test_journal import RATES, post
from showcost_tests.whole.small import make_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from showcost.workspace import Workspace

_RATES: Final = "budget_rates: {EUR: 1.15, GBP: 1.34, CAD: 0.72}"


def make_books(
    folder: Path, rows: Sequence[dict[str, Any]], *, settings: str = "", rates: str = _RATES
) -> Workspace:
    """Return a workspace whose ledger has these rows; `settings` are added to its production.yaml."""
    workspace = make_home(folder)
    file = workspace.path / "production.yaml"
    text = file.read_text(encoding="utf-8").replace("{start: 2026-10-28", "{start: 2026-03-02")
    file.write_text(text.replace(_RATES, rates) + settings, encoding="utf-8")
    workspace = open_workspace(folder)
    pin_rates(workspace.ledger, rates=RATES)
    if rows:
        post(workspace.ledger, sorted(rows, key=lambda row: row["transaction_date"]))
    return workspace
