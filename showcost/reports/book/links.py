"""Links from the figures of tables to the entries behind them.

A figure that adds up entries has a link: its account, currency, series, location, vendor and document select
them, as far as the table has these columns. Budgets, estimates and commitments do not add up entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from showcost.core.engine import engine, view_files
from showcost.reports.tables import CURRENCY, ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from showcost.reports.book.collecting import CollectedFacts
    from showcost.reports.tables import Cell, ReportColumn, ReportTable

_ACCOUNT: Final = "account"
ENTRY: Final = "entry_id"
"""The name of the column with the entry of a row."""

_SELECTING: Final = {
    CURRENCY: "currency",
    "series": "series",
    "location": "location",
    "vendor_code": "vendor",
    "document_no": "document",
}
"""The columns that select entries, with their names in a link."""

_SUMS: Final = ("cost", "base", "amount", "original", "posted", "balance", "fx_variance", "net", "tax")
"""The beginnings of the names of columns that add up entries."""

_OF_A_PERIOD: Final = "period"


@dataclass
class EntryLinks:
    """The links of a book: `first` is the first day of the report's period, `base` the base currency."""

    first: date
    base: str
    accounts: frozenset[str]
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Row and number of the entries that tables name by their ids."""

    def of_row(self, table: ReportTable, cells: Mapping[str, Cell], column: str = "") -> str | None:
        """Return the link from a line of a table, or from the figure in a column; None without entries.

        A figure of a vendor or document may be what is owed, and has no link.
        """
        entry = cells.get(ENTRY)
        if isinstance(entry, str) and entry in self.places:
            return "#/row/{}?n={}".format(*self.places[entry])
        query = {
            name: str(cells[key])
            for key, name in _SELECTING.items()
            if key in table.by_name and cells.get(key) is not None
        }
        if _OF_A_PERIOD in column:
            query["from"] = str(self.first)
        account = cells.get(_ACCOUNT)
        if isinstance(account, str):
            return self._of_account(account, query) if account in self.accounts else None
        selects = {"vendor", "document"} & query.keys() and not column
        return f"#/search?{urlencode(query)}" if selects else None

    @staticmethod
    def _of_account(account: str, query: Mapping[str, str]) -> str:
        path = f"#/account/{quote(account, safe='')}"
        return f"{path}?{urlencode(query)}" if query else path


def adds_up_entries(column: ReportColumn) -> bool:
    """Return whether the figures of a column are sums of entries."""
    return column.type in {ColumnType.MONEY, ColumnType.ORIGINAL} and column.name.startswith(_SUMS)


def linked_column(table: ReportTable) -> str | None:
    """Return the column whose text is linked: the account, the document, the vendor, or the first text."""
    texts = [column.name for column in table.columns if column.type is ColumnType.TEXT]
    named = (_ACCOUNT, "document_no", "vendor_name", "vendor_code")
    return next((name for name in named if name in texts), texts[0] if texts else None)


def entry_links(first: date, base: str, facts: CollectedFacts, tables: Sequence[ReportTable]) -> EntryLinks:
    """Return the links of a book whose page has these tables."""
    links = EntryLinks(first, base, frozenset(account for account, *_ in facts.accounts))
    with engine() as connection:
        view_files(connection, "entries", [facts.entries])
        for table in tables:
            if ENTRY in table.by_name:
                connection.register("named_entries", table.rows.select([ENTRY]))
                found = connection.execute(
                    "SELECT entry_id, r, n FROM entries SEMI JOIN named_entries USING (entry_id)"
                ).fetchall()
                links.places |= {name: (r, n) for name, r, n in found}
    return links
