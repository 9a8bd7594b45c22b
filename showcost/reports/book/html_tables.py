"""Report tables as HTML: groups that open and close, figures with links to their entries."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from showcost.core.national_ids import masked_text
from showcost.core.visible_text import visible
from showcost.reports.book.links import ACCOUNT, ROW, linked_column
from showcost.reports.tables import CURRENCY, DETAIL, TOTAL, ColumnType, Line, lines, totals
from showcost.reports.writers.figures import shown_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.reports.book.links import EntryLinks
    from showcost.reports.tables import Cell, HeadlineFigure, ReportColumn, ReportTable

MOST_ROWS = 2_000
"""Tables with more rows are shown in pages by the script; the page has their total."""


_MOST_COLUMNS = 8
"""Tables with more columns are set smaller."""

_MOST_OPEN = 150
"""Tables with more rows open with their groups closed."""


def text_html(text: object) -> str:
    """Return a text for HTML: escaped, hidden characters shown, national identifiers masked."""
    return escape(visible(masked_text(str(text))))


def sentence_html(text: str) -> str:
    """Return a text for HTML with a capital at its beginning."""
    return text_html(text[:1].upper() + text[1:])


def table_html(table: ReportTable, links: EntryLinks) -> str:
    """Return the section of a table."""
    name = escape(table.name)
    parts = [
        f'<section id="table-{name}" aria-labelledby="table-{name}-title"{_group_of(table)}>',
        f'<h2 id="table-{name}-title">{text_html(table.title)}</h2>',
        f'<p class="facts">{_facts(table, links.base)}</p>',
        _notes(table),
        *(_long(table) if table.rows.num_rows > MOST_ROWS else _short(table, links)),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _group_of(table: ReportTable) -> str:
    """Return the title of the column that the lines of groups state, for a page of some of the lines."""
    if not table.group_by or table.rows.num_rows > MOST_ROWS:
        return ""
    return f' data-group="{text_html(table.by_name[table.group_by[0]].title)}"'


def headline_html(figures: Sequence[HeadlineFigure]) -> str:
    """Return the headline figures, each with its meaning and a link to the table whose total it is."""
    return "\n".join(
        f'<div><dt>{text_html(figure.title)}</dt><dd><span class="value{_sign_class(figure.value)}">'
        f'{_headline_value(figure)}</span> <span class="unit">'
        f"{escape(figure.currency)}</span></dd>"
        f'<dd class="meaning">{sentence_html(figure.meaning)}</dd></div>'
        for figure in figures
    )


def _headline_value(figure: HeadlineFigure) -> str:
    shown = shown_figure(figure.value, figure.type, figure.currency)
    return f'<a href="#table-{escape(figure.table)}">{shown}</a>' if figure.table else shown


def definitions_html(tables: Sequence[ReportTable]) -> str:
    """Return the meaning of every column."""
    parts = []
    for table in tables:
        rows = "\n".join(
            f'<tr id="{_definition_id(table, column)}"><th scope="row">{text_html(column.title)}</th>'
            f"<td>{sentence_html(column.meaning)}{_formula(table, column)}</td></tr>"
            for column in table.columns
        )
        parts.append(
            f"<h3>{text_html(table.title)}</h3>\n"
            f'<table><thead><tr><th scope="col">Column</th><th scope="col">Meaning</th></tr></thead>'
            f"<tbody>\n{rows}\n</tbody></table>"
        )
    return "\n".join(parts)


def _formula(table: ReportTable, column: ReportColumn) -> str:
    terms = " ".join(
        f"{'-' if sign < 0 else '+'} {text_html(table.by_name[name].title)}" for sign, name in column.terms
    )
    return f" <span class='quiet'>({terms.removeprefix('+ ')})</span>" if terms else ""


def _definition_id(table: ReportTable, column: ReportColumn) -> str:
    return escape(f"def-{table.name}-{column.name}")


def _facts(table: ReportTable, base: str) -> str:
    rows = f"{table.rows.num_rows:,} rows" if table.rows.num_rows != 1 else "1 row"
    translated = (
        f" Entries are shown in their currency, in {escape(base)} and in {escape(table.currency)}."
        if table.currency != base
        else ""
    )
    return f"Amounts in {escape(table.currency)}. {rows}.{translated}"


def _notes(table: ReportTable) -> str:
    if not table.notes:
        return ""
    return '<ul class="notes">' + "".join(f"<li>{text_html(note)}</li>" for note in table.notes) + "</ul>"


def _long(table: ReportTable) -> list[str]:
    """Return the total of a table that is too long for the page, and the way to its rows."""
    line = Line(TOTAL, totals(table), 0, table.rows.num_rows - 1)
    columns = [column for column in table.columns if line.cells.get(column.name) is not None]
    cells = "".join(_cell(table, line, column, None) for column in columns)
    name = escape(table.name)
    return [
        f'<p><a href="#/table/{name}">Show the {table.rows.num_rows:,} rows</a>.</p>',
        '<div class="scroll"><table>',
        f'<thead><tr><th scope="col"></th>{_headers(table, columns)}</tr></thead>',
        f'<tfoot><tr><th scope="row">Total</th>{cells}</tr></tfoot></table></div>',
    ]


def _short(table: ReportTable, links: EntryLinks) -> list[str]:
    """Return all lines of a table, each group with its sums in its first line."""
    if not table.rows.num_rows:
        return ["<p>No rows.</p>"]
    columns = [column for column in table.columns if column.name not in table.group_by[:1]]
    listed = list(lines(table))
    heads: dict[int, list[Line]] = {}
    for line in listed:
        if line.level >= 0 and (line.level == 0 or line.last > line.first):
            heads.setdefault(line.first, []).insert(0, line)
    body = []
    for line in listed:
        if line.level == DETAIL:
            body += [_group_line(table, head, columns, links) for head in heads.get(line.first, ())]
            body.append(_detail_line(table, line, columns, links))
    total = next(line for line in listed if line.level == TOTAL)
    return [
        _tools(table),
        f'<div class="scroll" role="region" aria-label="{text_html(table.title)}" tabindex="0">',
        '<table class="wide">' if len(columns) > _MOST_COLUMNS else "<table>",
        f"<thead><tr>{_lead_header(table, columns)}{_headers(table, columns)}</tr></thead>",
        "<tbody>",
        *body,
        "</tbody>",
        *([f"<tfoot>{_labelled(table, total, columns, 'Total', links)}</tfoot>"] if table.summed else []),
        "</table></div>",
    ]


def _tools(table: ReportTable) -> str:
    if not table.group_by:
        return ""
    closed = " data-closed" if table.rows.num_rows > _MOST_OPEN else ""
    return (
        f'<p class="tools"{closed} hidden><button type="button" data-all="open">Open all</button>'
        '<button type="button" data-all="close">Close all</button></p>'
    )


def _lead(columns: Sequence[ReportColumn]) -> int:
    """Return the number of columns before the first figure, over which labels extend."""
    for place, column in enumerate(columns):
        if column.type not in {ColumnType.TEXT, ColumnType.DATE}:
            return place
    return len(columns)


def _lead_header(table: ReportTable, columns: Sequence[ReportColumn]) -> str:
    """Return the header of a column for labels, if the first column has figures."""
    if _lead(columns):
        return ""
    title = table.by_name[table.group_by[0]].title if table.group_by else ""
    return f'<th scope="col">{text_html(title)}</th>'


def _headers(table: ReportTable, columns: Sequence[ReportColumn]) -> str:
    return "".join(
        f'<th scope="col"{_class(column)}><a href="#{_definition_id(table, column)}"'
        f' title="{sentence_html(column.meaning)}">{text_html(column.title)}</a></th>'
        for column in columns
    )


def _class(column: ReportColumn) -> str:
    match column.type:
        case ColumnType.TEXT:
            return ""
        case ColumnType.DATE:
            return ' class="d"'
        case _:
            return ' class="n"'


def _group_line(table: ReportTable, line: Line, columns: Sequence[ReportColumn], links: EntryLinks) -> str:
    cell = line.cells[table.group_by[line.level]]
    label = text_html(cell) if cell is not None else "<i>none</i>"
    button = f'<button type="button" aria-expanded="true">{label}</button>'
    opening = f'<tr class="group level-{line.level}" data-level="{line.level}">'
    return _labelled(table, line, columns, button, links).replace("<tr>", opening, 1)


def _labelled(
    table: ReportTable, line: Line, columns: Sequence[ReportColumn], label: str, links: EntryLinks
) -> str:
    """Return a line of sums, its label over the columns before the first figure."""
    lead = _lead(columns)
    scope = "row" if line.level == TOTAL else "rowgroup"
    rows = table.rows.slice(line.first, line.last - line.first + 1).to_pylist()
    group = {name: line.cells.get(name) for name in table.group_by}
    cells = "".join(
        _cell(table, line, column, links.of_sum(table, rows, group, column)) for column in columns[lead:]
    )
    return f'<tr><th scope="{scope}" colspan="{max(lead, 1)}">{label}</th>{cells}</tr>'


def _detail_line(table: ReportTable, line: Line, columns: Sequence[ReportColumn], links: EntryLinks) -> str:
    linked = linked_column(table)
    cells = []
    for column in columns:
        href = links.of_row(table, line.cells) if column.name == linked else None
        if column.name == ACCOUNT and ROW in table.by_name:
            href = links.of_account(line.cells)
        if column.type is not ColumnType.TEXT and line.cells.get(column.name):
            href = links.of_figure(table, line.cells, column)
        cells.append(_cell(table, line, column, href))
    lead = "" if _lead(columns) else "<td></td>"
    in_group = ' class="in-group"' if table.group_by else ""
    return f"<tr{in_group}>{lead}{''.join(cells)}</tr>"


def _cell(table: ReportTable, line: Line, column: ReportColumn, href: str | None) -> str:
    value = line.cells.get(column.name)
    original = line.cells.get(CURRENCY) if column.type is ColumnType.ORIGINAL else None
    shown = "" if value is None else _shown(value, column.type, str(original or table.currency_of(column)))
    if href is not None and shown:
        shown = f'<a href="{escape(href)}">{shown}</a>'
    css = _class(column).replace('"n"', f'"n{_sign_class(value)}"')
    return f"<td{css}>{shown}</td>"


def _sign_class(value: Cell) -> str:
    return " neg" if isinstance(value, Decimal | int) and value < 0 else ""


def _shown(value: Cell, type_: ColumnType, currency: str) -> str:
    if isinstance(value, Decimal | int):
        return shown_figure(value, type_, currency)
    return value.isoformat() if isinstance(value, date) else text_html(value)
