"""Write the book: `index.html`, and the data beside it when it is too much for one page.

The page makes no request: a content security policy allows its own script, its style, and the data files that
the script loads. The same ledger and tables give the same bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from showcost.config.feeds import choose_feed
from showcost.core.durable import make_folder, write_durably
from showcost.core.money import minor_units
from showcost.core.national_ids import masked_text
from showcost.core.reason_catalogue import CATALOGUE
from showcost.reports.book.chunks import (
    DATA_FOLDER,
    ENTRIES_PER_CHUNK,
    LINES_PER_CHUNK,
    ROWS_PER_CHUNK,
    DataChunks,
    add_entries,
    add_entry_lines,
    add_lines,
    chunk_dates,
    detail_columns,
    listed_columns,
    plain_json,
    script_json,
)
from showcost.reports.book.collecting import collect
from showcost.reports.book.html_tables import (
    MOST_ROWS,
    definitions_html,
    headline_html,
    table_html,
    text_html,
)
from showcost.reports.book.ledger_charts import ledger_charts
from showcost.reports.book.links import ENTRY, ROW, entry_links, linked_column
from showcost.reports.personal_text import masked_columns
from showcost.reports.scope import scope_of
from showcost.reports.trace import rules_of_feed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from showcost.reports.book.collecting import CollectedFacts
    from showcost.reports.book.links import EntryLinks
    from showcost.reports.scope import ReportScope
    from showcost.reports.tables import HeadlineFigure, ReportTable
    from showcost.reports.writers.charts import DrawnChart
    from showcost.workspace import Workspace

INDEX: Final = "index.html"
ENTRIES: Final = "entries"
"""The table of the entries, and the chunks with them."""

_MOST_EMBEDDED: Final = 4_000
"""Entries up to which the data is within the page, so that the page alone is the whole book."""

_PLACE: Final = re.compile(r"\{\{([a-z]+)\}\}")


@dataclass(frozen=True)
class WrittenBook:
    """A written book: its page, the number of data files beside it, and the rows without their text."""

    page: Path
    data_files: int
    missing_texts: int


def write_book(
    workspace: Workspace,
    tables: Sequence[ReportTable],
    folder: Path,
    *,
    headline: Sequence[HeadlineFigure],
    as_of: int | None,
    first: date,
    last: date,
) -> WrittenBook:
    """Write the book of a report into a folder.

    As known after the audit record `as_of`, or the last one. Raises InputError as `scope_of` does.
    """
    scope = scope_of(workspace, first, last, as_of)
    masked = [replace(table, rows=masked_columns(table.rows)) for table in tables]
    with TemporaryDirectory() as scratch:
        facts = collect(workspace, scope, Path(scratch))
        return book_of_facts(workspace, masked, folder, headline, scope, facts)


def book_of_facts(
    workspace: Workspace,
    tables: Sequence[ReportTable],
    folder: Path,
    headline: Sequence[HeadlineFigure],
    scope: ReportScope,
    facts: CollectedFacts,
) -> WrittenBook:
    """Write the book of facts that were collected before, with tables whose texts are masked."""
    make_folder(folder)
    is_small = facts.entry_count <= _MOST_EMBEDDED
    linked = [table for table in tables if table.rows.num_rows <= MOST_ROWS or ROW in table.by_name]
    links = entry_links(scope.first, scope.base_currency, facts, linked)
    with DataChunks(None if is_small else folder.joinpath(DATA_FOLDER)) as chunks:
        long_tables = _add_long_tables(chunks, tables, links, facts)
        add_entries(chunks, facts)
        chunks.add("facts", 0, plain_json(_facts(workspace, facts, scope)))
    index = _index(workspace, facts, scope, long_tables)
    parts = {
        "tables": "\n".join(table_html(table, links) for table in tables),
        "headline": headline_html(headline),
        "definitions": definitions_html(tables),
        "charts": "\n".join(map(_chart_html, ledger_charts(workspace, scope))),
        "navigation": _navigation(tables),
        "proof": _proof(scope, facts),
        "data": _data(index, chunks),
    }
    write_durably(folder.joinpath(INDEX), _page(scope, parts).encode())
    return WrittenBook(folder.joinpath(INDEX), chunks.files, facts.missing)


def _page(scope: ReportScope, parts: Mapping[str, str]) -> str:
    style, script = _asset("book.css"), _asset("book.js")
    values = {
        **parts,
        "policy": _policy(style, script),
        "style": style,
        "script": script,
        "title": text_html(f"{scope.title}: cost report, {scope.last}"),
        "company": text_html(scope.company),
        "production": text_html(f"{scope.title} ({scope.code})"),
        "period": text_html(scope.period_line),
        "moment": text_html(f"Ledger {scope.as_of_line}"),
        "footer": text_html(f"{scope.production_line}, {scope.as_of_line}"),
    }
    return _PLACE.sub(lambda place: values[place.group(1)], _asset("book.html"))


def _asset(name: str) -> str:
    return files("showcost.reports.book").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return the content security policy: the page's own style and script, and what the script loads."""
    return (
        f"default-src 'none'; style-src '{_source_hash(style)}'; img-src data:;"
        f" script-src '{_source_hash(script)}' 'strict-dynamic'; base-uri 'none'; form-action 'none'"
    )


