"""The catalogue of reason codes, the single source for checks, reports, docs and UI texts.

Codes are stable and opaque; a retired code is never reused. The rule that raises a code lives elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """The effect of a reason code."""

    ROW = "R"
    """The row goes to quarantine."""
    FILE = "F"
    """The whole delivery goes to quarantine."""
    WARNING = "W"
    """The row is posted and flagged."""
    PENDING = "P"
    """The row is pending and is released automatically."""


@dataclass(frozen=True)
class Reason:
    """One reason code.

    `code` is the stable id, `meaning` the fault, `action` what the accountant does about it. `arrives_with`
    names the future part of showcost that will raise a reserved code. A row may be accepted despite a
    `waivable` code: only where it can still be posted unchanged, to an account in the chart, at a pinned
    rate, in an open period.
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

CATALOGUE: Final[dict[str, Reason]] = {
    reason.code: reason
    for reason in (
        Reason("SC-FIL-001", _F, "file unreadable or in the wrong format", "requests a new export"),
        Reason("SC-FIL-002", _F, "header missing or ambiguous", "confirms the column mapping"),
        Reason("SC-FIL-003", _F, "control total mismatch", "asks the sender for the correct total"),
        Reason("SC-FIL-004", _W, "control total not confirmed", "resolves the unreadable rows"),
        Reason("SC-FIL-005", _F, "character encoding not certain", "states the feed's encoding or languages"),
        Reason("SC-ROW-001", _R, "wrong number of fields", "fixes the delimiter or quoting"),
        Reason("SC-ROW-002", _R, "required field blank", "fills it in"),
        Reason("SC-ROW-003", _R, "national identifier, IBAN or card number", "requests pseudonyms"),
        Reason("SC-ROW-004", _R, "invalid characters", "requests the row again"),
        Reason(
            "SC-ROW-005",
            _R,
            "word not in the list of its field",
            "corrects it, or lists the sender's word in the feed",
        ),
        Reason("SC-ROW-006", _W, "hidden in the workbook", "asks whether the row is meant"),
        Reason("SC-DAT-001", _R, "date invalid or ambiguous", "confirms the order of day and month"),
        Reason("SC-DAT-002", _R, "date outside the production's dates", "checks the show code"),
        Reason("SC-AMT-001", _R, "amount unreadable", "corrects it"),
        Reason("SC-AMT-002", _R, "too many decimals for the currency", "corrects it"),
        Reason("SC-AMT-003", _R, "net + tax does not equal gross", "queries the vendor", waivable=True),
        Reason(
            "SC-AMT-004",
            _R,
            "may be a credit, or no cost",
            "enters the amount with its sign, discards the row, or accepts the cost",
            waivable=True,
        ),
        Reason("SC-CUR-001", _R, "unsupported currency", "corrects it or sets up the currency"),
        Reason(
            "SC-CUR-002",
            _R,
            "currency symbol contradicts the currency code",
            "confirms the currency",
            waivable=True,
        ),
        Reason(
            "SC-CUR-003",
            _R,
            "amount in thousands, cents or another unit",
            "enters the amount, or states the feed's scale",
        ),
        Reason("SC-FX-001", _P, "rate not yet published", "does nothing: released automatically"),
        Reason("SC-FX-002", _R, "no rate within 4 days", "imports rates"),
        Reason("SC-FX-003", _R, "hash of the pinned rates changed", "stops and escalates"),
        Reason(
            "SC-FX-004",
            _R,
            "rate jumped beyond the limit",
            "compares it with the ECB's: accepts it, or replaces it and repins the date",
        ),
        Reason("SC-COA-001", _R, "account unknown", "recodes the row or adds the account"),
        Reason("SC-COA-002", _R, "account closed", "recodes the row", waivable=True),
        Reason("SC-COA-003", _R, "not a cost account", "recodes the row"),
        Reason("SC-MAP-001", _R, "account and union category conflict", "recodes the row", waivable=True),
        Reason(
            "SC-MAP-002",
            _R,
            "occupation code not covered by the local",
            "checks the deal memo",
            waivable=True,
        ),
        Reason(
            "SC-TAX-001",
            _R,
            "tax code unknown in the vendor's country on this date",
            "corrects the code, or lists it in production.yaml",
        ),
        Reason("SC-TAX-002", _W, "tax is not that of its code's rate", "queries the vendor"),
        Reason("SC-VEN-001", _R, "tax id missing", "obtains the W-9 or VAT number", waivable=True),
        Reason("SC-VEN-002", _R, "tax id fails its check digit", "verifies the tax id", waivable=True),
        Reason(
            "SC-TOT-001",
            _R,
            "may be a total of other rows",
            "discards the total, or accepts the cost",
            waivable=True,
        ),
        Reason(
            "SC-DOC-001",
            _R,
            "document number lost digits in a spreadsheet",
            "asks for the number",
        ),
        Reason(
            "SC-DUP-001", _R, "same cost delivered before", "does nothing, or discards the row", waivable=True
        ),
        Reason("SC-DUP-002", _R, "same document with different content", "books a correction", waivable=True),
        Reason(
            "SC-DUP-003",
            _R,
            "may be a cost delivered before",
            "compares both, discards or accepts",
            waivable=True,
        ),
        Reason(
            "SC-PO-001",
            _W,
            "exceeds its purchase order, or names none where one is required",
            "approves the excess, or raises an order",
        ),
        Reason("SC-PO-002", _R, "order neither open nor closed", "says whether the order is closed"),
        Reason("SC-PER-001", _R, "accounting period closed", "changes the date or reopens the period"),
        Reason("SC-PMT-001", _R, "permit ends before it starts", "corrects the dates", waivable=True),
        Reason("SC-PMT-002", _R, "deposit coded as a cost", "recodes the deposit", waivable=True),
        Reason("SC-PAY-001", _R, "pay below scale", "returns to payroll", waivable=True),
        Reason("SC-PAY-002", _R, "overtime split wrong", "returns to payroll", waivable=True),
        Reason("SC-PAY-003", _R, "meal penalty underpaid", "returns to payroll", waivable=True),
        Reason("SC-PAY-004", _R, "minimum call not paid", "returns to payroll", waivable=True),
        Reason("SC-PAY-005", _W, "turnaround violated and unpaid", "checks the wrap sheet"),
        Reason(
            "SC-PAY-006",
            _R,
            "gross does not equal the sum of its components",
            "returns to payroll",
            waivable=True,
        ),
        Reason("SC-PAY-007", _W, "benefit rate or ceiling wrong", "checks the plan"),
        Reason("SC-PAY-008", _R, "no agreement in force", "sets the agreement", waivable=True),
        Reason("SC-PAY-009", _W, "rule of low certainty", "reviews manually"),
        Reason("SC-COR-001", _R, "discarded or reversed by a person", "does nothing, or undoes the decision"),
        Reason("SC-API-001", _P, "page unavailable after all retries", "retries the pull"),
    )
}


def in_force() -> tuple[Reason, ...]:
    """Return the reasons that current rules raise, in catalogue order."""
    return tuple(reason for reason in CATALOGUE.values() if reason.arrives_with is None)
