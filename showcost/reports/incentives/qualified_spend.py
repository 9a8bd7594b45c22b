"""Report tables of qualified spend: the totals of every claimed programme, and its costs line by line.

Per line what an expenditure statement must show (description, amount with rate, provider, dates and place),
and the verdict with the rule that decided. A cost that is performed elsewhere is in the totals only, unless
the options ask for it.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.incentives import SpendVerdict
from showcost.core.errors import InputError
from showcost.core.national_ids import masked
from showcost.reports.incentives.conditions import text_sql
from showcost.reports.incentives.costs import make_spend, unlisted_accounts
from showcost.reports.incentives.credit import CreditEstimate, estimate
from showcost.reports.incentives.verdicts import PLACE, judge
from showcost.reports.tables import ColumnType, Omission, ReportColumn, ReportTable, incomplete
from showcost.reports.writers.figures import figure_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import duckdb

    from showcost.config.incentives import ClaimedProgramme
    from showcost.workspace import Workspace

SPEND_TOTALS: Final = "qualified_spend"
"""The table with the totals of every programme; those of their costs have this name and the programme's."""

_MONEY: Final = pa.decimal128(38, 4)


@dataclass(frozen=True)
class SpendOptions:
    """Options of the report.

    `programmes` by id, or all that are claimed; `elsewhere` lists costs that are performed elsewhere, too;
    `last` is the last transaction date, or None for all.
    """

    programmes: tuple[str, ...] = ()
    elsewhere: bool = False
    last: date | None = None

    @property
    def until(self) -> str:
        """The last day as part of a title."""
        return "" if self.last is None else f" to {self.last}"


def qualified_spend(
    workspace: Workspace, options: SpendOptions, as_of: int | None = None
) -> tuple[ReportTable, ...]:
    """Return the totals of all claimed programmes, then the costs of each, as of an audit record, or now.

    InputError for a programme that production.yaml does not claim.
    """
    chosen = _chosen(workspace, options)
    totals: list[_Totals] = []
    tables: list[ReportTable] = []
    with workspace.ledger.read() as connection:
        make_spend(connection, workspace, as_of, options.last)
        unlisted = unlisted_accounts(connection, workspace)
        for claimed in chosen:
            judge(connection, claimed, workspace.production, elsewhere=options.elsewhere)
            totals.append(_totals(connection, claimed, workspace.production.base_currency))
            tables.append(_lines_table(connection, claimed, workspace, options))
    base = workspace.production.base_currency
    notes = [
        f"{entries} active entries, {figure_text(amount, base)} {base}, on account {account}, which the chart"
        " does not list: they count as costs"
        for account, entries, amount in unlisted
    ]
    return (_totals_table(totals, base, notes, options), *tables)


def _chosen(workspace: Workspace, options: SpendOptions) -> list[ClaimedProgramme]:
    claimed = {item.programme.programme: item for item in workspace.incentives}
    if unknown := [name for name in options.programmes if name not in claimed]:
        names = ", ".join(claimed) or "none"
        raise InputError(f"production.yaml does not claim the programme {unknown[0]!r}; claimed: {names}")
    return [item for name, item in claimed.items() if not options.programmes or name in options.programmes]


# --- totals --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Totals:
    """The sums of a programme, in base and in its own currency, with its credit."""

    claimed: ClaimedProgramme
    lines: dict[str, int]
    base: dict[str, Decimal]
    cost_base: Decimal
    own: dict[str, Decimal]
    labour: Decimal
    lump_sums: int
    undated: int
    unconverted: int
    unconverted_base: Decimal
    unused_vendors: tuple[str, ...]
    credit: CreditEstimate


_SUMS: Final = f"""
SELECT verdict, count(*), sum(base_amount),
    coalesce(sum(programme_amount), 0), coalesce(sum(programme_amount) FILTER (cost_kind = 'labour'), 0),
    count(*) FILTER (is_lump_sum), count(*) FILTER (is_undated), count(*) FILTER (programme_amount IS NULL),
    coalesce(sum(base_amount) FILTER (programme_amount IS NULL), 0)
FROM judged WHERE verdict <> '{SpendVerdict.REFUSED.value}' OR rule <> '{PLACE}' GROUP BY verdict
"""


