"""Document numbers in the normal form by which they are compared.

People and spreadsheets change how a number is written, never the document it names: `INV - 8` and `INV-8` are
one invoice. The ledger keeps the number as it was delivered.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_DASHES: Final = r"[\x{2010}-\x{2015}\x{2212}\x{FE58}\x{FE63}]"
_SPACES: Final = r"[\s\p{Z}\x{200B}\x{2060}\x{FEFF}]+"


def normal_numbers(numbers: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return document numbers (text) in normal form; null stays null.

    Unicode NFKC, upper case, no white space, every dash as `-`, and no leading zeros when the whole number is
    digits.
    """
    text = pc.utf8_upper(pc.utf8_normalize(numbers.cast(pa.string()), form="NFKC"))
    text = pc.replace_substring_regex(text, pattern=_SPACES, replacement="")
    text = pc.replace_substring_regex(text, pattern=_DASHES, replacement="-")
    return pc.replace_substring_regex(text, pattern=r"^0+(\d+)$", replacement=r"\1")
