"""Matching of statement lines with documents: one to one, in a fixed order, and nothing guessed.

1. A line that names one document settles it, if the amounts agree; several lines may settle it in parts.
2. A line that names several documents settles them, if they add up to it.
3. A line that names none is matched by amount and date, if exactly one document fits it and it alone.

Whatever fits in two ways is ambiguous and is listed with its candidates.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from showcost.reports.statements.documents import LedgerDocument, normal_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from showcost.readers.statements.model import StatementLine

_NOTHING: Final = Decimal(0)
_SEPARATOR: Final = re.compile(r"[\s,;:|]+")
_WITHIN: Final = re.compile(r"[/+&]")
_MOST_JOINED: Final = 3
"""Words of a text that one document number may consist of."""
_SHOWN: Final = 5
_PAYMENT_REASON: Final = "the ledger has documents and no payments"


class MatchStatus(StrEnum):
    """The outcome of a statement line, or of a document of the ledger."""

    MATCHED = "matched"
    PARTIAL = "paid in part"
    DIFFERS = "amount differs"
    AMBIGUOUS = "ambiguous"
    PAYMENT = "payment, for the bank's statement"
    STATEMENT_ONLY = "not in the ledger"
    LEDGER_ONLY = "not on the statement"


@dataclass(frozen=True)
class MatchResult:
    """A line with the document that it settles, or one of the two alone.

    `amount` is the part of the line that goes to the document. `basis` says by what they were matched.
    """

    status: MatchStatus
    basis: str
    line: StatementLine | None
    document: LedgerDocument | None
    amount: Decimal | None
    reason: str = ""


@dataclass
class _Board:
    """The state of a matching: results so far, and what is still open of each document."""

    days: int
    allows_parts: bool
    results: list[MatchResult] = field(default_factory=list)
    open: dict[LedgerDocument, Decimal] = field(default_factory=dict)
    doubtful: set[LedgerDocument] = field(default_factory=set)

    def settle(
        self,
        line: StatementLine,
        document: LedgerDocument,
        amount: Decimal,
        basis: str,
        status: MatchStatus = MatchStatus.MATCHED,
        reason: str = "",
    ) -> None:
        """Record that a line settles a document, in whole or in part."""
        is_near = document.is_near(line.dated, self.days)
        if not is_near:
            reason = "; ".join(
                [*([reason] if reason else []), f"the date is more than {self.days} days away"]
            )
        self.open[document] -= amount
        self.results.append(
            MatchResult(status, f"{basis} and date" if is_near else basis, line, document, amount, reason)
        )

    def differ(self, line: StatementLine, document: LedgerDocument, reason: str) -> None:
        """Record that a line names a document, but does not settle it."""
        self.doubtful.add(document)
        self.results.append(MatchResult(MatchStatus.DIFFERS, "document", line, document, line.owed, reason))

    def doubt(self, line: StatementLine, candidates: Iterable[LedgerDocument], reason: str) -> None:
        """Record that a line fits in more than one way."""
        listed = sorted(candidates, key=_place)
        self.doubtful.update(listed)
        self.results.append(
            MatchResult(MatchStatus.AMBIGUOUS, "", line, None, line.owed, f"{reason}: {_names(listed)}")
        )


@dataclass(frozen=True)
class MatchOutcome:
    """The results of all lines, in order, and the documents that neither a line nor a doubt is about."""

    results: tuple[MatchResult, ...]
    unsettled: tuple[LedgerDocument, ...]


def match(
    lines: Sequence[StatementLine],
    documents: Sequence[LedgerDocument],
    days: int,
    *,
    allows_parts: bool,
) -> MatchOutcome:
    """Return a result per line and document that settle each other, and per line that settles none.

    `days` is the tolerance of dates. A bank's line may pay a document in part (`allows_parts`); a vendor's
    line has to have the whole amount.
    """
    board = _Board(days, allows_parts, open={document: document.owed for document in documents})
    names = _NamedDocuments.of(lines, documents)
    named: dict[LedgerDocument, list[StatementLine]] = defaultdict(list)
    several: list[tuple[StatementLine, list[LedgerDocument]]] = []
    unnamed: list[StatementLine] = []
    for line in lines:
        found, doubtful = names.in_line(line)
        if line.is_payment and line.owed < 0:
            board.results.append(MatchResult(MatchStatus.PAYMENT, "", line, None, line.owed, _PAYMENT_REASON))
        elif doubtful:
            board.doubt(line, doubtful, "the number is that of several documents")
        elif len(found) > 1:
            several.append((line, found))
        elif found:
            named[found[0]].append(line)
        else:
            unnamed.append(line)
    for document, its_lines in named.items():
        _settle_one(board, document, its_lines)
    for line, its_documents in several:
        _settle_several(board, line, its_documents)
    _settle_by_amount(board, unnamed)
    concerned = board.doubtful | {result.document for result in board.results}
    return MatchOutcome(
        tuple(sorted(board.results, key=_result_place)),
        tuple(document for document in documents if document not in concerned),
    )


def still_open(results: Iterable[MatchResult]) -> dict[LedgerDocument, Decimal]:
    """Return what the lines leave open of each document that they settle in whole or in part."""
    left: dict[LedgerDocument, Decimal] = {}
    for result in results:
        if result.document is not None and result.status in {MatchStatus.MATCHED, MatchStatus.PARTIAL}:
            before = left.get(result.document, result.document.owed)
            left[result.document] = before - (result.amount or _NOTHING)
    return left


# --- names ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _NamedDocuments:
    """The documents by number, and the normal form of every text that may be a number, found at once."""

    by_number: Mapping[str, list[LedgerDocument]]
    normal: Mapping[str, str]

    @classmethod
    def of(cls, lines: Iterable[StatementLine], documents: Iterable[LedgerDocument]) -> _NamedDocuments:
        """Prepare the search for documents in lines."""
        by_number: dict[str, list[LedgerDocument]] = defaultdict(list)
        for document in documents:
            if document.number:
                by_number[document.number].append(document)
        texts = sorted({text for line in lines for text in _possible_numbers(line)})
        return cls(dict(by_number), dict(zip(texts, normal_texts(texts, numbers=True), strict=True)))

    def in_line(self, line: StatementLine) -> tuple[list[LedgerDocument], list[LedgerDocument]]:
        """Return the documents that a line names, and those of a number that is of several documents."""
        whole = [self.normal[text] for text in line.references if self.normal[text] in self.by_number]
        numbers = whole or [
            number
            for number in self._in_texts(line.references or line.texts)
            if any(_is_meant(line, document) for document in self.by_number[number])
        ]
        sure: list[LedgerDocument] = []
        for number in dict.fromkeys(numbers):
            documents = self.by_number[number]
            chosen = _one_vendor(line, [item for item in documents if _has_currency(line, item)] or documents)
            if len(chosen) > 1:
                return [], chosen
            sure += chosen
        return list(dict.fromkeys(sure)), []

    def _in_texts(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield the document numbers in free text, in its order; the longest sequence of words counts."""
        for text in texts:
            words = _words(text)
            position = 0
            while position < len(words):
                length, numbers = self._at(words, position)
                yield from numbers
                position += length

    def _at(self, words: Sequence[str], position: int) -> tuple[int, list[str]]:
        """Return the words that are taken at a position, and the document numbers in them."""
        for length in range(min(_MOST_JOINED, len(words) - position), 0, -1):
            for text in _joined(words, position, length):
                if (number := self.normal[text]) in self.by_number:
                    return length, [number]
        parts = [self.normal[part] for part in _WITHIN.split(words[position])]
        return 1, [part for part in parts if part in self.by_number]


