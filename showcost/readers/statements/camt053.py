"""Bank statements in the XML of ISO 20022: camt.053, versions 2 to 8.

A file may have several statements of several accounts and currencies. An entry that pays several documents
has details: each is a line of its own if they add up to the entry, else the entry is one line. Entries that
are not booked have no part in the balances and are left out, with a note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.core.money import currency_codes, minor_units
from showcost.readers.source import UnreadableError
from showcost.readers.statements.model import AccountStatement, StatementLine
from showcost.readers.ubl.markup import safe_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

_NAMESPACE: Final = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(?:[A-Za-z0-9.]+\$)?camt\.053\.001\.(\d{2})")
_FIRST_VERSION, _LAST_VERSION = 2, 8
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,5})?|\.[0-9]{1,5}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SIGNS: Final = {"CRDT": 1, "DBIT": -1}
_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = "CLBD"
_BOOKED: Final = "BOOK"
_NO_REFERENCE: Final = "NOTPROVIDED"
_NOTHING: Final = Decimal(0)


def read_camt053(data: bytes) -> tuple[AccountStatement, ...]:
    """Return the statements of a file.

    Raises UnreadableError for anything but camt.053 of a known version, and for an entry or a balance that
    cannot be read: a statement with a part left out would not add up.
    """
    root = safe_root(data, "statement")
    version = _version(root)
    statements: list[AccountStatement] = []
    for element in _children(root, "BkToCstmrStmt", "Stmt"):
        lines_before = sum(len(statement.lines) for statement in statements)
        statements.append(_statement(element, lines_before))
    if not statements:
        raise UnreadableError(f"camt.053 version {version} without a statement")
    return tuple(statements)


def _version(root: _Element) -> int:
    namespace, _, name = str(root.tag).lstrip("{").rpartition("}")
    known = _NAMESPACE.fullmatch(namespace)
    if name != "Document" or known is None:
        other = re.search(r"camt\.0\d\d\.001\.\d\d", namespace)
        what = other.group() if other else "another document"
        raise UnreadableError(f"no statement in camt.053: the XML is {what}")
    version = int(known.group(1))
    if not _FIRST_VERSION <= version <= _LAST_VERSION:
        raise UnreadableError(
            f"camt.053 version {version}; versions {_FIRST_VERSION} to {_LAST_VERSION} are read"
        )
    return version


# --- elements ------------------------------------------------------------------------------------------


def _children(parent: _Element, *path: str) -> Iterator[_Element]:
    """Yield the descendants at a path of local names, whatever their namespace."""
    name, *rest = path
    for child in parent:
        if str(child.tag).rpartition("}")[2] == name:
            if rest:
                yield from _children(child, *rest)
            else:
                yield child


def _texts(parent: _Element, *path: str) -> list[str]:
    """Return the texts at a path that are not blank."""
    texts = [(element.text or "").strip() for element in _children(parent, *path)]
    return [text for text in texts if text]


def _first(parent: _Element, *paths: tuple[str, ...]) -> str:
    """Return the first text at the first path that has one; empty for none."""
    return next((text for path in paths for text in _texts(parent, *path)), "")


def _day(parent: _Element, name: str) -> date | None:
    """Return the date of an element with a date or a time; None if it is missing or unreadable."""
    text = _first(parent, (name, "Dt"), (name, "DtTm"))[:10]
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _money(element: _Element, where: str) -> tuple[str, Decimal]:
    """Return currency and amount of an element with an attribute `Ccy`; UnreadableError for any other."""
    currency, text = element.get("Ccy") or "", (element.text or "").strip()
    if currency not in currency_codes() or not _AMOUNT.fullmatch(text):
        raise UnreadableError(f"{where}: no amount with a currency")
    amount = Decimal(text)
    if amount != round(amount, minor_units(currency)):
        raise UnreadableError(f"{where}: more decimals than {currency} has")
    return currency, amount


def _signed(parent: _Element, where: str) -> tuple[str, Decimal]:
    """Return currency and amount of an entry or a balance, a credit positive."""
    amount = next(_children(parent, "Amt"), None)
    if amount is None:
        raise UnreadableError(f"{where}: no amount")
    currency, number = _money(amount, where)
    sign = _SIGNS.get(_first(parent, ("CdtDbtInd",)))
    if sign is None:
        raise UnreadableError(f"{where}: neither credit nor debit")
    return currency, sign * number


# --- statements ----------------------------------------------------------------------------------------


def _statement(element: _Element, lines_before: int) -> AccountStatement:
    """Return a statement, its lines numbered from those of the statements before it on."""
    name = _first(element, ("Id",)) or "statement without an id"
    entries = list(_children(element, "Ntry"))
    booked = [entry for entry in entries if _first(entry, ("Sts",), ("Sts", "Cd")) in {_BOOKED, ""}]
    notes = []
    if len(booked) < len(entries):
        notes.append(f"{name}: {len(entries) - len(booked)} entries that are not booked were left out")
    balances = _balances(element, name)
    currencies = {currency for _, currency, _ in balances} or set(_texts(element, "Acct", "Ccy"))
    lines: list[StatementLine] = []
    movement = _NOTHING
    for number, entry in enumerate(booked, start=1):
        where = f"{name}, entry {number}"
        currency, amount = _signed(entry, where)
        currencies.add(currency)
        movement += amount
        read = _entry_lines(entry, where, currency, amount)
        lines += read.lines
        notes += read.notes
    if len(currencies) > 1:
        raise UnreadableError(f"{name}: one statement in {' and '.join(sorted(currencies))}")
    days = [line.dated for line in lines]
    return AccountStatement(
        name=name,
        account=_first(element, ("Acct", "Id", "IBAN"), ("Acct", "Id", "Othr", "Id")),
        currency=next(iter(currencies), ""),
        first=_period_day(element, "FrDtTm") or min(days, default=None),
        last=_period_day(element, "ToDtTm") or max(days, default=None),
        opening=next((amount for code in _OPENING for own, _, amount in balances if own == code), None),
        closing=next((amount for own, _, amount in reversed(balances) if own == _CLOSING), None),
        movement=movement,
        lines=tuple(replace(line, number=lines_before + n) for n, line in enumerate(lines, start=1)),
        notes=tuple(notes),
    )


def _period_day(element: _Element, name: str) -> date | None:
    text = _first(element, ("FrToDt", name))[:10]
    return date.fromisoformat(text) if _DATE.fullmatch(text) else None


def _balances(element: _Element, name: str) -> list[tuple[str, str, Decimal]]:
    """Return code, currency and amount of the balances in order; a file in pages has several of a code."""
    return [
        (_first(balance, ("Tp", "CdOrPrtry", "Cd")), *_signed(balance, f"{name}, balance {number}"))
        for number, balance in enumerate(_children(element, "Bal"), start=1)
    ]


@dataclass(frozen=True)
class _EntryLines:
    lines: tuple[StatementLine, ...]
    notes: tuple[str, ...] = ()


def _entry_lines(entry: _Element, where: str, currency: str, amount: Decimal) -> _EntryLines:
    """Return the lines of an entry: its details if they add up to it, else the entry."""
    dated = _day(entry, "BookgDt") or _day(entry, "ValDt")
    if dated is None:
        raise UnreadableError(f"{where}: no booking date")
    details = list(_children(entry, "NtryDtls", "TxDtls"))
    extra = _texts(entry, "AddtlNtryInf")
    if len(details) > 1:
        amounts = [_detail_amount(detail, where, currency, amount) for detail in details]
        known = [number for number in amounts if number is not None]
        if len(known) == len(details) and sum(known, _NOTHING) == amount:
            return _EntryLines(
                tuple(
                    _line(f"{where}, detail {number}", dated, currency, part, [detail], extra)
                    for number, (detail, part) in enumerate(zip(details, known, strict=True), start=1)
                )
            )
        note = f"{where}: {len(details)} details do not add up to the entry, which is read as one line"
        return _EntryLines((_line(where, dated, currency, amount, details, extra),), (note,))
    return _EntryLines((_line(where, dated, currency, amount, details, extra),))


def _detail_amount(detail: _Element, where: str, currency: str, entry: Decimal) -> Decimal | None:
    """Return the amount of a detail in the entry's currency; None if it is not stated in it."""
    for path in (("Amt",), ("AmtDtls", "TxAmt", "Amt")):
        for element in _children(detail, *path):
            own, amount = _money(element, where)
            if own == currency:
                fallback = 1 if entry >= 0 else -1
                return amount * _SIGNS.get(_first(detail, ("CdtDbtInd",)), fallback)
    return None


