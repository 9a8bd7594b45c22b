"""Readers of deliveries: any vendor's CSV or workbook as records of text, with proof that nothing is lost.

`read_delivery` is the entry point. Nothing here knows feeds, keys, dates or amounts: a record is cells of
text with a place, and a record that cannot be read with certainty is rejected with its raw bytes and a reason
code.
"""

from showcost.readers.model import (
    RECORD_SCHEMA,
    Dialect,
    Hints,
    Limits,
    RecordCounts,
    Rejected,
    TextRecord,
)
from showcost.readers.open import read_delivery
from showcost.readers.reading import Reading

__all__ = [
    "RECORD_SCHEMA",
    "Dialect",
    "Hints",
    "Limits",
    "Reading",
    "RecordCounts",
    "Rejected",
    "TextRecord",
    "read_delivery",
]
