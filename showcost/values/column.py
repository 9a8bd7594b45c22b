"""A column of text as its distinct cells: each is read once, however often it occurs.

Shared by dates and amounts; the meaning of a text is decided in their modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

LONGEST_CELL = 64
"""Bytes without surrounding spaces: no date or amount is longer, so a longer cell is never searched."""

_NEVER_READ = "?"
"""Replaces a cell that is too long; no parser of this package accepts it."""


@dataclass(frozen=True)
class DistinctTexts:
    """The distinct texts of a column, trimmed, and which of them each row holds.

    `texts` has no nulls: a null cell is the empty text. `codes` has one entry a row.
    """

    texts: pa.Array
    codes: pa.Array

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> DistinctTexts:
        """Encode a column of any Arrow string type; raises TypeError for another type."""
        chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
        if pa.types.is_null(chunked.type) or pa.types.is_dictionary(chunked.type):
            chunked = chunked.cast(pa.string())
        if not (pa.types.is_string(chunked.type) or pa.types.is_large_string(chunked.type)):
            raise TypeError(f"expected a column of text, got {chunked.type}")
        cells = pc.fill_null(chunked, "").dictionary_encode().combine_chunks()
        trimmed = pc.utf8_trim_whitespace(cells.dictionary)
        too_long = pc.greater(pc.binary_length(trimmed), LONGEST_CELL)
        short = pc.if_else(too_long, _NEVER_READ, trimmed).cast(pa.string())
        encoded = short.dictionary_encode()
        return cls(texts=encoded.dictionary, codes=pc.take(encoded.indices, cells.indices))

    def spread(self, per_text: pa.Array) -> pa.Array:
        """Return for every row the value of its text."""
        return pc.take(per_text, self.codes)


def any_true(flags: pa.Array) -> bool:
    """Return whether any element of a Boolean array is true; false for an empty one."""
    return bool(pc.any(flags, min_count=0).as_py())


YES: Final = ("yes", "y", "true", "1")
NO: Final = ("no", "n", "false", "0")
"""The words that say yes and no, in lower case."""


def is_yes(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether a text means yes (yes, y, true, 1); false for anything else, blank included."""
    return pc.is_in(pc.utf8_lower(texts), value_set=pa.array(YES))


def is_no(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether a text means no (no, n, false, 0); false for anything else, blank included."""
    return pc.is_in(pc.utf8_lower(texts), value_set=pa.array(NO))


BLANK: Final = "blank"
"""The `__problem` of an empty cell."""
