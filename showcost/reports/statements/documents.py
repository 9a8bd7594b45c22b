"""The documents of the ledger that a statement may name: what is payable for each, in its currency.

They are the other sides of the journal, so a corrected document counts with its corrections, and one that was
reversed does not count.
"""
# ruff: noqa: S608 - statements are put together from constants of this package

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.documents import normal_codes, normal_numbers
from showcost.core.errors import InputError
from showcost.ledger.journal import CONTRA, open_journal, payable_accounts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

    from showcost.workspace import Workspace

_FEWEST_DIGITS: Final = 5
_MOST_SHORT: Final = 3


@dataclass(frozen=True)
class LedgerDocument:
    """A document with what is payable for it (a credit note is negative), in its original currency.

    `number` is the document number in the form in which numbers are compared.
    """

    document_id: str
    number: str
    shown_number: str
    vendor_code: str
    vendor_name: str
    record_kind: str
    account: str
    currency: str
    owed: Decimal
    first_date: date
    last_date: date
    due_date: date | None

    @property
    def is_common(self) -> bool:
        """True if a text may have the number by chance, such as 12, G1 or MP3, but not INV-8."""
        digits = sum(sign.isdecimal() for sign in self.number)
        letters = sum(sign.isalpha() for sign in self.number)
        is_short = digits + letters == len(self.number) <= _MOST_SHORT
        return is_short or (letters <= 1 and digits < _FEWEST_DIGITS)

    def is_near(self, day: date, days: int) -> bool:
        """Say whether a day is between the document's date and its due date, give or take some days."""
        tolerance = timedelta(days=days)
        return (
            self.first_date - tolerance
            <= day
            <= max(self.last_date, self.due_date or self.last_date) + tolerance
        )

    def is_between(self, first: date, last: date, *, by_due_date: bool) -> bool:
        """Say whether the date of the document, or that on which it is due, is in a period."""
        day = self.due_date if by_due_date and self.due_date is not None else self.last_date
        return first <= day <= last


def ledger_documents(
    workspace: Workspace, vendor: str | None, account: str | None, as_of: int | None
) -> list[LedgerDocument]:
    """Return the documents of a vendor and a payable account, or all, in a fixed order.

    InputError for an account that is no payable account, or a vendor without documents.
    """
    payables = {number for number in payable_accounts(workspace.production).values() if number}
    if account is not None and account not in payables:
        raise InputError(f"{account} is no payable account; payable accounts: {', '.join(sorted(payables))}")
    with workspace.ledger.read() as connection:
        open_journal(connection, workspace.production, as_of)
        rows = connection.sql(_DOCUMENTS).to_arrow_table()
    numbers = _normal(rows.column("document_no"), numbers=True)
    vendors = _normal(rows.column("vendor_code"))
    wanted = _normal(pa.chunked_array([pa.array([vendor], pa.string())]))[0] if vendor is not None else None
    if wanted is not None and wanted not in vendors:
        raise InputError(f"the ledger has no document of the vendor {vendor!r}")
    return [
        LedgerDocument(
            document_id=row["document_id"],
            number=number,
            shown_number=row["document_no"] or "",
            vendor_code=row["vendor_code"] or "",
            vendor_name=row["vendor_name"] or "",
            record_kind=row["record_kind"],
            account=row["account"],
            currency=row["currency"],
            owed=row["owed"],
            first_date=row["first_date"],
            last_date=row["last_date"],
            due_date=row["due_date"],
        )
        for row, number, code in zip(rows.to_pylist(), numbers, vendors, strict=True)
        if (wanted is None or code == wanted) and (account is None or row["account"] == account)
    ]


def normal_texts(texts: Sequence[str], *, numbers: bool = False) -> list[str]:
    """Return codes, or document numbers, in the form in which they are compared."""
    return _normal(pa.chunked_array([pa.array(texts, pa.string())]), numbers=numbers)


def _normal(texts: pa.ChunkedArray, *, numbers: bool = False) -> list[str]:
    normal = normal_numbers(texts) if numbers else normal_codes(texts)
    return [text or "" for text in normal.to_pylist()]


_DOCUMENTS: Final = f"""
SELECT document_id, min(record_kind) AS record_kind, min(account) AS account,
    min(vendor_code) AS vendor_code, min(vendor_name) AS vendor_name, min(document_no) AS document_no,
    currency, -sum(amount) AS owed, min(transaction_date) AS first_date, max(transaction_date) AS last_date,
    max(due_date) AS due_date
FROM journal WHERE line_kind = '{CONTRA}'
GROUP BY document_id, currency HAVING sum(amount) <> 0
ORDER BY first_date, vendor_code, document_no, currency, document_id
"""