def _totals(connection: duckdb.DuckDBPyConnection, claimed: ClaimedProgramme, base_currency: str) -> _Totals:
    rows = {row[0]: row[1:] for row in connection.execute(_SUMS).fetchall()}
    nothing = (0, Decimal(0), Decimal(0), Decimal(0), 0, 0, 0, Decimal(0))
    parts = {verdict.value: rows.get(verdict.value, nothing) for verdict in SpendVerdict}
    inside = list(parts.values())
    cost = connection.execute("SELECT coalesce(sum(base_amount), 0) FROM spend").fetchall()[0][0]
    qualifying = parts[SpendVerdict.QUALIFIES.value]
    return _Totals(
        claimed=claimed,
        lines={name: row[0] for name, row in parts.items()},
        base={name: row[1] for name, row in parts.items()},
        cost_base=cost,
        own={name: row[2] for name, row in parts.items()},
        labour=qualifying[3],
        lump_sums=sum(row[4] for row in inside),
        undated=sum(row[5] for row in inside),
        unconverted=sum(row[6] for row in inside),
        unconverted_base=sum((row[7] for row in inside), Decimal(0)),
        unused_vendors=_unused_vendors(connection, claimed),
        credit=estimate(claimed, qualifying[2], qualifying[3], qualifying[1], base_currency),
    )


def _unused_vendors(connection: duckdb.DuckDBPyConnection, claimed: ClaimedProgramme) -> tuple[str, ...]:
    """Return the vendors whose residence is declared and of which there is no cost: they may be misspelt."""
    vendors = [vendor for declared in claimed.claim.residence for vendor in declared.vendors]
    rows = connection.execute("SELECT DISTINCT upper(trim(vendor_code)) FROM spend").fetchall()
    known = {row[0] for row in rows}
    return tuple(vendor for vendor in vendors if vendor.strip().upper() not in known)


def _column(name: str, title: str, type_: ColumnType, meaning: str) -> ReportColumn:
    return ReportColumn(name, title, type_, meaning)


_T: Final = ColumnType
_OWN: Final = "in the programme's currency, each cost converted at the pinned rates of its own date"
_TOTAL_COLUMNS: Final = (
    _column("programme", "Programme", _T.TEXT, "id of the programme's file"),
    _column("title", "Title", _T.TEXT, "name of the programme"),
    _column("rules", "Rules", _T.TEXT, "id and hash of the rules that were applied"),
    _column("currency", "Currency", _T.TEXT, "currency of the programme"),
    _column("qualifying", "Qualifying", _T.ORIGINAL, f"costs that qualify, {_OWN}"),
    _column("qualifying_labour", "of which labour", _T.ORIGINAL, f"gross pay among them, {_OWN}"),
    _column("eligible", "After caps", _T.ORIGINAL, "qualifying spend after the caps on spend"),
    _column("percent", "Rate %", _T.PERCENT, "the programme's rate for the category of the claim"),
    _column(
        "credit", "Credit estimate", _T.ORIGINAL, "spend after caps times the rate, after a cap on credit"
    ),
    _column("certainty", "Certainty", _T.TEXT, "of rate and caps: H law read, M official or trade summary"),
    _column("review", "Needs a look", _T.ORIGINAL, f"costs that a person must judge, {_OWN}"),
    _column("refused", "Does not qualify", _T.ORIGINAL, f"costs in the place that do not qualify, {_OWN}"),
    _column("qualifying_base", "Qualifying, base", _T.MONEY, "the same in base, as in the ledger"),
    _column("credit_base", "Credit, base", _T.MONEY, "qualifying in base times credit over qualifying"),
    _column("review_base", "Needs a look, base", _T.MONEY, "the same in base, as in the ledger"),
    _column("refused_base", "Does not qualify, base", _T.MONEY, "the same in base, as in the ledger"),
    _column("elsewhere_base", "Elsewhere, base", _T.MONEY, "costs that are performed in other places"),
    ReportColumn(
        "cost_base",
        "Cost, base",
        _T.MONEY,
        "all costs of the ledger up to the last day: the sum of the four parts",
        formula="qualifying_base + review_base + refused_base + elsewhere_base",
    ),
    _column("qualifying_lines", "Lines qualifying", _T.COUNT, "ledger entries"),
    _column("review_lines", "Lines to look at", _T.COUNT, "ledger entries"),
    _column("refused_lines", "Lines that do not", _T.COUNT, "ledger entries in the place"),
    _column("lump_sums", "Lump sums", _T.COUNT, "entries without dates of the service and without detail"),
    _column("undated", "Dates not stated", _T.COUNT, "entries without dates of the service"),
)


