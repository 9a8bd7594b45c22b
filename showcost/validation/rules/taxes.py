"""Rules about the tax code of a row (TAX), for productions that list their tax codes."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.money import AMOUNT_SCALE
from showcost.validation.columns import ZERO
from showcost.validation.rules.model import RowRule, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.record_kinds import SecondaryComponent
    from showcost.validation.reference import Reference

_SOURCE: Final = "production.yaml: tax_codes"
_MINOR_UNITS_OFF: Final = 2
"""Tax may be rounded per line or per document: so many minor units do not matter."""


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none without tax codes."""
    secondary = reference.feed.kind.secondary
    codes = reference.production.tax_codes
    if secondary is None or secondary.tax_code is None or not codes:
        return
    listed = ", ".join(dict.fromkeys(f"{code.country} {code.code or '(none)'}" for code in codes))
    yield RowRule(
        "SC-TAX-001",
        secondary.tax_code,
        f"a tax code of the vendor's country on this date: {listed}",
        _SOURCE,
        holds=partial(_is_known, secondary),
    )
    yield RowRule(
        "SC-TAX-002",
        secondary.field,
        _expected,
        _SOURCE,
        holds=partial(_is_of_rate, secondary, reference.feed.kind.primary.field),
    )


def _is_known(secondary: SecondaryComponent, cells: pa.Table) -> pa.ChunkedArray:
    taxed = pc.not_equal(cells.column(secondary.field), ZERO)
    return pc.or_kleene(pc.invert(pc.fill_null(taxed, False)), cells.column("tax__known"))


def _is_of_rate(secondary: SecondaryComponent, net: str, cells: pa.Table) -> pa.ChunkedArray:
    """Say whether tax is that of its code's rate, but for rounding; null where either is unknown."""
    rate, tax = cells.column("tax__rate"), cells.column(secondary.field)
    due = pc.multiply(cells.column(net), rate)
    off = pc.abs(pc.subtract(pc.multiply(tax, pa.scalar(100, pa.decimal128(3, 0))), due))
    units = pc.fill_null(cells.column("minor_units"), 2).combine_chunks()
    return pc.less_equal(off, pa.chunked_array([pc.take(_TOLERANCES, units)]))


_TOLERANCES: Final = pa.array(
    [Decimal(_MINOR_UNITS_OFF * 100).scaleb(-places) for places in range(AMOUNT_SCALE + 1)],
    pa.decimal128(9, AMOUNT_SCALE),
)
"""Per number of decimals of a currency, a hundred times what tax may be off."""


def _expected(failed: pa.Table) -> pa.Array:
    rates = failed.column("tax__rate").cast(pa.string())
    return pc.binary_join_element_wise("tax at ", rates, "% of the net amount", "")
