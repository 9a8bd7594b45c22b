"""`showcost report`: the cost report of a period, on the terminal or as a pack of files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from showcost.cli.home import open_home
from showcost.cli.options import as_of_option, check_target, resolve_as_of
from showcost.cli.output import CommandResult, plural, prints_result, say, show_table
from showcost.core.errors import InputError
from showcost.core.visible_text import visible_line
from showcost.reports.cost.basis import report_basis
from showcost.reports.cost.report import make_cost_report, write_report
from showcost.reports.incentives.qualified_spend import SPEND_TOTALS
from showcost.reports.pack.manifest import CSV_FOLDER
from showcost.reports.tables import CURRENCY, DETAIL, NOT_IN_TOTALS, TOTAL, ColumnType, lines
from showcost.reports.writers.figures import figure_text, shown_figure
from showcost.validation.decisions import DISCARDED

if TYPE_CHECKING:
    from showcost.reports.cost.report import CostReport
    from showcost.reports.tables import Cell, Line, ReportColumn, ReportTable


@click.command()
@click.option("--period", help="Reporting period: its name, or a date in it. [default: the last one]")
@click.option("--currency", help="Currency of the report. [default: the base currency]")
@click.option("--accounts", is_flag=True, help="Show every account, not only the sections.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="New folder for the report as a sealed pack: workbook, CSV, Parquet, manifest.",
)
@click.option("--table", "name", metavar="NAME", help="Show only this table, such as hot_costs.")
@as_of_option
@prints_result
def report(
    period: str | None,
    currency: str | None,
    out: Path | None,
    as_of: str | None,
    name: str | None,
    *,
    accounts: bool,
) -> CommandResult:
    """Show cost, commitments, ETC, EFC and variance per section or account, or write them to files."""
    workspace = open_home()
    if out is not None:
        check_target(workspace, out)
    as_of_seq = resolve_as_of(workspace, as_of)
    basis = report_basis(workspace, period, currency, as_of_seq)
    made, pack = (
        (make_cost_report(workspace, basis), None) if out is None else write_report(workspace, basis, out)
    )
    if name is not None and name not in made.tables:
        raise InputError(f"the report has no table {name!r}; its tables: {', '.join(made.tables)}")
    facts = {
        "period": {"name": basis.period.name, "from": basis.period.start, "to": basis.period.end},
        "currency": basis.currency,
        "as_of": as_of_seq,
        "headline": made.headline,
        "tables": {
            name: table.rows.to_pylist() for name, table in made.tables.items() if not _is_detail(name)
        },
        "details": {
            name: {
                "rows": table.rows.num_rows,
                "file": None if pack is None else pack.folder.joinpath(CSV_FOLDER, f"{name}.csv"),
            }
            for name, table in made.tables.items()
            if _is_detail(name)
        },
        "notes": {name: table.notes for name, table in made.tables.items()},
        "warnings": made.warnings,
    }
    if pack is not None:
        facts["pack"] = {"folder": pack.folder, "sha256": pack.sha256, "as_of": pack.scope.as_of}

    def show() -> None:
        if name is None:
            _show(made, accounts=accounts)
        else:
            _show_whole(made.tables[name])
        if pack is not None:
            say(f"Written to {pack.folder}; its manifest has the sha256 {pack.sha256}.")

    return CommandResult(facts, show)


def _is_detail(name: str) -> bool:
    """Return whether a table has a line per entry: its rows are in the pack, `--json` has their number.

    Of qualified spend the first table has the totals of every programme.
    """
    return name == "entries" or name.startswith(f"{SPEND_TOTALS}_")


_SHOWN: Final = (
    *("cost_period", "cost_to_date", "commitments", "total_cost", "etc", "efc", "budget_revised"),
    "variance",
)


def _show(made: CostReport, *, accounts: bool) -> None:
    table = made.tables["cost_report"]
    titles = [column.title for column in table.columns if column.name in _SHOWN]
    rows = [
        (*_label(line), *(_amount(line.cells[name], table.currency) for name in _SHOWN))
        for line in lines(table)
        if accounts or line.level != DETAIL
    ]
    show_table(f"{table.title}, in {table.currency}", ["account", "description", *titles], rows)
    bridge = made.tables["bridge"]
    show_table(
        bridge.title,
        ["line", "account", bridge.currency],
        [
            (row["line"], row["account"], _amount(row["amount"], bridge.currency))
            for row in bridge.rows.to_pylist()
        ],
    )
    for note in bridge.notes:
        if note.startswith(NOT_IN_TOTALS):
            say(note)
    _say_fx_variance(made.tables["fx_variance"])
    _say_not_posted(made.tables["not_posted"])
    for note in (*table.notes, *made.warnings):
        say(note)


_KINDS: Final = {TOTAL: "Total", DETAIL: ""}


def _show_whole(table: ReportTable) -> None:
    """Show every line of a table, with its notes."""
    rows = [
        [_KINDS.get(line.level, "subtotal"), *(_cell(table, line, column) for column in table.columns)]
        for line in lines(table)
    ]
    titles = ["", *(column.title for column in table.columns)]
    show_table(f"{table.title}, in {table.currency}", titles, rows)
    if not rows:
        say("No rows.")
    for note in table.notes:
        say(note)


def _cell(table: ReportTable, line: Line, column: ReportColumn) -> str:
    value = line.cells.get(column.name)
    if value is None or isinstance(value, str):
        return visible_line(value or "")
    if isinstance(value, date):
        return value.isoformat()
    own = line.cells.get(CURRENCY) if column.type is ColumnType.ORIGINAL else None
    return shown_figure(value, column.type, str(own or table.currency_of(column)))


def _label(line: Line) -> tuple[str, str]:
    """Return account and description of a line."""
    if line.level == DETAIL:
        return str(line.cells["account"]), str(line.cells["name"])
    return ("", "Total") if line.level == TOTAL else ("", str(line.cells["section"]))


def _amount(value: Cell, currency: str) -> str:
    return figure_text(value, currency) if isinstance(value, Decimal) else ""


def _say_fx_variance(table: ReportTable) -> None:
    subtotals = [line for line in lines(table) if line.level != DETAIL]
    show_table(
        f"{table.title}, in {table.currency}",
        ["currency", "at budget rate", "as posted", "FX variance"],
        [
            (
                "Total" if line.level == TOTAL else line.cells["currency"],
                *(
                    _amount(line.cells[name], table.currency)
                    for name in ("at_budget_rate", "base_amount", "fx_variance")
                ),
            )
            for line in subtotals
        ],
    )
    for note in table.notes:
        say(note)


def _say_not_posted(table: ReportTable) -> None:
    waiting = sum(row["rows"] or 0 for row in table.rows.to_pylist() if row["state"] != DISCARDED)
    if waiting:
        say(f"{plural(waiting, 'delivered row')} not posted and in no total: see `showcost status`.")