def _totals_table(
    totals: list[_Totals], currency: str, notes: list[str], options: SpendOptions
) -> ReportTable:
    columns = {column.name: [_total_cells(item)[column.name] for item in totals] for column in _TOTAL_COLUMNS}
    rows = pa.table(
        {column.name: pa.array(columns[column.name], _arrow(column)) for column in _TOTAL_COLUMNS}
    )
    stated = [note for item in totals for note in _notes(item)]
    if not totals:
        stated = ["production.yaml claims no incentive programme"]
    table = ReportTable(
        name=SPEND_TOTALS,
        title=f"Qualified spend{options.until}",
        columns=_TOTAL_COLUMNS,
        rows=rows,
        currency=currency,
        notes=(*_POLICY, *notes, *stated),
    )
    return incomplete(table, [*_unconverted(totals, currency)])


def _unconverted(totals: list[_Totals], base_currency: str) -> Iterator[Omission]:
    """Yield the costs of each programme that have no amount in the programme's currency."""
    for item in totals:
        if item.unconverted:
            yield Omission(
                tuple(column.name for column in _TOTAL_COLUMNS if column.type is ColumnType.ORIGINAL),
                f"{item.claimed.programme.programme}: {item.unconverted} costs,"
                f" {figure_text(item.unconverted_base, base_currency)} {base_currency}, because they have no"
                f" pinned rate of {item.claimed.programme.currency}",
            )


def _total_cells(item: _Totals) -> dict[str, str | Decimal | int]:
    programme, credit = item.claimed.programme, item.credit
    yes, look, no = (verdict.value for verdict in SpendVerdict)
    return {
        "programme": programme.programme,
        "title": programme.title,
        "rules": programme.label,
        "currency": programme.currency,
        "qualifying": item.own[yes],
        "qualifying_labour": item.labour,
        "eligible": credit.eligible,
        "percent": item.claimed.rate.percent,
        "credit": credit.credit,
        "certainty": credit.certainty.value,
        "review": item.own[look],
        "refused": item.own[no],
        "qualifying_base": item.base[yes],
        "credit_base": credit.credit_base,
        "review_base": item.base[look],
        "refused_base": item.base[no],
        "elsewhere_base": item.cost_base - sum(item.base.values(), Decimal(0)),
        "cost_base": item.cost_base,
        "qualifying_lines": item.lines[yes],
        "review_lines": item.lines[look],
        "refused_lines": item.lines[no],
        "lump_sums": item.lump_sums,
        "undated": item.undated,
    }


_POLICY: Final = (
    "An estimate, not advice: the programme's authority decides.",
    "Programmes may count the same cost, so there is no total over them.",
    "Active entries of cost accounts; recoverable tax and deposits are balances, so they are not in it.",
    "Where a cost was performed is the row's jurisdiction, or that of its location.",
    "A rule of certainty D or L never makes a cost qualify or fail: the cost needs a look.",
    "A cost whose residence, place or dates of service are not known needs a look.",
)


def _notes(item: _Totals) -> list[str]:
    programme = item.claimed.programme
    name = programme.programme
    notes = [f"{name}: {text}" for text in (*item.credit.caps, *item.credit.open_caps)]
    if item.unused_vendors:
        notes.append(f"{name}: no cost is of {', '.join(item.unused_vendors)}, whose residence is declared")
    return [*notes, *(f"{name}: not modelled: {text}" for text in programme.unmodelled)]


# --- lines ---------------------------------------------------------------------------------------------