def _line(
    place: str, dated: date, currency: str, amount: Decimal, details: list[_Element], extra: list[str]
) -> StatementLine:
    """Return a line; what the bank has paid is owed, so a debit is positive."""
    side = "Cdtr" if amount < 0 else "Dbtr"
    texts: list[str] = []
    references: list[str] = []
    party = ""
    for detail in details:
        texts += [
            *_texts(detail, "RmtInf", "Ustrd"),
            *_texts(detail, "RmtInf", "Strd", "AddtlRmtInf"),
            *(text for text in _texts(detail, "Refs", "EndToEndId") if text != _NO_REFERENCE),
            *_texts(detail, "AddtlTxInf"),
        ]
        references += [
            *_texts(detail, "RmtInf", "Strd", "RfrdDocInf", "Nb"),
            *_texts(detail, "RmtInf", "Strd", "CdtrRefInf", "Ref"),
        ]
        party = party or _first(detail, ("RltdPties", side, "Nm"), ("RltdPties", side, "Pty", "Nm"))
    return StatementLine(
        number=0,
        place=place,
        dated=dated,
        currency=currency,
        owed=-amount,
        references=tuple(references),
        texts=tuple(texts + extra),
        party=party if len(details) == 1 else "",
        instructed=_instructed(details, place, currency, amount),
    )


def _instructed(
    details: list[_Element], place: str, currency: str, amount: Decimal
) -> tuple[str, Decimal] | None:
    """Return the amount of the order in another currency, of a line with one detail."""
    if len(details) != 1:
        return None
    for name in ("InstdAmt", "TxAmt"):
        for element in _children(details[0], "AmtDtls", name, "Amt"):
            own, number = _money(element, place)
            if own != currency:
                return own, number if amount < 0 else -number
    return None
