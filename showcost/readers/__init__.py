"""Reading deliveries: any vendor's CSV or workbook to records as text, with proof that nothing is lost.

`read_delivery` is the one way in. Nothing here knows feeds, keys, dates or amounts: a record is cells of
text with a place, and what cannot be read for sure is rejected with its raw bytes and a reason code.
"""

from showcost.readers.model import (
    RECORD_SCHEMA,
    Counts,
    Dialect,
    Hints,
    Limits,
    Rejected,
    TextRecord,
)
from showcost.readers.open import read_delivery
from showcost.readers.reading import Reading

__all__ = [
    "RECORD_SCHEMA",
    "Counts",
    "Dialect",
    "Hints",
    "Limits",
    "Reading",
    "Rejected",
    "TextRecord",
    "read_delivery",
]