LINE_COLUMNS: Final = (
    _column("verdict", "Verdict", _T.TEXT, "qualifies, needs a look, or does not qualify"),
    _column("account", "Account", _T.TEXT, "account of the chart"),
    _column("description", "Description", _T.TEXT, "goods or services supplied"),
    _column("document", "Document", _T.TEXT, "number of the invoice, permit or payroll invoice"),
    _column("currency", "Currency", _T.TEXT, "original currency"),
    ReportColumn("amount", "Amount", _T.ORIGINAL, "original amount; a refund is negative", is_summed=True),
    _column("rate", "Rate", _T.RATE, "units of base per unit of the original currency, for display"),
    _column("rate_date", "Rate date", _T.DATE, "publication date of the older of the two rates"),
    ReportColumn("base_amount", "Base amount", _T.MONEY, "amount in base, as in the ledger", is_summed=True),
    _column("original_rate", "Original rate", _T.RATE, "units of the original currency per euro, as pinned"),
    _column(
        "programme_rate",
        "Programme rate",
        _T.RATE,
        "units of the programme's currency per euro, as pinned for the date",
    ),
    _column("provider", "Provider", _T.TEXT, "vendor, authority or payroll company; never an employee"),
    _column("country", "Country", _T.TEXT, "country of the provider's tax id"),
    _column("residence", "Residence", _T.TEXT, "declared in production.yaml, else not known"),
    _column("dated", "Date", _T.DATE, "transaction date; it does not stand in for the dates performed"),
    _column("performed_from", "From", _T.DATE, "first day of the service"),
    _column("performed_to", "To", _T.DATE, "last day of the service"),
    _column("dates", "Dates performed", _T.TEXT, "stated, or not stated"),
    _column("performed_in", "Performed in", _T.TEXT, "country or region"),
    _column("labour", "Labour", _T.TEXT, "labour (gross pay), fringe, not labour, or not known"),
    _column("rule", "Rule", _T.TEXT, "id of the rule that decided"),
    _column("reason", "Reason", _T.TEXT, "the verdict in words"),
    _column("certainty", "Certainty", _T.TEXT, "of that rule: H, M, D or L"),
    _column("source", "Source", _T.TEXT, "law or page, and clause, of that rule"),
    _column("flags", "Flags", _T.TEXT, "lump sum, dates not stated, refund, no rate of the programme"),
    _column("entry_id", "Entry", _T.TEXT, "the ledger entry; `showcost trace` leads back to its delivery"),
)

_FLAGS: Final = {
    "is_lump_sum": "lump sum",
    "is_undated": "dates not stated",
    "amount < 0": "refund",
    "programme_amount IS NULL": "no rate of the programme's currency",
}
_FLAGS_SQL: Final = ", ".join(
    f"CASE WHEN {test} THEN {text_sql(words)} END" for test, words in _FLAGS.items()
)

_LINES: Final = f"""
SELECT verdict, account, description, document_no AS document, currency, amount, rate, rate_date, base_amount,
    eur_rate_original AS original_rate, programme_rate, vendor_name AS provider, country,
    coalesce(resident, 'not known') AS residence, transaction_date AS dated,
    service_from AS performed_from, service_to AS performed_to,
    CASE WHEN is_undated THEN 'not stated' ELSE 'stated' END AS dates,
    coalesce(place, jurisdiction, 'not stated') AS performed_in, coalesce(cost_kind, 'not known') AS labour,
    rule, reason, certainty, source, concat_ws(', ', {_FLAGS_SQL}) AS flags, entry_id
FROM judged
ORDER BY list_position(['qualifies', 'needs a look', 'does not qualify'], verdict), account, dated, entry_id
"""

_FROM_SENDERS: Final = ("description", "document", "provider", "performed_in", "reason")
"""Columns with text of senders, which may name a person's identifier."""


def _lines_table(
    connection: duckdb.DuckDBPyConnection,
    claimed: ClaimedProgramme,
    workspace: Workspace,
    options: SpendOptions,
) -> ReportTable:
    programme = claimed.programme
    rows = connection.sql(_LINES).to_arrow_table()
    for name in _FROM_SENDERS:
        position = rows.column_names.index(name)
        rows = rows.set_column(position, name, masked(rows.column(name)))
    rows = rows.cast(pa.schema([(column.name, _arrow(column)) for column in LINE_COLUMNS]))
    elsewhere = () if options.elsewhere else ("Costs that are performed elsewhere are in the totals only.",)
    return ReportTable(
        name=f"{SPEND_TOTALS}_{programme.programme.replace('-', '_')}",
        title=f"Qualified spend{options.until}: {programme.title}",
        columns=LINE_COLUMNS,
        rows=rows,
        currency=workspace.production.base_currency,
        group_by=("verdict",),
        notes=(f"Rules: {programme.label}; {programme.source}", *elsewhere),
    )


def _arrow(column: ReportColumn) -> pa.DataType:
    """Return the Arrow type of a column's cells."""
    match column.type:
        case ColumnType.TEXT:
            return pa.string()
        case ColumnType.DATE:
            return pa.date32()
        case ColumnType.COUNT:
            return pa.int64()
        case ColumnType.RATE:
            return pa.decimal128(28, 10)
        case _:
            return _MONEY
