"""The parts of a statement: its lines, its balances, and whatever could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal


class StatementFormat(StrEnum):
    """The formats of statements; the first is found out from the bytes."""

    AUTO = "auto"
    CSV = "csv"
    CAMT053 = "camt053"
    MT940 = "mt940"


@dataclass(frozen=True)
class TableHints:
    """Facts that a table of a statement does not tell.

    `currency` is for a table that names none, `is_bank` says that it is a bank's, and `day_first` decides
    dates that can be read with the day or the month first.
    """

    currency: str | None = None
    is_bank: bool = False
    day_first: bool | None = None


@dataclass(frozen=True)
class StatementLine:
    """One line of a statement.

    `owed` is the amount of the document that the line is about: what a vendor charges or a bank has paid is
    positive, a credit note or a receipt negative. `references` are document numbers in fields of their own,
    `texts` free text that may name documents, `party` the other party's name. `instructed` is the amount in
    the currency of the payment order, where that differs. `is_payment` is true of a line of a vendor's table
    that its words call a payment.
    """

    number: int
    place: str
    dated: date
    currency: str
    owed: Decimal
    references: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    party: str = ""
    instructed: tuple[str, Decimal] | None = None
    is_payment: bool = False

    @property
    def amounts(self) -> tuple[tuple[str, Decimal], ...]:
        """The amounts by which the line may be found, each with its currency."""
        return ((self.currency, self.owed), *([self.instructed] if self.instructed else []))


@dataclass(frozen=True)
class AccountStatement:
    """One statement of one account in one currency.

    `opening` and `closing` are None where the file does not state them; `movement` is what the lines change
    the balance by. `unreadable` are sentences about lines that are not in `lines`, `notes` whatever else a
    reader has to know.
    """

    name: str
    account: str
    currency: str
    first: date | None
    last: date | None
    opening: Decimal | None
    closing: Decimal | None
    movement: Decimal
    lines: tuple[StatementLine, ...]
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> Decimal | None:
        """Opening balance and lines less the closing balance; None if a balance is not stated."""
        if self.opening is None or self.closing is None:
            return None
        return self.opening + self.movement - self.closing
