"""The reconciliation of a statement file with the ledger, as report tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.errors import InputError
from showcost.core.national_ids import masked_text
from showcost.readers.statements.model import AccountStatement, StatementFormat
from showcost.readers.statements.open import NO_TABLE_HINTS, read_statements
from showcost.reports.personal_text import masked_columns
from showcost.reports.statements.documents import LedgerDocument, ledger_documents
from showcost.reports.statements.matching import MatchOutcome, MatchResult, MatchStatus, match, still_open
from showcost.reports.tables import CURRENCY, ColumnType, ReportColumn, ReportTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal
    from pathlib import Path

    from showcost.readers.statements.model import StatementLine, TableHints
    from showcost.reports.tables import Cell
    from showcost.workspace import Workspace

DEFAULT_DAYS: Final = 10
_MONEY: Final = pa.decimal128(38, 4)
_LONGEST_TEXT: Final = 200
_UNRECONCILED: Final = frozenset({MatchStatus.DIFFERS, MatchStatus.AMBIGUOUS, MatchStatus.STATEMENT_ONLY})


@dataclass(frozen=True)
class StatementOptions:
    """Options of a reconciliation: the file, how to read it, and the documents to compare it with.

    `days` is the tolerance of dates, `hints` are for a table, and `is_inverted` for a vendor's table whose
    debits are payments.
    """

    file: Path
    format: StatementFormat = StatementFormat.AUTO
    vendor: str | None = None
    account: str | None = None
    hints: TableHints = NO_TABLE_HINTS
    days: int = DEFAULT_DAYS
    is_inverted: bool = False


@dataclass(frozen=True)
class StatementReport:
    """A reconciliation: the tables, results per status, and whether the whole statement is explained.

    It is reconciled if every line was read and settles a document, in whole or in part, and no balance
    differs. Documents that are not on the statement do not count: an invoice may be unpaid.
    """

    format: StatementFormat
    statements: tuple[AccountStatement, ...]
    outcome: MatchOutcome
    counts: dict[str, int]
    balances: ReportTable
    lines: ReportTable

    @property
    def is_reconciled(self) -> bool:
        """True if nothing of the statement is left to explain."""
        return not any(result.status in _UNRECONCILED for result in self.outcome.results) and not any(
            statement.unreadable or statement.difference for statement in self.statements
        )


def reconcile_statement(
    workspace: Workspace, options: StatementOptions, as_of: int | None = None
) -> StatementReport:
    """Compare a statement with the documents of the ledger, as of an audit record, or now.

    InputError for a file that cannot be read, or a vendor or account that the ledger does not have.
    """
    found, statements = read_statements(options.file, options.format, options.hints)
    is_bank = options.hints.is_bank or found is StatementFormat.CAMT053
    if options.is_inverted and is_bank:
        raise InputError("--inverted is for a vendor's table: a bank's statement says what was paid")
    if options.is_inverted:
        statements = tuple(_inverted(statement) for statement in statements)
    documents = ledger_documents(workspace, options.vendor, options.account, as_of)
    lines = [line for statement in statements for line in statement.lines]
    outcome = match(lines, documents, options.days, allows_parts=is_bank)
    inside = _on_period(outcome.unsettled, statements, by_due_date=is_bank)
    counts = Counter(result.status.value for result in outcome.results)
    counts[MatchStatus.LEDGER_ONLY.value] = len(inside)
    notes = tuple(_notes(statements, options, is_bank, len(outcome.unsettled) - len(inside)))
    base = workspace.production.base_currency
    results = [*outcome.results, *(_ledger_only(document) for document in inside)]
    return StatementReport(
        format=found,
        statements=statements,
        outcome=outcome,
        counts={status.value: counts[status.value] for status in MatchStatus},
        balances=_table(
            "statement_balances", "Statement balances", _BALANCES, _balance_rows(statements), base, notes
        ),
        lines=_table(
            "statement_lines",
            "Statement lines and documents",
            _LINES,
            _line_rows(statements, results),
            base,
            notes,
        ),
    )


def _inverted(statement: AccountStatement) -> AccountStatement:
    """Return a statement with debits for credits; the balances change their sign as well."""
    return replace(
        statement,
        opening=None if statement.opening is None else -statement.opening,
        closing=None if statement.closing is None else -statement.closing,
        movement=-statement.movement,
        lines=tuple(replace(line, owed=-line.owed) for line in statement.lines),
    )


def _on_period(
    documents: Sequence[LedgerDocument], statements: Sequence[AccountStatement], *, by_due_date: bool
) -> list[LedgerDocument]:
    """Return the documents of the period of a statement in their currency."""
    periods = [
        (statement.first, statement.last, {statement.currency} | {line.currency for line in statement.lines})
        for statement in statements
        if statement.first is not None and statement.last is not None
    ]
    return [
        document
        for document in documents
        if any(
            document.currency in currencies and document.is_between(first, last, by_due_date=by_due_date)
            for first, last, currencies in periods
        )
    ]


def _ledger_only(document: LedgerDocument) -> MatchResult:
    return MatchResult(MatchStatus.LEDGER_ONLY, "", None, document, None, "")


def _notes(
    statements: Sequence[AccountStatement], options: StatementOptions, is_bank: bool, outside: int
) -> Iterator[str]:
    dated = "due in" if is_bank else "dated in"
    yield (
        f"Dates agree if the line is at most {options.days} days before the date of the document or after the"
        " date on which it is due."
    )
    yield f"Documents that are not on the statement are those {dated} its period, in its currency."
    if outside:
        yield f"{outside} documents without a line are of another period or currency, and are not listed."
    for statement in statements:
        yield from statement.notes
        yield from (f"not read: {text}" for text in statement.unreadable)
        if statement.difference is None:
            yield f"{statement.name}: the balance was not checked, because the statement does not state both"


# --- tables --------------------------------------------------------------------------------------------

_T: Final = ColumnType


def _column(name: str, title: str, type_: ColumnType, meaning: str) -> ReportColumn:
    return ReportColumn(name, title, type_, meaning)


_BALANCES: Final = (
    _column("statement", "Statement", _T.TEXT, "id of the statement, or name of the file"),
    _column("account", "Account", _T.TEXT, "last digits of the bank account"),
    _column("first", "From", _T.DATE, "first day, as stated or of the first line"),
    _column("last", "To", _T.DATE, "last day, as stated or of the last line"),
    _column("currency", "Currency", _T.TEXT, "currency of the account"),
    _column("lines", "Lines", _T.COUNT, "lines that were read"),
    _column("unreadable", "Not read", _T.COUNT, "lines that could not be read; the notes say why"),
    _column("opening", "Opening balance", _T.ORIGINAL, "as stated; empty if it is not"),
    _column(
        "movement",
        "Sum of lines",
        _T.ORIGINAL,
        "credits less debits of a bank, charges less payments of a vendor",
    ),
    _column("closing", "Closing balance", _T.ORIGINAL, "as stated; empty if it is not"),
    _column("difference", "Difference", _T.ORIGINAL, "opening balance and lines less closing balance"),
    _column("check", "Check", _T.TEXT, "agrees, differs, or not stated"),
)

_LINES: Final = (
    _column("status", "Status", _T.TEXT, "outcome of the line or document"),
    _column("statement", "Statement", _T.TEXT, "statement of the line"),
    _column("place", "Line", _T.TEXT, "entry and detail, or record, of the line"),
    _column("dated", "Date", _T.DATE, "booking date, or date of the vendor's document"),
    _column("text", "Text", _T.TEXT, "references and text of the line; identifiers are masked"),
    _column("currency", "Currency", _T.TEXT, "currency of the amounts"),
    ReportColumn(
        "amount",
        "Amount",
        _T.ORIGINAL,
        "what the line settles of the document: paid or charged is positive, received or credited negative",
        is_summed=True,
    ),
    _column("vendor_code", "Vendor", _T.TEXT, "vendor of the document"),
    _column("vendor_name", "Name", _T.TEXT, "its name"),
    _column("document", "Document", _T.TEXT, "number of the document, as delivered"),
    _column("document_date", "Document date", _T.DATE, "last transaction date of the document"),
    _column("due_date", "Due", _T.DATE, "date on which it is due"),
    _column("payable", "Payable", _T.ORIGINAL, "what is payable for the whole document, as in the journal"),
    _column("left_open", "Left open", _T.ORIGINAL, "payable less all lines that settle the document"),
    _column("basis", "Matched by", _T.TEXT, "document, amount, date"),
    _column("reason", "Reason", _T.TEXT, "the outcome in words"),
)


def _table(
    name: str,
    title: str,
    columns: tuple[ReportColumn, ...],
    rows: Sequence[dict[str, Cell]],
    currency: str,
    notes: tuple[str, ...],
) -> ReportTable:
    types = {_T.TEXT: pa.string(), _T.DATE: pa.date32(), _T.COUNT: pa.int64(), _T.ORIGINAL: _MONEY}
    table = pa.table(
        {column.name: pa.array([row[column.name] for row in rows], types[column.type]) for column in columns}
    )
    return ReportTable(name, title, columns, masked_columns(table), currency, notes=notes)


def _balance_rows(statements: Sequence[AccountStatement]) -> list[dict[str, Cell]]:
    return [
        {
            "statement": statement.name,
            "account": _last_digits(statement.account),
            "first": statement.first,
            "last": statement.last,
            CURRENCY: statement.currency,
            "lines": len(statement.lines),
            "unreadable": len(statement.unreadable),
            "opening": statement.opening,
            "movement": statement.movement,
            "closing": statement.closing,
            "difference": statement.difference,
            "check": balance_check(statement),
        }
        for statement in statements
    ]


def balance_check(statement: AccountStatement) -> str:
    """Return the outcome of the check of a statement's balances."""
    if statement.difference is None:
        return "not stated"
    return "differs" if statement.difference else "agrees"