def _source_hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _navigation(tables: Sequence[ReportTable]) -> str:
    titles = [
        ("headline", "Headline figures"),
        ("search", "Search"),
        *((f"table-{table.name}", table.title) for table in tables),
        ("charts", "Charts"),
        ("definitions", "Definitions"),
        ("proof", "How to check"),
    ]
    return "".join(f'<li><a href="#{text_html(name)}">{text_html(title)}</a></li>' for name, title in titles)


def _chart_html(chart: DrawnChart) -> str:
    header = "".join(f'<th scope="col">{text_html(name)}</th>' for name in chart.header)
    rows = "".join(
        f'<tr><th scope="row">{text_html(label)}</th>'
        + "".join(f'<td class="n">{text_html(cell)}</td>' for cell in cells)
        + "</tr>"
        for label, *cells in chart.rows
    )
    return (
        f"<figure><figcaption>{text_html(chart.title)}</figcaption>{chart.svg}"
        f'<p class="quiet">{text_html(chart.description)}</p>'
        f"<details><summary>The figures of this chart</summary><table><thead><tr>{header}</tr></thead>"
        f"<tbody>{rows}</tbody></table></details></figure>"
    )


def _proof(scope: ReportScope, facts: CollectedFacts) -> str:
    """Return how a reader checks the report, and what it rests on."""
    listed = {
        "Entries to the last day": f"{scope.entries:,}",
        "Digest of these entries": scope.digest,
        "Last audit record": f"{scope.as_of:,}",
        "Head of the audit log at this record": scope.head,
    }
    pairs = "".join(
        f'<dt>{name}</dt><dd class="hash">{text_html(value)}</dd>' for name, value in listed.items()
    )
    missing = (
        f'<p class="notice">{facts.missing:,} rows are shown without their text, because their deliveries are'
        " not in the data folder.</p>"
        if facts.missing
        else ""
    )
    return (
        "<p>Every figure leads to its entries, and every entry to the text that a vendor sent, the file with"
        " its sha256, the pinned exchange rate and all decisions. <code>manifest.json</code> names the sha256"
        " of every file beside this page; <code>python tools/verify_pack.py</code> checks them without"
        " showcost. <code>showcost digest</code> and <code>showcost verify --head</code> compare the ledger"
        f' with the two hashes below.</p>{missing}<dl class="pairs">{pairs}</dl>'
    )


def _data(index: Mapping[str, Any], chunks: DataChunks) -> str:
    blocks = {"book-index": script_json(index)} | chunks.embedded
    return "\n".join(
        f'<script type="application/json" id="{name}">{text}</script>' for name, text in blocks.items()
    )