def _possible_numbers(line: StatementLine) -> Iterator[str]:
    """Yield every text of a line that may be a document number."""
    yield from line.references
    for text in (*line.references, *line.texts):
        words = _words(text)
        for position, word in enumerate(words):
            yield from _WITHIN.split(word)
            for length in range(1, min(_MOST_JOINED, len(words) - position) + 1):
                yield from _joined(words, position, length)


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATOR.split(text) if word]


def _joined(words: Sequence[str], position: int, length: int) -> tuple[str, str]:
    """Return some words as one, as written and without brackets and stops around them."""
    joined = "".join(words[position : position + length])
    return joined, joined.strip("().#*'\"")


def _is_meant(line: StatementLine, document: LedgerDocument) -> bool:
    """Return whether a text that has a document's number names it, and does not have it by chance."""
    if not document.is_common or _fits(line, document):
        return True
    vendor = _folded(document.vendor_name)
    return bool(vendor) and any(f" {vendor} " in f" {_folded(text)} " for text in (line.party, *line.texts))


def _one_vendor(line: StatementLine, documents: list[LedgerDocument]) -> list[LedgerDocument]:
    """Narrow documents of one number: by the name of the other party, then by the amount."""
    if len(documents) > 1 and line.party:
        documents = _of_party(line, documents) or documents
    if len(documents) > 1:
        documents = [document for document in documents if _fits(line, document)] or documents
    return documents


def _of_party(line: StatementLine, documents: Iterable[LedgerDocument]) -> list[LedgerDocument]:
    party = _folded(line.party)
    return [document for document in documents if _folded(document.vendor_name) == party]


def _folded(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.casefold()))


def _has_currency(line: StatementLine, document: LedgerDocument) -> bool:
    return any(currency == document.currency for currency, _ in line.amounts)


def _amount_for(line: StatementLine, document: LedgerDocument) -> Decimal | None:
    """Return the amount of a line in the currency of a document; None without one."""
    return next((amount for currency, amount in line.amounts if currency == document.currency), None)


def _fits(line: StatementLine, document: LedgerDocument) -> bool:
    return _amount_for(line, document) == document.owed


# --- settling ------------------------------------------------------------------------------------------


