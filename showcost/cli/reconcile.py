"""`showcost reconcile`: a bank's or a vendor's statement against the documents of the ledger."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, resolve_as_of
from showcost.cli.output import CommandResult, plural, prints_result, say, show_table
from showcost.cli.selection import optional_text
from showcost.core.errors import InputError
from showcost.core.money import currency_codes, readable_amount
from showcost.core.once import write_once
from showcost.core.visible_text import visible_line
from showcost.readers.statements.model import StatementFormat, TableHints
from showcost.reports.statements import StatementOptions, reconcile_statement
from showcost.reports.statements.matching import MatchStatus
from showcost.reports.statements.report import DEFAULT_DAYS
from showcost.reports.writers.flat import TableFormat, write_report_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.reports.statements import StatementReport
    from showcost.reports.tables import ReportTable

_SHOWN: Final = 30
_DATE_ORDERS: Final = {"day-first": True, "month-first": False}


@click.command()
@click.option(
    "--statement",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The statement: camt.053 or MT940 of a bank, or a table (CSV or workbook) of a vendor or a bank.",
)
@click.option(
    "--format",
    "format_",
    default=StatementFormat.AUTO.value,
    type=click.Choice([value.value for value in StatementFormat]),
    help="Format of the file. [default: as its bytes show]",
)
@click.option("--vendor", help="Only documents of this vendor, by its code.")
@click.option("--account", help="Only documents on this payable account.")
@click.option("--currency", help="Currency of a table that does not name one.")
@click.option(
    "--dates",
    type=click.Choice(list(_DATE_ORDERS)),
    help="Order of day and month in a table whose dates do not tell.",
)
@click.option(
    "--days",
    default=DEFAULT_DAYS,
    show_default=True,
    type=click.IntRange(0, 366),
    help="Tolerance of dates, in days.",
)
@click.option("--bank", is_flag=True, help="The table is a bank's: money out is negative.")
@click.option("--inverted", is_flag=True, help="In the vendor's table, debits are payments.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write the tables here as CSV.")
@as_of_option
@prints_result
def reconcile(file: Path, out: Path | None, as_of: str | None, **options: object) -> CommandResult:
    """Compare a statement with the ledger, both ways. Nothing in the data folder changes.

    Exit status 1: a line could not be read, or settles no document, or the balances do not add up. Documents
    that are not on the statement are listed, and do not count: an invoice may be unpaid.
    """
    workspace = open_home()
    chosen = _options(file, options)
    _check_folder(out, workspace.path)
    as_of_seq = resolve_as_of(workspace, as_of)
    workspace.ledger.require()
    report = reconcile_statement(workspace, chosen, as_of_seq)
    if out is not None:
        write_once(
            out,
            lambda folder: _write_tables(report, folder),
            f"{out} is not empty; name a new folder for the reconciliation",
        )
    return CommandResult(_facts(report, file, out), lambda: _show(report, out), int(not report.is_reconciled))


def _options(file: Path, given: Mapping[str, object]) -> StatementOptions:
    currency = optional_text(given["currency"])
    if currency is not None and currency not in currency_codes():
        raise InputError(f"--currency {currency}: expected an ISO 4217 code such as EUR")
    return StatementOptions(
        file=file,
        format=StatementFormat(str(given["format_"])),
        vendor=optional_text(given["vendor"]),
        account=optional_text(given["account"]),
        hints=TableHints(currency, bool(given["bank"]), _DATE_ORDERS.get(str(given["dates"]))),
        days=int(str(given["days"])),
        is_inverted=bool(given["inverted"]),
    )


def _write_tables(report: StatementReport, folder: Path) -> None:
    folder.mkdir()
    write_report_tables([report.balances, report.lines], folder, TableFormat.CSV)


def _check_folder(out: Path | None, home: Path) -> None:
    if out is not None and out.resolve().is_relative_to(home):
        raise InputError(f"--out {out}: name a folder outside the data folder")


def _facts(report: StatementReport, file: Path, out: Path | None) -> dict[str, object]:
    return {
        "statement": str(file),
        "format": report.format.value,
        "reconciled": report.is_reconciled,
        "counts": report.counts,
        "balances": report.balances.rows.to_pylist(),
        "lines": report.lines.rows.to_pylist(),
        "notes": list(report.lines.notes),
        "out": out,
    }


def _show(report: StatementReport, out: Path | None) -> None:
    _show_rows("Balances", report.balances, report.balances.rows.to_pylist(), _BALANCE_SHOWN)
    show_table("Lines and documents", ["outcome", "count"], list(report.counts.items()))
    rows = report.lines.rows.to_pylist()
    for status, names in _SHOWN_BY_STATUS.items():
        of_status = [row for row in rows if row["status"] == status.value]
        if of_status:
            _show_rows(status.value.capitalize(), report.lines, of_status[:_SHOWN], names)
        if len(of_status) > _SHOWN:
            say(f"{len(of_status) - _SHOWN} more; use --out or --json for all of them.")
    for note in report.lines.notes:
        say(visible_line(note))
    lines = plural(sum(len(statement.lines) for statement in report.statements), "line")
    say(f"{lines}: " + ("reconciled." if report.is_reconciled else "NOT reconciled, see above."))
    if out is not None:
        say(f"Written to {out}")


_BALANCE_SHOWN: Final = (
    *("statement", "first", "last", "currency", "lines", "unreadable", "opening", "movement", "closing"),
    "check",
)
_LINE_SHOWN: Final = ("place", "dated", "text", "currency", "amount", "reason")
_PAIR_SHOWN: Final = (
    *("place", "dated", "currency", "amount", "vendor_code", "document", "payable", "left_open", "reason"),
)
_SHOWN_BY_STATUS: Final = {
    MatchStatus.DIFFERS: _PAIR_SHOWN,
    MatchStatus.AMBIGUOUS: _LINE_SHOWN,
    MatchStatus.STATEMENT_ONLY: _LINE_SHOWN,
    MatchStatus.LEDGER_ONLY: (
        *("vendor_code", "vendor_name", "document", "document_date", "due_date", "currency", "payable"),
    ),
    MatchStatus.PARTIAL: _PAIR_SHOWN,
}
"""The columns that are printed of each outcome that needs work."""


def _show_rows(
    title: str, table: ReportTable, rows: Sequence[Mapping[str, object]], names: Sequence[str]
) -> None:
    titles = [table.by_name[name].title for name in names]
    show_table(title, titles, [[_shown(row[name]) for name in names] for row in rows])


def _shown(cell: object) -> object:
    """Return a cell for a terminal: amounts readable, and no hidden character that would act on it."""
    if isinstance(cell, str):
        return visible_line(cell)
    return readable_amount(cell) if isinstance(cell, Decimal) else cell
