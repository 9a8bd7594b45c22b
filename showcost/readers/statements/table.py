"""A vendor's statement of account as a table: CSV or a workbook, with headers in English, German or French.

The reader of deliveries finds dialect, encoding and header; date and number formats are inferred over the
whole column. A line with the words of an opening or closing balance is no transaction. Whatever cannot be
read is named, never left out in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.feed import normal_header
from showcost.core.money import currency_codes, minor_units
from showcost.readers.model import Hints
from showcost.readers.open import read_delivery
from showcost.readers.source import UnreadableError
from showcost.readers.statements.model import AccountStatement, StatementLine
from showcost.values.amounts import infer_amounts
from showcost.values.dates import DateStyle, infer_dates
from showcost.values.minor_units import in_major_unit, major_unit
from showcost.values.symbols import currencies_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from showcost.readers.statements.model import TableHints

_HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "document": (
        *(
            "document no",
            "document number",
            "document",
            "invoice no",
            "invoice number",
            "invoice",
            "reference",
        ),
        *("ref", "your reference", "our reference", "doc no", "bill no", "voucher no", "number", "no"),
        *("Belegnummer", "Beleg-Nr", "Beleg", "Rechnungsnummer", "Rechnungs-Nr", "Rechnung", "Referenz"),
        *("Rechnungsnr", "Belegnr", "Nr", "Nummer", "numéro de facture", "n° facture", "facture", "pièce"),
        *("n° pièce", "numéro de pièce", "référence", "réf", "numéro"),
    ),
    "date": (
        *("date", "invoice date", "document date", "transaction date", "posting date", "booking date"),
        *("Datum", "Belegdatum", "Rechnungsdatum", "Buchungsdatum", "Buchungstag"),
        *("date de facture", "date facture", "date de pièce", "date d'opération", "date comptable"),
    ),
    "amount": (
        *("gross amount", "gross", "invoice amount", "amount", "total", "original amount", "net amount"),
        *("Betrag", "Bruttobetrag", "Rechnungsbetrag", "Umsatz", "montant", "montant TTC", "montant facture"),
    ),
    "debit": (
        *("debit", "debits", "debit amount", "charge", "charges", "invoiced"),
        *("Soll", "Sollbetrag", "Belastung", "débit", "montant débit"),
    ),
    "credit": (
        *("credit", "credits", "credit amount", "payments", "payment", "paid"),
        *("Haben", "Habenbetrag", "Gutschrift", "crédit", "montant crédit"),
    ),
    "currency": (*("currency", "ccy", "curr", "cur", "Währung", "Whg", "Waehrung", "devise", "monnaie"),),
    "balance": (*("balance", "running balance", "Saldo", "Kontostand", "solde"),),
    "text": (
        *("description", "details", "text", "narrative", "particulars", "type", "transaction", "memo"),
        *("Buchungstext", "Verwendungszweck", "Beschreibung", "libellé", "désignation", "description"),
    ),
}
"""The headers of each column; of several columns the one whose header comes first here counts, except for
text, of which there may be several."""

_NAMES: Final = {
    name: {normal_header(text): rank for rank, text in reversed(list(enumerate(texts)))}
    for name, texts in _HEADERS.items()
}
_OPENING_WORDS: Final = re.compile(
    r"opening balance|balance (?:brought )?forward|brought forward|b/f\b|previous balance|saldovortrag"
    r"|anfangs(?:bestand|saldo)|eröffnungssaldo|vortrag|solde (?:initial|précédent|d'ouverture)|ancien solde"
    r"|report (?:à nouveau|solde)",
    re.IGNORECASE,
)
_CLOSING_WORDS: Final = re.compile(
    r"closing balance|balance (?:carried forward|due|outstanding)|carried forward|c/f\b|amount due|total due"
    r"|end(?:bestand|saldo)|schlusssaldo|abschlusssaldo|offener saldo|solde (?:final|de clôture|dû)"
    r"|nouveau solde|net à payer",
    re.IGNORECASE,
)
_PAYMENT_WORDS: Final = re.compile(
    r"\b(?:payments?|paid|receipt|remittance|transfer|bacs|zahlung(?:en|seingang)?|überweisung|lastschrift"
    r"|bezahlt|paiements?|règlements?|virements?|prélèvements?)\b",
    re.IGNORECASE,
)
_TOTAL_WORDS: Final = re.compile(
    r"\s*(?:total|totals|sum|summe|gesamt|gesamtsumme|somme|totaux)\b", re.IGNORECASE
)
_CODE: Final = re.compile(r"\b[A-Z]{3}\b")
_NOTHING: Final = Decimal(0)


def read_table_statements(path: Path, name: str, hints: TableHints) -> tuple[AccountStatement, ...]:
    """Return the statement in a table, under a name; one for each currency if it has several.

    A vendor's balance is what is owed to it, so debits raise it; credits raise a bank's.

    Raises UnreadableError if the file is no table, or lacks a date, an amount, or both document and text.
    """
    return tuple(_statements(name, _read(path), hints))


@dataclass(frozen=True)
class _StatementTable:
    """The cells of a table by name of column, with the number of each record and what was rejected."""

    records: Sequence[int]
    columns: Mapping[str, pa.Array]
    texts: Sequence[pa.Array]
    shown_header: Mapping[str, str]
    rejected: tuple[str, ...]
    footer: tuple[str, ...]

    def cells(self, name: str) -> list[str]:
        """Return a column as text, blanks empty; all blank if the table does not have it."""
        if name not in self.columns:
            return [""] * len(self.records)
        return [text.strip() for text in self.columns[name].to_pylist()]


def _read(path: Path) -> _StatementTable:
    names = tuple(text for texts in _HEADERS.values() for text in texts)
    with read_delivery(path, hints=Hints(totals_are_rows=True, names=names)) as reading:
        rows = reading.table()
        rejected = list(reading.rejected)
        if rejected and not rejected[0].record:
            raise UnreadableError(rejected[0].detail)
        if not reading.dialect.header_sure:
            raise UnreadableError("the header has another number of names than the lines have cells")
        header = list(reading.header)
        footer = tuple(line.text for line in reading.footer)
    cells = rows.column("cells").to_pylist()
    columns = [pa.array([row[position] for row in cells], pa.string()) for position in range(len(header))]
    named = [(position, *_column_of(name)) for position, name in enumerate(header)]
    ranked: dict[str, list[tuple[int, int]]] = {}
    for position, column, rank in named:
        ranked.setdefault(column, []).append((rank, position))
    texts = [position for _, position in sorted(ranked.pop("text", []), key=lambda item: item[1])]
    ranked.pop("", None)
    chosen = {column: min(places)[1] for column, places in ranked.items()}
    _require(header, chosen, has_text=bool(texts))
    return _StatementTable(
        records=rows.column("record").to_pylist(),
        columns={name: columns[position] for name, position in chosen.items()},
        texts=[columns[position] for position in texts],
        shown_header={name: header[position] for name, position in chosen.items()},
        rejected=tuple(f"record {item.record}: {item.detail}" for item in rejected),
        footer=footer,
    )


def _column_of(header: str) -> tuple[str, int]:
    """Return the column that a header names, and its rank; a currency code, as in `Amount (EUR)`, is no part.

    Without a column, the name is empty.
    """
    plain = " ".join(word for word in re.split(r"[\s()\[\]]+", header) if word not in currency_codes())
    for name, known in _NAMES.items():
        for text in (normal_header(header), normal_header(plain)):
            if text in known:
                return name, known[text]
    return "", 0


def _require(header: Sequence[str], chosen: Mapping[str, int], *, has_text: bool) -> None:
    missing = ["date"] if "date" not in chosen else []
    if "document" not in chosen and not has_text:
        missing.append("document (or text)")
    if not chosen.keys() & {"amount", "debit", "credit"}:
        missing.append("amount (or debit and credit)")
    if missing:
        raise UnreadableError(
            f"no column for {' and '.join(missing)} among {', '.join(header[:20]) or 'no names at all'}"
        )


@dataclass(frozen=True)
class _TableAmounts:
    """The amounts of a column as decimals, None for a blank cell, and the problems by position."""

    values: list[Decimal | None]
    problems: dict[int, str]
    symbols: list[str | None]


def _amounts(table: _StatementTable, name: str) -> _TableAmounts:
    if name not in table.columns:
        return _TableAmounts([None] * len(table.records), {}, [None] * len(table.records))
    read = infer_amounts(table.columns[name], dash_is_zero=True)
    texts, problems = read.values.to_pylist(), read.problem.to_pylist()
    return _TableAmounts(
        [Decimal(text) if text is not None else None for text in texts],
        {
            position: f"{table.shown_header[name]}: {problem} amount"
            for position, problem in enumerate(problems)
            if problem not in {None, "blank"}
        },
        read.symbol.to_pylist(),
    )


@dataclass(frozen=True)
class _TableRow:
    """A row of the table: `problem` says why it is no line of the statement, None if it is one.

    `change` is what it changes the balance by, `sign` the sign of a debit in the balance.
    """

    record: int
    document: str
    texts: tuple[str, ...]
    day: date | None
    change: Decimal | None
    sign: int
    balance: Decimal | None
    currency: str | None
    problem: str | None

    @property
    def label(self) -> str:
        """The text that names the row: its document, so that no description makes a document a balance."""
        return self.document or " ".join(self.texts)

    @property
    def stated(self) -> Decimal | None:
        """The amount of a line that states a balance."""
        return self.balance if self.change is None else self.change

    @property
    def is_opening(self) -> bool:
        """True if the row states the opening balance."""
        return _OPENING_WORDS.search(self.label) is not None

    @property
    def is_closing(self) -> bool:
        """True if the row states the closing balance."""
        return not self.is_opening and _CLOSING_WORDS.search(self.label) is not None

    @property
    def is_remark(self) -> bool:
        """True if the row is a total of columns, or has neither date nor amount."""
        is_total = self.day is None and _TOTAL_WORDS.match(self.label) is not None
        return is_total or (self.day is None and self.stated is None and self.problem is not None)

    def line(self, number: int) -> StatementLine | None:
        """Return the row as a line of the statement; None if it is none."""
        if self.problem is not None or self.day is None or self.change is None or self.currency is None:
            return None
        return StatementLine(
            number=number,
            place=f"record {self.record}",
            dated=self.day,
            currency=self.currency,
            owed=self.sign * self.change,
            references=(self.document,) if self.document else (),
            texts=self.texts,
            is_payment=self.sign > 0
            and any(_PAYMENT_WORDS.search(text) for text in (self.document, *self.texts)),
        )


def _rows(table: _StatementTable, hints: TableHints) -> Iterator[_TableRow]:
    sign = -1 if hints.is_bank else 1
    dates = infer_dates(table.columns["date"], DateStyle(day_first=hints.day_first))
    days, day_problems = dates.values.to_pylist(), dates.problem.to_pylist()
    amounts = {column: _amounts(table, column) for column in ("amount", "debit", "credit", "balance")}
    amounts |= {column: _without_minus(amounts[column]) for column in ("debit", "credit")}
    documents, currencies = table.cells("document"), _currencies(table, amounts, hints.currency)
    amounts = {column: _in_major_units(table, amounts[column]) for column in amounts}
    columns = [[text.strip() for text in column.to_pylist()] for column in table.texts]
    for position, record in enumerate(table.records):
        change, code = _change(amounts, position, sign), currencies[position]
        problem = _problem(amounts, position, days[position], day_problems[position])
        yield _TableRow(
            record=record,
            document=documents[position],
            texts=tuple(column[position] for column in columns if column[position]),
            day=days[position],
            change=change,
            sign=sign,
            balance=amounts["balance"].values[position],
            currency=code,
            problem=problem or _currency_problem(change, code),
        )


def _statements(name: str, table: _StatementTable, hints: TableHints) -> list[AccountStatement]:
    """Return the statement of a table: one for each currency, so that no amounts of two are added up."""
    rows = list(_rows(table, hints))
    transactions = [row for row in rows if not (row.is_opening or row.is_closing or row.is_remark)]
    numbered = [(row, row.line(number)) for number, row in enumerate(transactions, start=1)]
    unreadable = [f"record {row.record}: {row.problem}" for row, line in numbered if line is None]
    read = [(row, line) for row, line in numbered if line is not None]
    currencies = sorted({line.currency for _, line in read})
    if len(currencies) > 1:
        first, *others = (
            _of_currency(
                f"{name}, {currency}", currency, [pair for pair in read if pair[1].currency == currency]
            )
            for currency in currencies
        )
        first = replace(first, notes=(f"{name}: several currencies, so the balances were not checked",))
    else:
        opening, closing = _stated_balances(rows, [row for row, _ in read])
        first, others = _of_currency(name, next(iter(currencies), ""), read), []
        first = replace(first, opening=opening, closing=closing)
    return [replace(first, unreadable=(*table.rejected, *unreadable)), *others]


def _of_currency(
    name: str, currency: str, read: Sequence[tuple[_TableRow, StatementLine]]
) -> AccountStatement:
    """Return the statement of lines in one currency, without balances."""
    lines = tuple(line for _, line in read)
    return AccountStatement(
        name=name,
        account="",
        currency=currency,
        first=min((line.dated for line in lines), default=None),
        last=max((line.dated for line in lines), default=None),
        opening=None,
        closing=None,
        movement=sum((row.change or _NOTHING for row, _ in read), _NOTHING),
        lines=lines,
    )


def _stated_balances(
    rows: Sequence[_TableRow], lines: Sequence[_TableRow]
) -> tuple[Decimal | None, Decimal | None]:
    """Return opening and closing balance: of lines that state them, else of the column of balances."""
    openings = [row.stated for row in rows if row.is_opening]
    closings = [row.stated for row in rows if row.is_closing]
    running = [row for row in lines if row.balance is not None]
    opening = openings[0] if openings else None
    closing = closings[-1] if closings else None
    if opening is None and running:
        opening = (running[0].balance or _NOTHING) - (running[0].change or _NOTHING)
    if closing is None and running:
        closing = running[-1].balance
    return opening, closing


def _change(amounts: Mapping[str, _TableAmounts], position: int, sign: int) -> Decimal | None:
    """Return what a line changes the balance by: the amount, or the debit at its sign; None for neither."""
    debit, credit = amounts["debit"].values[position], amounts["credit"].values[position]
    if debit is None and credit is None:
        return amounts["amount"].values[position]
    return sign * ((debit or _NOTHING) - (credit or _NOTHING))


def _without_minus(column: _TableAmounts) -> _TableAmounts:
    """Return a column of debits or credits; a minus before all of them is the program's way to write them."""
    numbers = [value for value in column.values if value]
    if not numbers or any(number > 0 for number in numbers):
        return column
    return replace(column, values=[value if value is None else abs(value) for value in column.values])


