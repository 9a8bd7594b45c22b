"""Bank statements in MT940, by the library `mt-940`.

The library skips what it does not understand. So the transactions are counted against the lines `:61:` of the
text, and a statement that does not add up from its opening to its closing balance has its difference.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any, Final

import mt940

from showcost.core.money import currency_codes, minor_units
from showcost.readers.archives import UnreadableError
from showcost.readers.statements.model import AccountStatement, StatementLine

_START: Final = re.compile(r"^:20:", re.MULTILINE)
_ENTRY: Final = re.compile(r"^:61:", re.MULTILINE)
_SIGNS: Final = {"D": 1, "C": -1, "RD": -1, "RC": 1}
"""What the production owes by a debit, a credit, and the reversal of each."""
_NO_REFERENCE: Final = frozenset({"", "NONREF"})
_TEXTS: Final = ("purpose", "extra_details", "transaction_details", "additional_purpose")
_NOTHING: Final = Decimal(0)


def looks_like_mt940(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of MT940."""
    return re.search(rb"(?:^|\n|\{4:\r?\n):20:", head) is not None and b":25" in head


def read_mt940(data: bytes) -> tuple[AccountStatement, ...]:
    """Return the statements of a file.

    Raises UnreadableError for anything but MT940, and for a transaction or a balance that cannot be read: a
    statement with a part left out would not add up.
    """
    text = _text(data).replace("\r\n", "\n").replace("\r", "\n")
    starts = [match.start() for match in _START.finditer(text)]
    if not starts:
        raise UnreadableError("the file is no statement in MT940: it has no line :20:")
    parts = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    statements: list[AccountStatement] = []
    for number, part in enumerate(parts, start=1):
        statements.append(_statement(part, f"statement {number}", sum(len(s.lines) for s in statements)))
    return tuple(statements)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _statement(text: str, name: str, lines_before: int) -> AccountStatement:
    try:
        parsed = mt940.parse(text)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise UnreadableError(f"{name}: a line of it is not MT940") from error
    expected = len(_ENTRY.findall(text))
    if len(parsed) != expected:
        raise UnreadableError(f"{name}: {len(parsed)} of {expected} transactions (:61:) can be read")
    opening, currency = _balance(parsed.data, ("final_opening_balance", "intermediate_opening_balance"))
    closing, closing_currency = _balance(
        parsed.data, ("final_closing_balance", "intermediate_closing_balance")
    )
    if currency != closing_currency or currency not in currency_codes():
        raise UnreadableError(f"{name}: no opening and closing balance in one currency (:60F:, :62F:)")
    lines = [
        _line(entry.data, f"{name}, transaction {number}", lines_before + number, currency)
        for number, entry in enumerate(parsed, start=1)
    ]
    days = [line.dated for line in lines]
    numbers = [str(parsed.data.get(key) or "") for key in ("statement_number", "sequence_number")]
    return AccountStatement(
        name="/".join(filter(None, numbers)) or name,
        account=str(parsed.data.get("account_identification") or ""),
        currency=currency,
        first=min(days, default=None),
        last=max(days, default=None),
        opening=opening,
        closing=closing,
        movement=-sum((line.owed for line in lines), _NOTHING),
        lines=tuple(lines),
    )


def _balance(data: dict[str, Any], names: tuple[str, ...]) -> tuple[Decimal, str]:
    for name in names:
        if (balance := data.get(name)) is not None:
            return balance.amount.amount, balance.amount.currency
    return _NOTHING, ""


def _line(data: dict[str, Any], place: str, number: int, currency: str) -> StatementLine:
    """Return a line; what the bank has paid is owed, so a debit is positive."""
    amount, day = data.get("amount"), data.get("entry_date") or data.get("date")
    if (
        amount is None
        or day is None
        or data.get("status") not in _SIGNS
        or amount.currency not in {currency, None, ""}
    ):
        raise UnreadableError(f"{place}: no amount, date or currency")
    if amount.amount != round(amount.amount, minor_units(currency)):
        raise UnreadableError(f"{place}: more decimals than {currency} has")
    texts = [str(data[name]).strip() for name in _TEXTS if data.get(name)]
    reference = str(data.get("customer_reference") or "").strip()
    return StatementLine(
        number=number,
        place=place,
        dated=date(day.year, day.month, day.day),
        currency=currency,
        owed=_SIGNS[data["status"]] * abs(amount.amount),
        references=() if reference in _NO_REFERENCE else (reference,),
        texts=tuple(texts),
        party=str(data.get("applicant_name") or data.get("recipient_name") or "").strip(),
    )
