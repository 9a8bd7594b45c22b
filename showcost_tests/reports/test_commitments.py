"""Open commitments: what was invoiced is set off against the lines of its order, to the last cent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.config.production import OrderPolicy
from showcost.ledger.schema import ENTRY_COLUMNS, PLAN_COLUMNS
from showcost.reports.commitments import COLUMNS, FINDING_COLUMNS, open_commitments
from showcost_tests.validation.raw import PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DAY: Final = date(2026, 10, 20)
Line = dict[str, object]


def order(number: str, line: str, amount: str, account: str = "2210", **other: object) -> Line:
    return {
        "po_no": number,
        "line_no": line,
        "amount": Decimal(amount),
        "account": account,
        "vendor_code": "V1",
        "vendor_name": "Flats Ltd",
        "currency": "EUR",
        "stated_on": date(2026, 10, 1),
        "is_closed": False,
        "seq": 1,
    } | other


def invoice(number: str | None, amount: str, account: str = "2210", **other: object) -> Line:
    return {
        "po_no": number,
        "amount": Decimal(amount),
        "base_amount": Decimal(amount),
        "account": account,
        "vendor_code": "V1",
        "currency": "EUR",
        "transaction_date": date(2026, 10, 5),
        "document_no": "R1",
        "document_id": "d1",
        "component": "net",
    } | other


def database(orders: Sequence[Line], invoices: Sequence[Line]) -> duckdb.DuckDBPyConnection:
    """Return a database with these plan lines and entries, in the columns of the ledger."""
    connection = duckdb.connect()
    lines = [
        {"line_id": f"l{number:03}", "line_kind": "line", "record_kind": "purchase_order", "arrival": 1}
        | {"record": number}
        | line
        for number, line in enumerate(orders)
    ]
    entries = [
        {
            "entry_id": f"e{number:03}",
            "entry_kind": "posting",
            "record_kind": "vendor_invoice",
            "batch_id": "b",
        }
        | entry
        for number, entry in enumerate(invoices)
    ]
    for name, columns, rows in (
        ("plan_lines", PLAN_COLUMNS, lines),
        ("ledger_entries", ENTRY_COLUMNS, entries),
    ):
        types = ", ".join(f'"{column.name}" {column.type}' for column in columns)
        connection.execute(f"CREATE TABLE {name} ({types})")
        for row in rows:
            names, marks = ", ".join(f'"{field}"' for field in row), ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO {name} ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608 -- names of ours
    connection.execute("CREATE TABLE batches AS SELECT 'b' AS batch_id, 5 AS seq")
    return connection


def commitments(
    orders: Sequence[Line], invoices: Sequence[Line], policy: OrderPolicy | None = None
) -> duckdb.DuckDBPyConnection:
    connection = database(orders, invoices)
    production = PRODUCTION.model_copy(update={"purchase_orders": policy or OrderPolicy()})
    open_commitments(connection, production, DAY, None)
    return connection


def rows(connection: duckdb.DuckDBPyConnection, table: str = "commitments") -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = connection.sql(f"FROM {table}").to_arrow_table().to_pylist()
    return result


def shown(orders: Sequence[Line], invoices: Sequence[Line]) -> list[tuple[str | None, str, str, str]]:
    """Return (line, invoiced, open, over) of each order line."""
    return [
        (row["line_no"], *(f"{row[name].normalize():f}" for name in ("invoiced", "open", "over")))
        for row in rows(commitments(orders, invoices))
    ]


def findings(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str, str]]:
    return [
        (row["entry_id"], row["finding"], f"{row['excess'].normalize():f}") for row in rows(connection, table)
    ]


def test_the_views_have_the_columns_of_their_contract() -> None:
    connection = commitments([], [])
    for table, columns in (
        ("commitments", COLUMNS),
        ("order_findings", FINDING_COLUMNS),
        ("order_exceptions", FINDING_COLUMNS),
    ):
        assert connection.sql(f"FROM {table}").columns == list(columns)


def test_an_invoice_is_set_off_against_the_lines_of_its_account_first() -> None:
    orders = [
        order("P1", "1", "100", "2210"),
        order("P1", "2", "50", "3610"),
        order("P1", "10", "70", "2210"),
    ]
    assert shown(orders, [invoice("P1", "130", "2210")]) == [
        ("1", "100", "0", "0"),
        ("2", "0", "50", "0"),
        ("10", "30", "40", "0"),
    ]


def test_what_is_left_goes_to_the_other_lines_and_then_beyond_the_order() -> None:
    orders = [order("P1", "1", "100", "2210"), order("P1", "2", "50", "3610")]
    assert shown(orders, [invoice("P1", "120", "2210")]) == [("1", "100", "0", "0"), ("2", "20", "30", "0")]
    assert shown(orders, [invoice("P1", "175", "2210")]) == [("1", "125", "0", "25"), ("2", "50", "0", "0")]
    assert shown(orders, [invoice("P1", "160", "9999")]) == [("1", "100", "0", "0"), ("2", "60", "0", "10")]


def test_a_closed_line_has_nothing_open_and_takes_nothing_of_other_accounts() -> None:
    orders = [order("P1", "1", "100", is_closed=True), order("P1", "2", "50", "3610")]
    assert shown(orders, [invoice("P1", "40")]) == [("1", "40", "0", "0"), ("2", "0", "50", "0")]
    assert shown(orders, [invoice("P1", "90", "3610")]) == [("1", "0", "0", "0"), ("2", "90", "0", "40")]


def test_credits_open_a_commitment_again_and_discounts_reduce_it() -> None:
    assert shown([order("P1", "1", "100")], [invoice("P1", "80"), invoice("P1", "-30")]) == [
        ("1", "50", "50", "0")
    ]
    orders = [order("P1", "1", "1000"), order("P1", "2", "-100")]
    assert shown(orders, []) == [("1", "0", "1000", "0"), ("2", "0", "-100", "0")]
    assert shown(orders, [invoice("P1", "900")]) == [("1", "900", "100", "0"), ("2", "0", "-100", "0")]
    assert shown(orders, [invoice("P1", "1000")]) == [("1", "1000", "0", "0"), ("2", "0", "0", "0")]


def test_the_latest_statement_of_a_line_holds_up_to_the_last_day() -> None:
    orders = [
        order("P1", "1", "100", stated_on=date(2026, 10, 1)),
        order("p1 ", "1", "300", stated_on=date(2026, 10, 10)),
        order("P1", "1", "900", stated_on=date(2026, 10, 21)),
        order("P1", "01", "200", stated_on=date(2026, 10, 10), seq=2),
    ]
    late = invoice("P1", "10", transaction_date=date(2026, 10, 21))
    assert shown(orders, [invoice("P1", "10"), late]) == [("01", "10", "190", "0")]


def test_withdrawn_lines_and_reversed_invoices_do_not_count() -> None:
    withdrawal = order("P2", "1", "5", line_kind="withdrawal", withdraws="l001")
    connection = database(
        [order("P1", "1", "100"), order("P2", "1", "5"), withdrawal],
        [invoice("P1", "60"), invoice("P1", "-60", entry_kind="reversal", reverses="e000")],
    )
    open_commitments(connection, PRODUCTION, DAY, None)
    assert [(row["po_no"], row["open"]) for row in rows(connection)] == [("P1", Decimal(100))]


def test_what_was_not_set_off_is_listed_and_never_dropped() -> None:
    orders = [order("P1", "1", "100"), order("P7", "1", "30", is_closed=True)]
    connection = commitments(
        orders,
        [
            invoice("P1", "10", currency="GBP"),
            invoice("P1", "10", account="3610"),
            invoice("P2", "10"),
            invoice("P1", "10", vendor_code="V2"),
            invoice("P7", "10"),
            invoice("P7", "10", transaction_date=date(2026, 9, 30)),  # before it was closed
            invoice(None, "10"),
        ],
    )
    assert [finding for _, finding, _ in findings(connection, "order_exceptions")] == [
        "the order is in EUR; not set off",
        "the order has no line of this account",
        "no such order",
        "is dated after the purchase order was closed",
        "the order is of another vendor",
    ]
    assert findings(connection, "order_findings") == [
        ("e004", "is dated after the purchase order was closed", "10")
    ]


def test_an_invoice_that_exceeds_its_order_is_found_whatever_was_posted_first() -> None:
    orders = [order("P1", "1", "100"), order("P1", "2", "50", "3610")]
    invoices = [
        invoice("P1", "90", entry_id="a", transaction_date=date(2026, 10, 3)),
        invoice("P1", "80", "3610", entry_id="b", transaction_date=date(2026, 10, 4)),
        invoice("p 1", "5", entry_id="c", transaction_date=date(2026, 10, 5)),
    ]
    expected = [("b", "exceeds the purchase order", "20"), ("c", "exceeds the purchase order", "5")]
    for order_of_posting in permutations(invoices):
        assert findings(commitments(orders, order_of_posting), "order_findings") == expected


def test_an_invoice_without_an_order_is_found_where_one_is_required() -> None:
    invoices = [
        invoice(None, "600", entry_id="a"),
        invoice(None, "500", entry_id="b"),  # the same invoice, 1,100 together
        invoice("none", "2000", entry_id="c", document_id="d2"),
        invoice(None, "900", entry_id="d", document_id="d3"),
        invoice(None, "5000", "3610", entry_id="e", document_id="d4"),
        invoice("P1", "5", entry_id="f", document_id="d5"),
    ]
    policy = OrderPolicy(required_from=Decimal(1000), accounts=("2210",))
    found = findings(commitments([order("P1", "1", "100")], invoices, policy), "order_findings")
    assert found == [
        ("a", "names no purchase order", "600"),
        ("b", "names no purchase order", "500"),
        ("c", "names an unknown purchase order", "2000"),
    ]


def test_what_a_closed_line_left_open_is_no_room_for_other_invoices() -> None:
    orders = [
        order("P1", "1", "1200", "3320"),
        order("P1", "2", "500", "3220", is_closed=True, stated_on=date(2026, 10, 2)),
    ]
    invoices = [
        invoice("P1", amount, "3320", entry_id=name, document_no=name, transaction_date=date(2026, 10, day))
        for name, amount, day in (("a", "1000", 3), ("b", "-300", 4), ("c", "900", 5))
    ]
    connection = commitments(orders, invoices)
    assert findings(connection, "order_findings") == [("c", "exceeds the purchase order", "400")]
    assert [row["over"] for row in rows(connection)] == [Decimal(400), Decimal(0)]


PARTS: Final = st.integers(0, 9000).map(lambda cents: Decimal(cents).scaleb(-2))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(("2210", "3610")), PARTS, st.booleans()), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(("2210", "3610")), PARTS), max_size=5),
)
def test_invoices_exceed_an_order_by_what_its_lines_have_over(
    lines: list[tuple[str, Decimal, bool]], invoices: list[tuple[str, Decimal]]
) -> None:
    lines = [*lines, ("2210", Decimal(1), False)]
    orders = [
        order("P1", str(number), str(amount), account, is_closed=closed)
        for number, (account, amount, closed) in enumerate(lines, 1)
    ]
    connection = commitments(orders, [invoice("P1", str(amount), account) for account, amount in invoices])
    excess = sum(Decimal(amount) for _, _, amount in findings(connection, "order_findings"))
    assert excess == sum(row["over"] for row in rows(connection))


ACCOUNTS: Final = ("2210", "2290", "3610")
AMOUNTS: Final = st.integers(-3000, 9000).map(lambda cents: Decimal(cents).scaleb(-2))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ACCOUNTS), AMOUNTS, st.booleans()), min_size=1, max_size=5),
    st.lists(st.tuples(st.sampled_from(ACCOUNTS), AMOUNTS), max_size=6),
)
def test_the_lines_of_an_order_carry_exactly_what_was_invoiced(
    lines: list[tuple[str, Decimal, bool]], invoices: list[tuple[str, Decimal]]
) -> None:
    orders = [
        order("P1", str(number), str(amount), account, is_closed=closed)
        for number, (account, amount, closed) in enumerate(lines, 1)
    ]
    entries = [invoice("P1", str(amount), account) for account, amount in invoices]
    result = rows(commitments(orders, entries))
    assert [row["invoiced"] for row in result] == set_off_by_hand(lines, invoices)
    assert sum(row["invoiced"] for row in result) == sum((amount for _, amount in invoices), Decimal(0))
    assert sum(row["open"] for row in result) >= 0
    for row in result:
        assert row["over"] == max(row["invoiced"] - max(row["ordered"], 0), 0)
        if row["is_closed"]:
            assert row["open"] == 0
        elif row["ordered"] >= 0:
            assert row["open"] == max(row["ordered"] - row["invoiced"], 0)


def set_off_by_hand(
    lines: list[tuple[str, Decimal, bool]], invoices: Iterable[tuple[str, Decimal]]
) -> list[Decimal]:
    """Set invoices off against order lines in plain loops, as the policy of the module says."""
    net: dict[str, Decimal] = {}
    for account, amount in invoices:
        net[account] = net.get(account, Decimal(0)) + amount
    taken = [Decimal(0)] * len(lines)
    everywhere = range(len(lines))
    own = {account: [number for number in everywhere if lines[number][0] == account] for account in net}
    still_open = [number for number in everywhere if not lines[number][2]]
    rests = {account: fill(lines, taken, own[account], net[account]) for account in sorted(net)}
    rests = {account: fill(lines, taken, still_open, rest) for account, rest in rests.items()}
    for account, rest in rests.items():
        places = own[account] or list(everywhere)
        taken[places[-1] if rest > 0 else places[0]] += rest
    return taken


def fill(
    lines: list[tuple[str, Decimal, bool]], taken: list[Decimal], places: Iterable[int], amount: Decimal
) -> Decimal:
    """Set an amount off against the room of some lines, and return what is left of it."""
    for number in places:
        room = max(lines[number][1], Decimal(0)) - max(taken[number], Decimal(0))
        part = max(min(amount, room), Decimal(0))
        taken[number] += part
        amount -= part
    return amount