def _in_major_units(table: _StatementTable, column: _TableAmounts) -> _TableAmounts:
    """Return amounts of lines in pence or cents in the currency itself, blank ones as all others are."""
    cells = table.cells("currency")
    stated = {major_unit(cell) for cell in cells if cell}
    minor = [major_unit(cell) is not None or (not cell and None not in stated) for cell in cells]
    if not any(stated):
        return column
    pairs = zip(column.values, minor, strict=True)
    return replace(
        column,
        values=[in_major_unit(value) if divided and value is not None else value for value, divided in pairs],
    )


def _problem(
    amounts: Mapping[str, _TableAmounts], position: int, day: date | None, day_problem: str | None
) -> str | None:
    """Return the reason why the amount or the date of a line cannot be read; None if both can."""
    for column in ("amount", "debit", "credit"):
        if problem := amounts[column].problems.get(position):
            return problem
    if all(amounts[column].values[position] is None for column in ("amount", "debit", "credit")):
        return "no amount"
    if day_problem == "ambiguous":
        return "the date can be read with the day or the month first; say --dates"
    return None if day is not None else f"{day_problem or 'no'} date"


def _currency_problem(change: Decimal | None, code: str | None) -> str | None:
    if code is None:
        return "no currency; name it with --currency"
    if change is not None and change != round(change, minor_units(code)):
        return f"more decimals than {code} has"
    return None


def _currencies(
    table: _StatementTable, amounts: Mapping[str, _TableAmounts], given: str | None
) -> list[str | None]:
    """Return the currency of each line: of its column, its symbol, the header, or the given one.

    A hundredth, such as `GBp`, is not the currency that it looks like in upper case.
    """
    cells = [text if major_unit(text) else text.upper() for text in table.cells("currency")]
    in_header = {
        code
        for name in ("amount", "debit", "credit")
        for code in _CODE.findall(table.shown_header.get(name, ""))
        if code in currency_codes()
    }
    fallback = next(iter(in_header)) if len(in_header) == 1 else given
    found: list[str | None] = []
    for position, cell in enumerate(cells):
        symbols = [amounts[name].symbols[position] for name in ("amount", "debit", "credit")]
        meanings = {code for symbol in symbols if symbol for code in currencies_of(symbol)}
        if (major := major_unit(cell)) is not None:
            found.append(None if meanings else major)
        elif cell in currency_codes():
            found.append(cell)
        elif cell:
            found.append(None)
        elif len(meanings) == 1:
            found.append(next(iter(meanings)))
        else:
            found.append(fallback if fallback in meanings or not meanings else None)
    return found