def _index(
    workspace: Workspace, facts: CollectedFacts, scope: ReportScope, long_tables: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what the script needs from the start."""
    currencies = {currency for _, currency, *_ in facts.rates} | {scope.base_currency, scope.currency}
    return {
        "title": f"{scope.title}: cost report, {scope.last}",
        "base": scope.base_currency,
        "currency": scope.currency,
        "entries": facts.entry_count,
        "rows": facts.row_count,
        "size": ENTRIES_PER_CHUNK,
        "rowSize": ROWS_PER_CHUNK,
        "lineSize": LINES_PER_CHUNK,
        "decimals": {currency: minor_units(currency) for currency in sorted(currencies)},
        "accounts": _accounts(workspace, facts),
        "dates": chunk_dates(facts),
        "listed": listed_columns(facts),
        "details": detail_columns(facts),
        "words": facts.words,
        "tables": long_tables,
    }


def _accounts(workspace: Workspace, facts: CollectedFacts) -> list[dict[str, Any]]:
    """Return the accounts with entries, and the range of their entries."""
    listed = {account.number: account for account in workspace.chart}
    return [
        {
            "number": number,
            "name": listed[number].name if number in listed else "",
            "kind": listed[number].kind.value if number in listed else "",
            "first": first,
            "entries": entries,
            "base": base,
        }
        for number, first, entries, base in facts.accounts
    ]


def _add_long_tables(
    chunks: DataChunks, tables: Sequence[ReportTable], links: EntryLinks, facts: CollectedFacts
) -> list[dict[str, Any]]:
    """Add the rows of the tables that are too long for the page; return what the script needs of them."""
    long_tables = []
    for number, table in enumerate(tables):
        if table.rows.num_rows > MOST_ROWS:
            kind = ENTRIES if table.name == ENTRIES else f"table{number}"
            words: list[list[str] | None] = []
            # The entries are in the book already, in order of account.
            if kind != ENTRIES and ENTRY in table.by_name:
                words = add_entry_lines(chunks, kind, table, facts)
            elif kind != ENTRIES:
                add_lines(chunks, kind, table, partial(links.of_row, table))
            long_tables.append(
                {
                    "name": table.name,
                    "title": table.title,
                    "kind": kind,
                    "rows": table.rows.num_rows,
                    "currency": table.currency,
                    "words": words,
                    "linked": linked_column(table),
                    "columns": [
                        [column.name, column.title, column.type.value, table.currency_of(column)]
                        for column in table.columns
                    ],
                }
            )
    return long_tables


def _facts(workspace: Workspace, facts: CollectedFacts, scope: ReportScope) -> dict[str, Any]:
    """Return what the pages of rows share: deliveries, batches, snapshots, rates, rules and reason codes."""
    rates: dict[str, dict[str, list[str]]] = {}
    for snapshot, currency, rate, published in facts.rates:
        rates.setdefault(snapshot, {})[currency] = [rate, published]
    present = {feed.name for feed in workspace.feeds}
    feeds = sorted({feed for feed, _ in facts.places} & present)
    return {
        "deliveries": _deliveries(workspace, facts),
        "batches": {name: list(batch) for name, *batch in facts.batches},
        "snapshots": {name: list(snapshot) for name, *snapshot in facts.snapshots},
        "rates": rates,
        "rules": {
            name: [
                list(rule.values())
                for rule in rules_of_feed(workspace, choose_feed(workspace.feeds, name), scope.as_of)
            ]
            for name in feeds
        },
        "codes": {code: [reason.meaning, reason.action] for code, reason in CATALOGUE.items()},
    }


def _deliveries(workspace: Workspace, facts: CollectedFacts) -> list[dict[str, Any]]:
    """Return the first arrival of each delivery, in the order of their numbers."""
    arrivals = {
        (arrival.feed, arrival.delivery): arrival
        for arrival in workspace.register.arrivals()
        if not arrival.again
    }
    deliveries = []
    for feed, delivery in facts.places:
        arrival = arrivals.get((feed, delivery))
        deliveries.append(
            {
                "feed": feed,
                "sha256": delivery,
                "name": masked_text(arrival.name) if arrival else None,
                "received_at": arrival.received_at if arrival else None,
                "arrival": arrival.number if arrival else None,
            }
        )
    return deliveries
