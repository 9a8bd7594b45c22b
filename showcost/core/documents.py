"""Document numbers in the normal form by which they are compared.

People and spreadsheets change how a number is written, never the document it names: `INV - 8` and `INV-8` are
one invoice. The ledger keeps the number as it was delivered.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_DASHES: Final = r"[\x{2010}-\x{2015}\x{2043}\x{2212}\x{FE58}\x{FE63}]"
_NOT_SHOWN: Final = r"[\s\p{Z}\p{Cc}\p{Cf}]+"
"""White space, control characters and invisible marks such as soft hyphens and directions."""


def normal_codes(codes: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return vendor codes or document numbers (text) in the form in which they are compared; null stays null.

    Unicode NFKC, upper case, no white space or invisible characters, every dash as `-`. A text without a
    letter or digit is empty.
    """
    text = pc.utf8_upper(pc.utf8_normalize(codes.cast(pa.string()), form="NFKC"))
    text = pc.replace_substring_regex(text, pattern=_NOT_SHOWN, replacement="")
    text = pc.replace_substring_regex(text, pattern=_DASHES, replacement="-")
    return pc.replace_substring_regex(text, pattern=r"^[^\p{L}\p{N}]+$", replacement="")


def normal_numbers(numbers: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return document numbers (text) in normal form; null stays null.

    That of `normal_codes`, and without leading zeros when the whole number is digits.
    """
    return pc.replace_substring_regex(normal_codes(numbers), pattern=r"^0+(\d+)$", replacement=r"\1")
