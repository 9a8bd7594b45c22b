"""Commitments: what was ordered and is not yet invoiced, per line of a purchase order, in its currency.

An invoice names an order, not a line of it. So the net invoiced per order, account and currency is set off

1. against the lines of the same account, in order of line, each up to the amount ordered;
2. what is left, against the other open lines of the order, in order of line;
3. what is still left, as over-invoiced, on the last line of its account, else on the last line of the order.

So the lines of an order together carry exactly what was invoiced on it in its currency. Credits are invoices
with a negative net. `open` is what was ordered less what was invoiced, never below zero, and zero when the
line is closed. A line of a negative amount is a discount that is still to come: its `open` is negative, but
reduces the other lines' to zero at most. `over` is what was invoiced beyond the amount ordered.

Orders and invoices match by vendor code and order number in normal form (`showcost.core.documents`). What
names an order and could not be set off is in the view `order_exceptions`; what exceeds its order, or names
none where the production requires one (SC-PO-001), in `order_findings`.

SC-PO-001 is a finding of a report and never a flag of an entry. What is open on an order depends on all
invoices and order lines, of all feeds and dates. A flag set by validation would depend on which partition was
validated first, and so would the digest, which covers the flags. Invoices count here in order of date,
document number and entry, as of any audit record.
"""
# ruff: noqa: S608 - statements are put together from constants of this package, dates and numbers

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.record_kinds import PURCHASE_ORDER, VENDOR_INVOICE
from showcost.core.documents import normal_codes, normal_numbers
from showcost.core.ids import ROW_ID_SQL
from showcost.ledger.active_entries import active_condition, entries_as_of
from showcost.ledger.plan import plan_lines_as_of

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    import duckdb

    from showcost.config.production import Production

EXCEEDED: Final = "SC-PO-001"

COLUMNS: Final = {
    "po_no": "purchase order",
    "line_no": "line of the order",
    "vendor_code": "vendor",
    "vendor_name": "its name",
    "account": "account of the chart",
    "series": "episode or series",
    "location": "location code",
    "currency": "currency of the line",
    "ordered": "amount of the line in force, without tax",
    "invoiced": "net of the invoices that were set off against it",
    "open": "ordered and not yet invoiced; zero when closed",
    "over": "invoiced beyond the amount ordered",
    "is_closed": "whether the line is closed",
    "stated_on": "date from which the line holds",
    "description": "goods or services ordered",
    "row_id": "row of the delivery that states the line",
}
"""The columns of the view `commitments`, in order; amounts are in the currency of the line."""

FINDING_COLUMNS: Final = {
    "entry_id": "ledger entry of the invoice line",
    "transaction_date": "date of the invoice",
    "vendor_code": "vendor",
    "vendor_name": "its name",
    "document_no": "invoice",
    "po_no": "purchase order that it names",
    "account": "account of the invoice line",
    "currency": "currency of the invoice",
    "amount": "net amount of the line",
    "excess": "part of it that is beyond the order, or that has none",
    "finding": "reason in words",
}
"""The columns of the views `order_findings` and `order_exceptions`, in order."""


def open_commitments(
    connection: duckdb.DuckDBPyConnection, production: Production, last_day: date, as_of: int | None
) -> None:
    """Make the temporary tables `commitments`, `order_findings` and `order_exceptions` on a connection.

    The columns are `COLUMNS` and `FINDING_COLUMNS`. With order lines and invoices up to `last_day`, after the
    audit record `as_of`, or now. Amounts stay in original currency.
    """
    lines, entries = plan_lines_as_of(as_of), entries_as_of(as_of)
    connection.execute(_INVOICES.format(entries=entries, last=f"DATE '{last_day}'"))
    connection.execute(_ORDER_LINES.format(lines=lines, last=f"DATE '{last_day}'"))
    _register_numbers(connection)
    for statement in (_LINES_IN_FORCE, _NAMED, _SET_OFF, _COMMITMENTS, _EXCEPTIONS):
        connection.execute(statement)
    policy = production.purchase_orders
    connection.register("order_accounts", pa.table({"account": pa.array(policy.accounts, pa.string())}))
    threshold = "NULL" if policy.required_from is None else str(policy.required_from)
    connection.execute(_FINDINGS.format(threshold=threshold))


