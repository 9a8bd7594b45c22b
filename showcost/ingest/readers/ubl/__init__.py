"""E-invoices: EN 16931 in UBL 2.1, as in Peppol BIS Billing 3.

A delivery is one invoice or credit note.
"""

from showcost.ingest.readers.ubl.reading import UblReading, looks_like_ubl

__all__ = ["UblReading", "looks_like_ubl"]
