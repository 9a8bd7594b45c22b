"""Rules, one module per subject; each module builds its rules for a feed and production.

Rules check typed cells (`showcost.validation.cells`) by column, without other rows. An unreadable cell fails
one rule and passes the others: one fault, one reason. Claims on keys, which need other rows, are in
`showcost.validation.duplicates`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.validation.rules import coding, general, money, orders, pay, permits, personal, taxes, vendors
from showcost.validation.rules.model import ColumnRule, RowRule, Rule

if TYPE_CHECKING:
    from showcost.validation.reference import Reference

__all__ = ["ColumnRule", "RowRule", "Rule", "rules_for"]


def rules_for(reference: Reference) -> tuple[Rule, ...]:
    """Return every rule for rows of the reference's feed; no two have the same name."""
    return (
        *general.rules(reference),
        *money.rules(reference),
        *coding.rules(reference),
        *vendors.rules(reference),
        *taxes.rules(reference),
        *permits.rules(reference),
        *orders.rules(reference),
        *personal.rules(reference),
        *pay.rules(reference),
    )