@dataclass(frozen=True)
class OrderFinding:
    """An invoice line beyond its order, or not set off against one; the fields are `FINDING_COLUMNS`."""

    entry_id: str
    transaction_date: date
    vendor_code: str | None
    vendor_name: str | None
    document_no: str | None
    po_no: str | None
    account: str
    currency: str
    amount: Decimal
    excess: Decimal
    finding: str


@dataclass(frozen=True)
class CommitmentTotal:
    """The order lines in one currency, and their sums."""

    currency: str
    lines: int
    ordered: Decimal
    invoiced: Decimal
    open: Decimal
    over: Decimal


def order_findings(connection: duckdb.DuckDBPyConnection) -> list[OrderFinding]:
    """Return the findings SC-PO-001 that `open_commitments` made."""
    return [OrderFinding(*row) for row in connection.execute("FROM order_findings").fetchall()]


def order_exceptions(connection: duckdb.DuckDBPyConnection) -> list[OrderFinding]:
    """Return what names an order and was not set off against a line of its account."""
    return [OrderFinding(*row) for row in connection.execute("FROM order_exceptions").fetchall()]


def commitment_totals(connection: duckdb.DuckDBPyConnection) -> list[CommitmentTotal]:
    """Return the sums of the commitments per currency, which `open_commitments` made."""
    return [CommitmentTotal(*row) for row in connection.execute(_TOTALS).fetchall()]


_TOTALS: Final = """
SELECT currency, count(*), sum(ordered), sum(invoiced), sum(open), sum(over) FROM commitments
GROUP BY currency ORDER BY currency
"""


def _register_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the connection see the normal form of each vendor code and order number."""
    pairs = connection.sql(
        "SELECT DISTINCT vendor_code, po_no FROM order_invoices"
        " UNION SELECT DISTINCT vendor_code, po_no FROM order_lines ORDER BY ALL"
    ).to_arrow_table()
    vendors, numbers = pairs.column("vendor_code"), pairs.column("po_no")
    connection.register(
        "order_numbers",
        pa.table(
            {
                "vendor_code": vendors.cast(pa.string()),
                "po_no": numbers.cast(pa.string()),
                "vendor": normal_codes(vendors),
                "number": normal_numbers(numbers),
            }
        ),
    )


_INVOICES: Final = f"""
CREATE OR REPLACE TEMP TABLE order_invoices AS
WITH entries AS (FROM {{entries}})
SELECT entry_id, transaction_date, vendor_code, vendor_name, document_no, po_no, account, currency, amount,
    base_amount, coalesce(document_id, entry_id) AS document_id
FROM entries
WHERE {active_condition("entries")} AND transaction_date <= {{last}}
    AND record_kind = '{VENDOR_INVOICE.name}' AND component = '{VENDOR_INVOICE.primary.name}'
"""

_ORDER_LINES: Final = f"""
CREATE OR REPLACE TEMP TABLE order_lines AS
FROM {{lines}} WHERE record_kind = '{PURCHASE_ORDER.name}' AND stated_on <= {{last}}
"""

_SAME_PAIR: Final = """
LEFT JOIN order_numbers AS pair ON pair.vendor_code IS NOT DISTINCT FROM {0}.vendor_code
    AND pair.po_no IS NOT DISTINCT FROM {0}.po_no"""

# `place` is the order of the lines of an order in one currency; numbered lines come before others.
_LINES_IN_FORCE: Final = f"""
CREATE OR REPLACE TEMP TABLE order_lines_in_force AS
WITH named AS (
    SELECT order_lines.*, vendor, number,
        regexp_replace(upper(trim(coalesce(line_no, ''))), '^0+([0-9])', '\\1') AS line
    FROM order_lines {_SAME_PAIR.format("order_lines")}),
latest AS (
    FROM named QUALIFY row_number() OVER (
        PARTITION BY vendor, number, line ORDER BY stated_on DESC, seq DESC, arrival DESC, record DESC,
            line_id) = 1)
SELECT *, greatest(amount, 0) AS capacity, row_number() OVER (
        PARTITION BY vendor, number, currency
        ORDER BY try_cast(line AS BIGINT) NULLS LAST, line, line_id) AS place
