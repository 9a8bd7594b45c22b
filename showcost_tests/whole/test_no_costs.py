"""A row that its file calls a credit is not posted as a cost, until a person has said what it is."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.reconciliation import decisions as deciding
from showcost_tests.reconciliation.acts import (
    WHO,
    WHY,
    assert_settled,
    correct_and_replay,
    found_row,
    posted_list,
    postings,
    queue_row,
    replay_decision,
)
from showcost_tests.whole import small

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

ROWS: Final = (
    small.Invoice("R1", "28.10.2026", "1.000,00", "190,00", "1.190,00"),
    small.Invoice("G1", "28.10.2026", "500,00", "95,00", "595,00", text="Gutschrift zu R0"),
    small.Invoice("G2", "28.10.2026", "-500,00", "-95,00", "-595,00", text="Gutschrift zu R9"),
)


def _net(workspace: Workspace, document: str) -> Decimal:
    return sum((amount for _, amount, *_ in postings(workspace, document)), Decimal(0))


def test_a_credit_without_a_sign_waits_and_may_be_accepted_or_entered_with_its_sign(tmp_path: Path) -> None:
    workspace = posted_list(tmp_path, ROWS)
    assert (_net(workspace, "R1"), _net(workspace, "G2")) == (Decimal(1000), Decimal(-500))
    assert postings(workspace, "G1") == []
    row = found_row(workspace, queue_row(workspace, "G1"))
    assert row.codes == ("SC-AMT-004",)
    assert correct_and_replay(workspace, row, description="Kamera").rows[0].codes == ("SC-AMT-004",)
    row = found_row(workspace, queue_row(workspace, "G1"))
    signed = {"net_amount": "-500.00", "tax_amount": "-95.00", "gross_amount": "-595.00"}
    assert correct_and_replay(workspace, row, **signed).rows[0].disposition == "valid"
    assert _net(workspace, "G1") == Decimal(-500)
    assert_settled(workspace)

    other = posted_list(tmp_path / "other", ROWS)
    row = found_row(other, queue_row(other, "G1"))
    replay_decision(other, deciding.accept(other, [row], who=WHO, why=WHY))
    assert _net(other, "G1") == Decimal(500)
    assert_settled(other)
