"""Amounts that a cost report cannot translate and leaves out of its totals, per measure and currency.

The connection is that of `open_entries`, with `open_plan`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.config.chart import AccountKind
from showcost.reports.tables import Omission
from showcost.reports.writers.figures import figure_text

if TYPE_CHECKING:
    from decimal import Decimal

    import duckdb

    from showcost.reports.cost.basis import ReportBasis

_COLUMNS: Final = {
    "approved": ("budget_approved", "budget_revised"),
    "revision": ("budget_revised",),
    "estimate": ("etc",),
    "commitment": ("commitments",),
}
"""The columns of the cost report that add up a measure of the plan."""

MEASURES: Final = {
    "approved": "approved budget",
    "revision": "budget revisions",
    "estimate": "ETC",
    "commitment": "commitments",
}


def untranslated_entries(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> list[Omission]:
    """Return the costs whose snapshot has no rate of the report's currency."""
    found = connection.execute(_UNTRANSLATED.format(condition=f"kind = '{AccountKind.COST}'")).fetchall()
    return [
        Omission(
            ("cost_to_date", "cost_period") if in_period else ("cost_to_date",),
            _entries_text(currency, entries, amount, basis.currency),
        )
        for currency, in_period, entries, amount in found
    ]


def untranslated_postings(connection: duckdb.DuckDBPyConnection, basis: ReportBasis) -> list[Omission]:
    """Return the entries of all accounts whose snapshot has no rate of the report's currency."""
    found = connection.execute(_UNTRANSLATED.format(condition="true")).fetchall()
    return [
        Omission(("amount",), _entries_text(currency, entries, amount, basis.currency))
        for currency, _, entries, amount in found
    ]


def _entries_text(currency: str, entries: int, amount: Decimal, wanted: str) -> str:
    return (
        f"{figure_text(amount, currency)} {currency} of entries ({entries}), because their snapshots have no"
        f" rate of {wanted}"
    )


def unrated_plan(connection: duckdb.DuckDBPyConnection, *measures: str, column: str = "") -> list[Omission]:
    """Return the amounts of the plan whose currency has no budget rate, of some measures or of all.

    They are left out of the columns of the cost report, or of `column`.
    """
    return [
        Omission(
            (column,) if column else _COLUMNS[measure],
            f"{MEASURES[measure]} of {figure_text(amount, currency)} {currency}, because {currency} has no"
            " budget rate",
        )
        for measure, currency, amount in connection.execute(_UNRATED).fetchall()
        if not measures or measure in measures
    ]


_UNTRANSLATED: Final = """
SELECT currency, bool_or(in_period), count(*), sum(amount) FROM report_entries
WHERE report_amount IS NULL AND {condition} GROUP BY currency ORDER BY currency
"""

_UNRATED: Final = """
SELECT measure, currency, sum(amount) FROM report_plan WHERE report_amount IS NULL GROUP BY ALL ORDER BY ALL
"""
