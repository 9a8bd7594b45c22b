"""Links from the figures of tables to the entries behind them.

A figure that adds up entries has a link: its account, currency, series, location, vendor and document select
them, as far as the table has these columns; a subtotal names its accounts. Figures of the plan lead to the
lines of purchase orders, estimates and revisions behind them, sums of other columns to their definition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from showcost.core.engine import engine, view_files
from showcost.reports.cost.cost_report import NONE_STATED
from showcost.reports.incentives.qualified_spend import SPEND_TOTALS
from showcost.reports.tables import CURRENCY, ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from showcost.reports.book.collecting import CollectedFacts
    from showcost.reports.tables import Cell, ReportColumn, ReportTable

ACCOUNT: Final = "account"
"""The name of the column with an account."""

ENTRY: Final = "entry_id"
"""The name of the column with the entry of a row."""

ROW: Final = "row_id"
"""The name of the column with the delivered row of a line of the plan."""

_SELECTING: Final = {
    CURRENCY: "currency",
    "series": "series",
    "location": "location",
    "vendor_code": "vendor",
    "document_no": "document",
}
"""The columns that select entries, with their names in a link."""

_SUMS: Final = (
    *("cost", "base", "amount", "original", "posted", "balance", "fx_variance", "at_budget", "net", "tax"),
)
"""The beginnings of the names of columns that add up entries."""

_PLANS: Final = {"commitments": "commitments", "etc": "estimates", "budget_revised": "budget_revisions"}
"""The columns that add up lines of a plan table, with its name."""

_PLAN_TABLES: Final = frozenset({*_PLANS.values(), "order_findings", "order_exceptions"})
"""The tables whose rows are no sums of entries."""

_LINES_BY: Final[tuple[str, ...]] = ("account", "series", "location")
"""The columns that select lines of a plan table."""

_OF_A_PERIOD: Final = "period"


@dataclass
class EntryLinks:
    """The links of a book: `first` is the first day of the report's period, `base` the base currency."""

    first: date
    base: str
    accounts: frozenset[str]
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Row and number of the entries that tables name by their ids."""
    rows: dict[str, int] = field(default_factory=dict)
    """Number of the rows that tables name by their ids."""

    def of_figure(self, table: ReportTable, cells: Mapping[str, Cell], column: ReportColumn) -> str | None:
        """Return the link from a figure of a row; None if there is nothing to show."""
        if table.name == SPEND_TOTALS:
            return f"#table-{SPEND_TOTALS}_{str(cells['programme']).replace('-', '_')}"
        if column.name in _PLANS and ACCOUNT in table.by_name:
            by: dict[str, str] = {name: _stated(cells[name]) for name in _LINES_BY if name in table.by_name}
            return f"#/lines/{_PLANS[column.name]}?{urlencode(by)}"
        if ROW in table.by_name:
            return self.of_row(table, cells)
        if adds_up_entries(column) and not column.terms and table.name not in _PLAN_TABLES:
            return self.of_row(table, cells, column.name)
        return self.of_definition(table, column)

    @staticmethod
    def of_definition(table: ReportTable, column: ReportColumn) -> str | None:
        """Return the link to the definition of a column that adds up others, or that nothing is behind."""
        return (
            f"#def-{table.name}-{column.name}" if column.terms or column.name.startswith("budget_a") else None
        )

    def of_sum(
        self,
        table: ReportTable,
        rows: Sequence[Mapping[str, Cell]],
        group: Mapping[str, Cell],
        column: ReportColumn,
    ) -> str | None:
        """Return the link from a subtotal or total; `group` has the values that its rows share."""
        if not adds_up_entries(column) or column.terms:
            return self.of_definition(table, column)
        accounts = sorted({str(row.get(ACCOUNT)) for row in rows} & self.accounts)
        if ACCOUNT not in table.by_name or not accounts or ENTRY in table.by_name:
            return None
        # The sum over some of the currencies is selected by no link.
        if table.name in _PLAN_TABLES or (CURRENCY in table.by_name and group.get(CURRENCY) is None):
            return None
        query = {"accounts": " ".join(accounts)} | self._query(table, group, column.name)
        return f"#/search?{urlencode(query)}"

    def _query(self, table: ReportTable, cells: Mapping[str, Cell], column: str) -> dict[str, str]:
        query = {
            name: _stated(cells[key])
            for key, name in _SELECTING.items()
            if key in table.by_name and cells.get(key) is not None
        }
        return query | ({"from": str(self.first)} if _OF_A_PERIOD in column else {})

    def of_row(self, table: ReportTable, cells: Mapping[str, Cell], column: str = "") -> str | None:
        """Return the link from a line of a table, or from the figure in a column; None without entries.

        A figure of a vendor or document may be what is owed, and has no link.
        """
        entry = cells.get(ENTRY)
        if isinstance(entry, str) and entry in self.places:
            return "#/row/{}?n={}".format(*self.places[entry])
        if ROW in table.by_name:
            number = self.rows.get(str(cells.get(ROW)))
            return None if number is None else f"#/row/{number}"
        query = self._query(table, cells, column)
        account = cells.get(ACCOUNT)
        if isinstance(account, str):
            return self._of_account(account, query) if account in self.accounts else None
        selects = {"vendor", "document"} & query.keys() and not column
        return f"#/search?{urlencode(query)}" if selects else None

    def of_account(self, cells: Mapping[str, Cell]) -> str | None:
        """Return the link from the account of a line to all of its entries; None without entries."""
        account = cells.get(ACCOUNT)
        return (
            self._of_account(account, {}) if isinstance(account, str) and account in self.accounts else None
        )

    @staticmethod
    def _of_account(account: str, query: Mapping[str, str]) -> str:
        path = f"#/account/{quote(account, safe='')}"
        return f"{path}?{urlencode(query)}" if query else path


def _stated(cell: Cell) -> str:
    """Return what entries have in place of a cell: nothing where a report says that none is stated."""
    return "" if cell in {None, NONE_STATED} else str(cell)


def adds_up_entries(column: ReportColumn) -> bool:
    """Return whether the figures of a column are sums of entries."""
    return column.type in {ColumnType.MONEY, ColumnType.ORIGINAL} and column.name.startswith(_SUMS)


def linked_column(table: ReportTable) -> str | None:
    """Return the column whose text is linked: row, account, document, vendor, or the first text."""
    texts = [column.name for column in table.columns if column.type is ColumnType.TEXT]
    named = (ROW, ACCOUNT, "document_no", "vendor_name", "vendor_code")
    return next((name for name in named if name in texts), texts[0] if texts else None)


def entry_links(first: date, base: str, facts: CollectedFacts, tables: Sequence[ReportTable]) -> EntryLinks:
    """Return the links of a book; `tables` are those whose lines name an entry or a row."""
    links = EntryLinks(first, base, frozenset(account for account, *_ in facts.accounts))
    with engine() as connection:
        view_files(connection, "entries", [facts.entries])
        view_files(connection, "rows", [facts.rows])
        for table in tables:
            if ENTRY in table.by_name:
                connection.register("named_entries", table.rows.select([ENTRY]))
                found = connection.execute(
                    "SELECT entry_id, r, n FROM entries SEMI JOIN named_entries USING (entry_id)"
                ).fetchall()
                links.places |= {name: (r, n) for name, r, n in found}
            if ROW in table.by_name:
                connection.register("named_rows", table.rows.select([ROW]))
                links.rows |= dict(
                    connection.execute(
                        "SELECT row_id, r FROM rows SEMI JOIN named_rows USING (row_id)"
                    ).fetchall()
                )
    return links