def _last_digits(account: str) -> str:
    """Return the end of an account number: enough to tell accounts apart, too little to misuse."""
    return f"…{account[-4:]}" if account else ""


def _line_rows(
    statements: Sequence[AccountStatement], results: Sequence[MatchResult]
) -> list[dict[str, Cell]]:
    names = {line.number: statement.name for statement in statements for line in statement.lines}
    left = still_open(results)
    return [_cells(result, names, left) for result in results]


def _cells(
    result: MatchResult, names: dict[int, str], left: dict[LedgerDocument, Decimal]
) -> dict[str, Cell]:
    line, document = result.line, result.document
    settles = result.status in {MatchStatus.MATCHED, MatchStatus.PARTIAL}
    currency = document.currency if document and (settles or line is None) else line.currency if line else ""
    return {
        "status": result.status.value,
        "statement": names[line.number] if line else None,
        "place": line.place if line else None,
        "dated": line.dated if line else None,
        "text": shown_text(line) if line else None,
        CURRENCY: currency,
        "amount": result.amount,
        "vendor_code": document.vendor_code if document else None,
        "vendor_name": document.vendor_name if document else None,
        "document": document.shown_number if document else None,
        "document_date": document.last_date if document else None,
        "due_date": document.due_date if document else None,
        "payable": document.owed if document else None,
        "left_open": left.get(document, document.owed) if document else None,
        "basis": result.basis,
        "reason": result.reason,
    }


def shown_text(line: StatementLine) -> str:
    """Return the references and texts of a line, identifiers masked; never the other party's name."""
    text = " | ".join(dict.fromkeys([*line.references, *line.texts]))
    text = masked_text(text, names_person=True)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