FROM latest
"""

_NAMED: Final = f"""
CREATE OR REPLACE TEMP TABLE order_invoices_named AS
SELECT order_invoices.*, vendor, nullif(number, '') AS number
FROM order_invoices {_SAME_PAIR.format("order_invoices")}
"""

_BEFORE: Final = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"

# Steps 1 to 3 of the set-off (see the module). Rests are laid end to end in order of account, and so is the
# room of the other open lines: what overlaps is set off. A credit beyond the invoices of its account is set
# off against the first line of the account, else of the order.
_SET_OFF: Final = f"""
CREATE OR REPLACE TEMP TABLE order_set_off AS
WITH lines AS (
    SELECT line_id, vendor, number, currency, account, place, capacity, is_closed FROM order_lines_in_force),
orders AS (SELECT vendor, number, currency, max(place) AS last FROM lines GROUP BY ALL),
invoiced AS (
    SELECT vendor, number, currency, account, sum(amount) AS net
    FROM order_invoices_named SEMI JOIN orders USING (vendor, number, currency) GROUP BY ALL),
own AS (
    SELECT lines.*, coalesce(net, 0) AS net, coalesce(sum(capacity) OVER (
        PARTITION BY vendor, number, currency, account ORDER BY place {_BEFORE}), 0) AS before
    FROM lines LEFT JOIN invoiced USING (vendor, number, currency, account)),
first AS (SELECT *, greatest(least(net - before, capacity), 0) AS taken FROM own),
accounts AS (
    SELECT vendor, number, currency, account, min(place) AS first, max(place) AS last, sum(taken) AS taken
    FROM first GROUP BY ALL),
rests AS (
    SELECT vendor, number, currency, account, net - coalesce(taken, 0) AS rest,
        coalesce(accounts.first, 1) AS first, coalesce(accounts.last, orders.last) AS last
    FROM invoiced LEFT JOIN accounts USING (vendor, number, currency, account)
    JOIN orders USING (vendor, number, currency)),
credits AS (
    SELECT vendor, number, currency, first AS place, sum(rest) AS credit
    FROM rests WHERE rest < 0 GROUP BY ALL),
laid AS (
    SELECT *, coalesce(sum(rest) OVER (
        PARTITION BY vendor, number, currency ORDER BY account {_BEFORE}), 0) AS start
    FROM rests WHERE rest > 0),
room AS (
    SELECT line_id, vendor, number, currency, place, taken,
        CASE WHEN is_closed THEN 0 ELSE capacity - taken END AS room,
        coalesce(sum(CASE WHEN is_closed THEN 0 ELSE capacity - taken END) OVER (
            PARTITION BY vendor, number, currency ORDER BY place {_BEFORE}), 0) AS before
    FROM first),
totals AS (
    SELECT vendor, number, currency, sum(rest) AS rest FROM laid GROUP BY ALL),
rooms AS (SELECT vendor, number, currency, sum(room) AS room FROM room GROUP BY ALL),
excess AS (
    SELECT vendor, number, currency, last AS place, sum(start + rest - greatest(start, room)) AS excess
    FROM laid JOIN rooms USING (vendor, number, currency) WHERE start + rest > room GROUP BY ALL)
SELECT line_id, taken + greatest(least(coalesce(totals.rest, 0) - before, room), 0) + coalesce(excess, 0)
    + coalesce(credit, 0) AS invoiced
FROM room LEFT JOIN totals USING (vendor, number, currency)
LEFT JOIN excess USING (vendor, number, currency, place)
LEFT JOIN credits USING (vendor, number, currency, place)
"""

_COMMITMENTS: Final = f"""
CREATE OR REPLACE TEMP TABLE commitments AS
WITH opened AS (
    SELECT lines.*, invoiced,
        CASE WHEN is_closed THEN 0 WHEN amount < 0 THEN least(amount - invoiced, 0)
            ELSE greatest(amount - invoiced, 0) END AS left_over
    FROM order_lines_in_force AS lines JOIN order_set_off USING (line_id)),
reduced AS (
    SELECT *, sum(greatest(left_over, 0)) OVER (PARTITION BY vendor, number, currency) AS reducible,
        coalesce(sum(least(left_over, 0)) OVER (
            PARTITION BY vendor, number, currency ORDER BY place {_BEFORE}), 0) AS reduced_before
    FROM opened)
SELECT po_no, line_no, vendor_code, vendor_name, account, series, location, currency,
    CAST(amount AS DECIMAL(38, 4)) AS ordered, CAST(invoiced AS DECIMAL(38, 4)) AS invoiced,
    CAST(CASE WHEN left_over >= 0 THEN left_over
        ELSE greatest(left_over, least(-(reducible + reduced_before), 0)) END AS DECIMAL(38, 4)) AS open,
    CAST(greatest(invoiced - capacity, 0) AS DECIMAL(38, 4)) AS over,
    is_closed, stated_on, description, {ROW_ID_SQL} AS row_id
