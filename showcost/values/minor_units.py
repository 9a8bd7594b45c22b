"""Amounts in a hundredth of a currency, as exchanges and some ledgers state them: `GBp`, `GBX`, `ZAc`, `ILA`.

Such a code is not the currency that it looks like in upper case: 1250 GBp are 12.50 GBP. Only codes of this
table are converted; `p` or `cents` do not say of which currency they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.money import EXACT_DIGITS
from showcost.values.column import DistinctTexts, any_true

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAJOR: Final[Mapping[str, str]] = {
    **dict.fromkeys(("GBp", "GBx", "GBX", "GBPp", "GBP pence", "pence", "Pence"), "GBP"),
    **dict.fromkeys(("ZAc", "ZAC", "ZAX", "ZAR cents"), "ZAR"),
    **dict.fromkeys(("ILA", "ILa", "ILX", "ILS agorot"), "ILS"),
    **dict.fromkeys(("USc", "USX", "USD cents"), "USD"),
    **dict.fromkeys(("EUc", "EUX", "EURc", "EUR cents"), "EUR"),
    **dict.fromkeys(("CAc", "CAD cents"), "CAD"),
    **dict.fromkeys(("AUc", "AUD cents"), "AUD"),
}
"""The currency of each code; upper and lower case matter, for `GBP` are pounds."""
_HUNDREDTH: Final = -2
_HUNDREDTHS: Final = frozenset(("p", "c", "ct", "cent", "cents", "pence", "in cents", "in pence"))


def major_unit(code: str) -> str | None:
    """Return the currency whose hundredth a code names; None for any other code."""
    return _MAJOR.get(" ".join(code.split()))


def is_hundredth(unit: str) -> bool:
    """Return whether a text names a hundredth of a currency, of whichever."""
    return major_unit(unit) is not None or unit.lower() in _HUNDREDTHS


def in_major_unit(amount: Decimal) -> Decimal:
    """Return a number of hundredths in the currency itself, exactly."""
    return multiplied(amount, _HUNDREDTH)


def multiplied(amount: Decimal, places: int) -> Decimal:
    """Return an amount with its point moved to the right by `places`, or to the left if negative; exactly."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return amount.scaleb(places)


@dataclass(frozen=True)
class MinorRows:
    """The rows in hundredths of a currency: a mask, the currencies of all rows, and the codes."""

    mask: pa.Array
    currencies: pa.Array
    codes: tuple[str, ...]

    @classmethod
    def of(cls, currencies: pa.Array | pa.ChunkedArray) -> MinorRows | None:
        """Look up the codes of a column; None if there is none of a hundredth."""
        cells = DistinctTexts.of(currencies)
        codes = cells.texts.to_pylist()
        known = [major_unit(code) for code in codes]
        if not any(known):
            return None
        mask = cells.spread(pa.array([code is not None for code in known]))
        spread = cells.spread(pa.array(known, pa.string()))
        return cls(mask, spread, tuple(sorted(c for c, k in zip(codes, known, strict=True) if k)))

    def without(self, rows: pa.Array | pa.ChunkedArray) -> MinorRows | None:
        """Leave out rows, by a mask; None if none is left."""
        mask = pc.and_not(self.mask, pc.fill_null(rows, False))
        mask = mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask
        return MinorRows(mask, self.currencies, self.codes) if any_true(mask) else None

    def converted(self, amounts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Return plain decimal texts, those of the rows a hundredth of what they were."""
        cells = DistinctTexts.of(amounts)
        texts = [f"{in_major_unit(Decimal(text)):f}" if text else None for text in cells.texts.to_pylist()]
        return pc.if_else(self.mask, cells.spread(pa.array(texts, pa.string())), amounts)