def _settle_one(board: _Board, document: LedgerDocument, lines: Sequence[StatementLine]) -> None:
    """Settle a document by the lines that name it alone."""
    paying: list[tuple[StatementLine, Decimal]] = []
    for line in lines:
        amount = _amount_for(line, document)
        if amount is None:
            board.differ(line, document, f"the document is in {document.currency}")
        else:
            paying.append((line, amount))
    total = sum((amount for _, amount in paying), _NOTHING)
    if total == document.owed:
        basis = "document, amount" if len(paying) == 1 else f"document, amount of {len(paying)} lines"
        for line, amount in paying:
            board.settle(line, document, amount, basis)
    elif any(amount == document.owed for _, amount in paying):
        _settle_whole(board, document, paying)
    elif board.allows_parts and _are_parts([total, *(amount for _, amount in paying)], document.owed):
        for line, amount in paying:
            board.settle(line, document, amount, "document", MatchStatus.PARTIAL)
    else:
        for line, _ in paying:
            board.differ(line, document, _difference(total, document.owed, document.currency))


def _settle_whole(
    board: _Board, document: LedgerDocument, paying: Sequence[tuple[StatementLine, Decimal]]
) -> None:
    """Settle a document by the one line that has its amount; several such lines are ambiguous."""
    whole = [line for line, amount in paying if amount == document.owed]
    if len(whole) == 1:
        board.settle(whole[0], document, document.owed, "document, amount")
    for line, amount in paying:
        if amount != document.owed:
            board.differ(line, document, f"the document is settled in full by {whole[0].place}")
        elif len(whole) > 1:
            board.doubt(line, [document], f"{len(whole)} lines settle the document in full; paid twice?")


def _are_parts(amounts: Iterable[Decimal], whole: Decimal) -> bool:
    return all(amount * whole > 0 and abs(amount) < abs(whole) for amount in amounts)


def _difference(amount: Decimal, owed: Decimal, currency: str) -> str:
    if amount == -owed:
        return "the amount has the opposite sign"
    more = "more" if amount > owed else "less"
    return f"{abs(amount - owed):,.2f} {currency} {more} than the ledger"


def _settle_several(board: _Board, line: StatementLine, documents: list[LedgerDocument]) -> None:
    """Settle the documents that a line names together, if what is open of them adds up to it."""
    currencies = {document.currency for document in documents}
    amount = _amount_for(line, documents[0]) if len(currencies) == 1 else None
    left = [document for document in documents if board.open[document]]
    total = sum((board.open[document] for document in left), _NOTHING)
    if amount is not None and left and amount == total:
        for document in left:
            board.settle(line, document, board.open[document], f"{len(left)} documents, their sum")
        return
    board.doubtful.update(documents)
    names = _names(documents)
    reason = (
        f"names documents in {' and '.join(sorted(currencies))}: {names}"
        if amount is None
        else f"{names} come to {total:,.2f}"
    )
    board.results.append(
        MatchResult(MatchStatus.DIFFERS, f"{len(documents)} documents", line, None, line.owed, reason)
    )


def _settle_by_amount(board: _Board, lines: Iterable[StatementLine]) -> None:
    """Match the lines that name no document, where line and document have only each other."""
    by_amount: dict[tuple[str, Decimal], list[LedgerDocument]] = defaultdict(list)
    for document, amount in board.open.items():
        if amount == document.owed and document not in board.doubtful:
            by_amount[document.currency, amount].append(document)
    candidates: list[tuple[StatementLine, list[LedgerDocument]]] = []
    wanted: dict[LedgerDocument, int] = defaultdict(int)
    for line in lines:
        fitting = [document for amount in line.amounts for document in by_amount.get(amount, ())]
        near = [document for document in fitting if document.is_near(line.dated, board.days)]
        if line.references:
            board.results.append(_unknown(line, near))
            continue
        near = _of_party(line, near) or near
        candidates.append((line, near))
        for document in near:
            wanted[document] += 1
    for line, near in candidates:
        if not near:
            board.results.append(_unknown(line, []))
        elif len(near) == 1 and wanted[near[0]] == 1:
            board.settle(line, near[0], near[0].owed, "amount")
        else:
            rivals = max(wanted[document] for document in near)
            reason = f"{len(near)} documents and {rivals} lines have this amount"
            board.doubt(line, near, reason)


def _unknown(line: StatementLine, same_amount: Sequence[LedgerDocument]) -> MatchResult:
    reason = "no such document" if line.references else "no document of this amount near the date"
    if line.references and same_amount:
        reason = f"{reason}; the same amount has {_names(same_amount)}"
    return MatchResult(MatchStatus.STATEMENT_ONLY, "", line, None, line.owed, reason)


def _names(documents: Sequence[LedgerDocument]) -> str:
    names = [f"{document.shown_number} of {document.vendor_code}" for document in documents[:_SHOWN]]
    more = f" and {len(documents) - _SHOWN} more" if len(documents) > _SHOWN else ""
    return ", ".join(names) + more


def _place(document: LedgerDocument) -> tuple[str, str, str]:
    return document.vendor_code, document.number, document.document_id


def _result_place(result: MatchResult) -> tuple[int, tuple[str, str, str]]:
    number = result.line.number if result.line is not None else 0
    return number, _place(result.document) if result.document is not None else ("", "", "")
