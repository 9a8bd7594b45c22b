"""The catalogue of reason codes: the one place from which checks, reports, docs and UI texts are made.

Codes are stable and opaque; a retired code is never reused. What raises a code lives with the rule,
not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """What happens to that which carries the code."""

    ROW = "R"
    """The row goes to quarantine."""
    FILE = "F"
    """The whole delivery goes to quarantine."""
    WARNING = "W"
    """The row is posted with a flag."""
    PENDING = "P"
    """The row waits and releases itself."""


@dataclass(frozen=True)
class Reason:
    """One reason code.

    `code` is the stable id, `meaning` says what is wrong, `action` what the accountant does about it,
    `arrives_with` names the part of showcost that raises it when that part is not yet in force. `waivable`
    says whether a person may accept a row in spite of it: only where the row can still be posted as it is, to
    an account of the chart, at a pinned rate, in an open period.
    """

    code: str
    severity: Severity
    meaning: str
    action: str
    arrives_with: str | None = None
    waivable: bool = False

    @property
    def family(self) -> str:
        """The middle part of the code, such as FIL, ROW or DAT."""
        return self.code.split("-")[1]


_R, _F, _W, _P = Severity.ROW, Severity.FILE, Severity.WARNING, Severity.PENDING
_ORDERS = "purchase orders"

CATALOGUE: Final[dict[str, Reason]] = {
    reason.code: reason
    for reason in (
        Reason("SC-FIL-001", _F, "undecodable or wrong format", "asks for a re-export"),
        Reason("SC-FIL-002", _F, "header missing or ambiguous", "confirms the mapping"),
        Reason("SC-FIL-003", _F, "control total mismatch", "asks the sender for the total"),
        Reason("SC-ROW-001", _R, "ragged row", "fixes delimiter or quote"),
        Reason("SC-ROW-002", _R, "required field blank", "completes it"),
        Reason("SC-ROW-003", _R, "a personal identifier in the row", "asks for pseudonyms"),
        Reason("SC-ROW-004", _R, "bytes that are no text", "asks for the row again"),
        Reason("SC-DAT-001", _R, "date invalid or ambiguous", "confirms day/month order"),
        Reason("SC-DAT-002", _R, "outside the production's dates", "checks the show code"),
        Reason("SC-AMT-001", _R, "amount unparseable", "corrects it"),
        Reason("SC-AMT-002", _R, "too many minor units", "corrects it"),
        Reason("SC-AMT-003", _R, "net + tax is not gross", "queries the vendor", waivable=True),
        Reason("SC-CUR-001", _R, "unsupported currency", "corrects or sets it up"),
        Reason("SC-CUR-002", _R, "symbol contradicts the code", "confirms the currency", waivable=True),
        Reason("SC-FX-001", _P, "rate not yet published", "nothing: it releases itself"),
        Reason("SC-FX-002", _R, "no rate within 4 days", "loads a rate set"),
        Reason("SC-FX-003", _R, "the pinned rate set's hash changed", "stops and escalates"),
        Reason("SC-COA-001", _R, "account unknown", "recodes or adds the account"),
        Reason("SC-COA-002", _R, "account closed", "recodes", waivable=True),
        Reason("SC-MAP-001", _R, "cost code and union category conflict", "recodes", waivable=True),
        Reason(
            "SC-MAP-002",
            _R,
            "occupation code is not of that local",
            "checks the deal memo",
            waivable=True,
        ),
        Reason("SC-VEN-001", _R, "tax id missing", "obtains W-9 or VAT number", waivable=True),
        Reason("SC-VEN-002", _R, "tax id fails its check digit", "verifies", waivable=True),
        Reason("SC-DUP-001", _R, "vendor + invoice + line already posted", "discards"),
        Reason("SC-DUP-002", _R, "same key, different content", "books a correction"),
        Reason("SC-PO-001", _W, "exceeds the purchase order", "approves the overage", _ORDERS),
        Reason("SC-PER-001", _R, "accounting period closed", "re-dates or reopens"),
        Reason("SC-PMT-001", _R, "permit ends before it starts", "corrects", waivable=True),
        Reason("SC-PMT-002", _R, "deposit coded as a cost", "recodes", waivable=True),
        Reason("SC-PAY-001", _R, "below scale", "returns to payroll", waivable=True),
        Reason("SC-PAY-002", _R, "overtime split wrong", "returns", waivable=True),
        Reason("SC-PAY-003", _R, "meal penalty short", "returns", waivable=True),
        Reason("SC-PAY-004", _R, "minimum call not met", "returns", waivable=True),
        Reason("SC-PAY-005", _W, "turnaround invaded and unpaid", "checks the wrap sheet"),
        Reason("SC-PAY-006", _R, "gross is not the sum of its components", "returns", waivable=True),
        Reason("SC-PAY-007", _W, "benefit rate or ceiling", "checks the plan"),
        Reason("SC-PAY-008", _R, "no agreement in force", "sets the agreement", waivable=True),
        Reason("SC-PAY-009", _W, "rule of low certainty", "reviews by hand"),
        Reason("SC-COR-001", _R, "discarded or withdrawn by a person", "nothing, or reopens it"),
        Reason("SC-API-001", _P, "feed exhausted its retries; payload kept", "replays"),
    )
}


def in_force() -> tuple[Reason, ...]:
    """Return the reasons that some rule raises today, in catalogue order."""
    return tuple(reason for reason in CATALOGUE.values() if reason.arrives_with is None)