FROM reduced ORDER BY vendor, number, currency, place
"""

_SHOWN: Final = ", ".join(name for name in FINDING_COLUMNS if name not in {"excess", "finding"})

_AFTER: Final = "is dated after the purchase order was closed"

_CLOSED_ON: Final = "CASE WHEN bool_and(is_closed) THEN max(stated_on) END"

_EXCEPTIONS: Final = f"""
CREATE OR REPLACE TEMP TABLE order_exceptions AS
WITH orders AS (
    SELECT vendor, number, list_sort(list(DISTINCT currency)) AS currencies,
        list(DISTINCT account) AS accounts, {_CLOSED_ON} AS closed_on
    FROM order_lines_in_force GROUP BY ALL),
numbers AS (SELECT DISTINCT number FROM order_lines_in_force),
judged AS (
    SELECT invoices.*, CASE
        WHEN orders.number IS NULL AND numbers.number IS NOT NULL THEN 'the order is of another vendor'
        WHEN orders.number IS NULL THEN 'no such order'
        WHEN NOT list_contains(currencies, currency)
            THEN 'the order is in ' || array_to_string(currencies, ', ') || '; not set off'
        WHEN NOT list_contains(accounts, account) THEN 'the order has no line of this account'
        WHEN transaction_date > closed_on THEN '{_AFTER}' END AS finding
    FROM order_invoices_named AS invoices LEFT JOIN orders USING (vendor, number)
    LEFT JOIN numbers USING (number) WHERE invoices.number IS NOT NULL)
SELECT {_SHOWN}, amount AS excess, finding FROM judged WHERE finding IS NOT NULL
ORDER BY transaction_date, vendor_code, document_no, entry_id
"""

# An invoice exceeds its order with what its lines, in this order, bring beyond the sum of the lines ordered.
# A closed line counts with what was invoiced on it; after all lines were closed, an invoice exceeds wholly.
_FINDINGS: Final = f"""
CREATE OR REPLACE TEMP TABLE order_findings AS
WITH orders AS (
    SELECT vendor, number, currency, greatest(sum(CASE WHEN NOT is_closed THEN amount
        WHEN amount < 0 THEN greatest(amount, least(invoiced, 0))
        ELSE least(amount, invoiced) END), 0) AS ordered
    FROM order_lines_in_force JOIN order_set_off USING (line_id) GROUP BY ALL),
closed AS (
    SELECT vendor, number, {_CLOSED_ON} AS closed_on FROM order_lines_in_force GROUP BY ALL),
known AS (SELECT DISTINCT vendor, number FROM order_lines_in_force),
running AS (
    SELECT invoices.*, ordered, closed_on, sum(amount) OVER (
        PARTITION BY vendor, number, currency
        ORDER BY transaction_date, document_no, entry_id) AS so_far
    FROM order_invoices_named AS invoices JOIN orders USING (vendor, number, currency)
    JOIN closed USING (vendor, number)),
beyond AS (
    SELECT {_SHOWN},
        CASE WHEN transaction_date > closed_on THEN amount ELSE least(amount, so_far - ordered) END AS excess,
        CASE WHEN transaction_date > closed_on THEN '{_AFTER}'
            ELSE 'exceeds the purchase order' END AS finding
    FROM running WHERE amount > 0 AND (so_far > ordered OR transaction_date > closed_on)),
documents AS (
    SELECT invoices.*, known.number IS NOT NULL AS has_order,
        sum(base_amount) OVER (PARTITION BY document_id) AS total
    FROM order_invoices_named AS invoices LEFT JOIN known USING (vendor, number)
    WHERE account IN (SELECT account FROM order_accounts) OR NOT EXISTS (FROM order_accounts)),
without AS (
    SELECT {_SHOWN}, amount AS excess,
        CASE WHEN number IS NULL THEN 'names no purchase order'
            WHEN number IN (SELECT number FROM known) THEN 'the order is of another vendor'
            ELSE 'names an unknown purchase order' END AS finding
    FROM documents WHERE NOT has_order AND total >= CAST({{threshold}} AS DECIMAL(38, 4)))
FROM (FROM beyond UNION ALL FROM without)
ORDER BY transaction_date, vendor_code, document_no, entry_id
"""
