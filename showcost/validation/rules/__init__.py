"""The rules, a module per kind of thing that they look at; each makes its rules for a feed and production.

Rules judge typed cells (`showcost.validation.cells`), column by column, and know nothing of other rows. A
cell that one rule has found unreadable passes the others: one fault, one reason. The claim on a key, which
needs other rows, is in `showcost.validation.duplicates`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.validation.rules import coding, general, money, pay, permits, personal, vendors
from showcost.validation.rules.model import ColumnRule, RowRule, Rule

if TYPE_CHECKING:
    from showcost.validation.reference import Reference

__all__ = ["ColumnRule", "RowRule", "Rule", "rules_for"]


def rules_for(reference: Reference) -> tuple[Rule, ...]:
    """Return every rule that rows of the reference's feed must hold to, each name once."""
    return (
        *general.rules(reference),
        *money.rules(reference),
        *coding.rules(reference),
        *vendors.rules(reference),
        *permits.rules(reference),
        *personal.rules(reference),
        *pay.rules(reference),
    )
