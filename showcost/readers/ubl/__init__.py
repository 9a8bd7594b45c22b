"""E-invoices: EN 16931 in UBL 2.1, as in Peppol BIS Billing 3.

A delivery is one invoice or credit note; or a page of JSON, whose items hold one each.
"""

from showcost.readers.ubl.markup import looks_like_ubl
from showcost.readers.ubl.reading import (
    TotalsDifferError,
    UblReading,
    check_document,
    no_documents,
    read_rows,
)
from showcost.readers.ubl.rows import COLUMNS

__all__ = [
    "COLUMNS",
    "TotalsDifferError",
    "UblReading",
    "check_document",
    "looks_like_ubl",
    "no_documents",
    "read_rows",
]
