"""Totals of a programme: qualifying spend, caps, and the estimate of the credit, in Decimal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from showcost.config.agreements import Certainty
from showcost.config.incentives import CapBase
from showcost.core.money import EXACT_DIGITS, minor_units, round_half_away

if TYPE_CHECKING:
    from showcost.config.incentives import ClaimedProgramme, SpendCap

_NOTHING: Final = Decimal(0)
_HUNDREDTH: Final = Decimal("0.01")


@dataclass(frozen=True)
class CreditEstimate:
    """The credit of a programme's qualifying spend, in the programme's currency and in base.

    `eligible` is the qualifying spend after its caps. `caps` are sentences about caps that were applied,
    `open_caps` about those that could not be, which makes the certainty of the estimate low.
    """

    eligible: Decimal
    credit: Decimal
    credit_base: Decimal
    certainty: Certainty
    caps: tuple[str, ...]
    open_caps: tuple[str, ...]


def estimate(
    claimed: ClaimedProgramme, qualifying: Decimal, labour: Decimal, base: Decimal, base_currency: str
) -> CreditEstimate:
    """Return the credit on the qualifying spend, of which `labour` is labour; `base` is the same in base.

    A qualifying spend that is not above zero earns no credit.
    """
    currency = claimed.programme.currency
    eligible, credit_limit = max(qualifying, _NOTHING), None
    applied, missing = [], []
    certainty = claimed.rate.certainty
    for cap in claimed.programme.caps:
        if cap.categories and claimed.rate.category not in cap.categories:
            continue
        limit = _limit(cap, claimed, labour)
        if limit is None:
            missing.append(f"{cap.id}: not applied, because the claim states no {cap.base.value}")
            certainty = Certainty.LOW
        elif cap.base is CapBase.CREDIT:
            credit_limit = limit if credit_limit is None else min(credit_limit, limit)
        elif limit < eligible:
            eligible, certainty = limit, certainty.less_sure(cap.certainty)
            applied.append(f"{cap.id}: qualifying spend limited to {limit:,.2f} {currency}")
    credit = round_half_away(eligible * claimed.rate.percent * _HUNDREDTH, minor_units(currency))
    if credit_limit is not None and credit_limit < credit:
        credit = credit_limit
        applied.append(f"credit limited to {credit_limit:,.2f} {currency}")
    credit_base = _share(base, credit, qualifying, minor_units(base_currency))
    return CreditEstimate(eligible, credit, credit_base, certainty, tuple(applied), tuple(missing))


def _limit(cap: SpendCap, claimed: ClaimedProgramme, labour: Decimal) -> Decimal | None:
    """Return the amount of a cap; None if the claim does not state its base."""
    if cap.amount is not None:
        return cap.amount
    bases = {
        CapBase.CORE_EXPENDITURE: claimed.claim.core_expenditure,
        CapBase.PRODUCTION_COST: claimed.claim.production_cost,
        CapBase.QUALIFYING_LABOUR: max(labour, _NOTHING),
    }
    base = bases[cap.base]
    if base is None or cap.percent is None:
        return None
    return round_half_away(base * cap.percent * _HUNDREDTH, minor_units(claimed.programme.currency))


def _share(base: Decimal, credit: Decimal, qualifying: Decimal, decimals: int) -> Decimal:
    """Return the credit in base: the qualifying spend in base times credit over qualifying spend."""
    if qualifying <= 0:
        return _NOTHING
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return round_half_away(context.divide(base * credit, qualifying), decimals)
