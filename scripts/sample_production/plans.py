"""Purchase orders of the sample's invoices, estimates to complete, and revisions of the budget.

The orders follow from the invoices that name them: some are invoiced in part, some beyond their amount, and
some are closed. The later list repeats the lines of the earlier one.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from sample_production import faults as f
from sample_production import layouts
from sample_production.files import Builder, Row, canada, germany, united_kingdom, united_states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sample_production.draw import Draw
    from sample_production.layouts import Record
    from sample_production.truth import Delivery

_BUDGET = Path(__file__).resolve().parents[2] / "data" / "budget.csv"
_FIRST, _FIRST_LIST, _LAST = date(2026, 9, 21), date(2026, 10, 2), date(2026, 10, 30)
_ORDERS_PER_UNIT = {germany: 9, united_kingdom: 6, canada: 6, united_states: 6}
_HUNDRED = Decimal(100)
_RAISED = 2
"""Lines whose amount was raised later; the other changed ones were closed."""

_CLOSED_ACCOUNT = "2290"
_FAULTS = (f.blank("vendor_code"), f.dated("stated_on", date(2026, 9, 17), "SC-PER-001"))


def purchase_orders(seed: int) -> list[Delivery]:
    """Return the two lists of open orders."""
    build = Builder("purchase_orders", seed, ("amount",))
    lines = sorted(
        _order_lines(seed, build.draw("orders")),
        key=lambda line: (str(line["stated_on"]), str(line["po_no"]), str(line["line_no"])),
    )
    early = [line for line in lines if str(line["stated_on"]) <= str(_FIRST_LIST)]
    late = [line for line in lines if str(line["stated_on"]) > str(_FIRST_LIST)]
    name = "Open orders 2026-10-02.csv"
    rows = build.plant(name, early, _FAULTS)
    build.write(name, layouts.ORDERS, rows)
    repeated = [dict(row.record) for row in rows if row.fault is None]
    changed = _changed(build.draw("changes"), repeated)
    name = "Open orders 2026-10-30.csv"
    build.write(
        name,
        layouts.ORDERS,
        [
            *(Row(line, f.REPEATED) for line in repeated),
            *(Row(line) for line in changed),
            *build.plant(name, late, (f.CLOSED_MAYBE, f.account("33O0", "SC-COA-001"))),
        ],
        note="the lines of 2 October again, five of them changed since",
    )
    return build.deliveries


def _changed(draw: Draw, lines: list[Record]) -> list[Record]:
    """Return five lines as they changed later: two raised, three closed. They are removed from `lines`."""
    changed = []
    for number, line in enumerate(draw.several(lines, 5)):
        lines.remove(line)
        later = line | {"stated_on": date(2026, 10, 12 + number)}
        if number < _RAISED:
            later["amount"] = f.amount_of(line, "amount") * 2
        else:
            later["is_closed"] = "yes"
        changed.append(later)
    return changed


def _order_lines(seed: int, draw: Draw) -> Iterator[Record]:
    for unit, count in _ORDERS_PER_UNIT.items():
        orders: dict[tuple[str, str], list[Record]] = {}
        for delivery in unit(seed):
            for record in delivery.records:
                if record["po_no"]:
                    orders.setdefault((str(record["vendor_code"]), str(record["po_no"])), []).append(record)
        invoiced = [records for records in orders.values() if _total(records) > 0]
        for records in draw.several(invoiced, count):
            yield from _lines(draw, records)


def _total(records: list[Record]) -> Decimal:
    return sum((f.amount_of(record, "net_amount") for record in records), Decimal(0))


def _lines(draw: Draw, records: list[Record]) -> Iterator[Record]:
    """Yield the lines of an order, one per account of its invoices, stated before the first of them.

    A closed order is stated as of its closing, after the last.
    """
    days = sorted(str(record["invoice_date"]) for record in records)
    stated = max(_FIRST, date.fromisoformat(days[0]) - timedelta(days=draw.between(1, 8)))
    share = draw.pick((80, 95, 100, 120, 150, 200, 250))
    closed = share >= _HUNDRED and draw.chance(20)
    if closed:
        stated = min(_LAST, date.fromisoformat(days[-1]) + timedelta(days=1))
    accounts = sorted({str(record["account"]) for record in records})
    for number, account in enumerate(accounts, 1):
        of_account = [record for record in records if record["account"] == account]
        ordered = (_total(of_account) * share / _HUNDRED / _HUNDRED).to_integral_value() * _HUNDRED
        line: Record = {
            "line_no": str(number),
            "stated_on": stated,
            "account": account,
            "amount": max(ordered, _HUNDRED).quantize(layouts.CENT),
            "is_closed": "yes" if closed else "no",
        }
        yield line | {name: of_account[0][name] for name in _FROM_INVOICE}


_FROM_INVOICE = (
    *("production_code", "po_no", "vendor_code", "vendor_name", "service_from", "service_to"),
    *("series", "location", "set", "description", "currency"),
)


def estimates(seed: int) -> list[Delivery]:
    """Return the estimates of every budgeted account, and the later ones of some accounts."""
    build = Builder("estimates", seed, ("amount",))
    draw = build.draw("estimates")
    first = [
        _estimate(draw, account, budget, date(2026, 10, 9), "cost meeting, end of first week")
        for account, budget in _budget()
    ]
    name = "Estimates 2026-10-09.csv"
    build.write(
        name,
        layouts.ESTIMATES,
        build.plant(name, first, (f.blank("stated_by"), f.account("9110", "SC-COA-003"))),
    )
    name = "Estimates 2026-10-23.csv"
    later = [
        _estimate(draw, account, budget, date(2026, 10, 23), "wrap of photography")
        for account, budget in draw.several([line for line in _budget() if line[1]], 14)
    ]
    build.write(
        name, layouts.ESTIMATES, [Row(record) for record in later], note="only the accounts that changed"
    )
    return build.deliveries


def _budget() -> list[tuple[str, Decimal]]:
    with _BUDGET.open(newline="", encoding="utf-8") as file:
        lines = [(line["account"], Decimal(line["amount"])) for line in csv.DictReader(file)]
    return [(account, amount) for account, amount in lines if account != _CLOSED_ACCOUNT]


def _estimate(draw: Draw, account: str, budget: Decimal, day: date, reason: str) -> Record:
    share = draw.between(70, 100)
    rounded = (budget * share / _HUNDRED / _HUNDRED).to_integral_value() * _HUNDRED
    by = draw.pick(("A. Bell, production accountant", "M. Ferrand, line producer"))
    return {
        "production_code": "HRB",
        "stated_on": day,
        "account": account,
        "currency": "USD",
        "amount": rounded.quantize(layouts.CENT),
        "stated_by": by,
        "reason": reason,
    }


def budget_revisions(seed: int) -> list[Delivery]:
    """Return the revisions of the budget: a stage that moves, more stunts, and a cut in euros."""
    build = Builder("budget_revisions", seed, ("amount",))
    rows = [
        Row(
            {
                "production_code": "HRB",
                "revision_no": number,
                "stated_on": day,
                "account": account,
                "currency": currency,
                "amount": Decimal(amount).quantize(layouts.CENT),
                "stated_by": "K. Osei, executive producer",
                "reason": reason,
            }
        )
        for number, day, reason, changes in _REVISIONS
        for account, currency, amount in changes
    ]
    build.write("Budget revisions 2026-10-30.csv", layouts.REVISIONS, rows)
    return build.deliveries


_REVISIONS = (
    (
        "1",
        date(2026, 10, 7),
        "stage build moves from Babelsberg to location",
        (("2330", "USD", "-180000"), ("2310", "USD", "60000"), ("2320", "USD", "120000")),
    ),
    (
        "2",
        date(2026, 10, 16),
        "second stunt day on the pontoon bridge",
        (("1430", "USD", "45000"), ("2610", "USD", "12500.50")),
    ),
    ("3", date(2026, 10, 28), "fewer cranes in the last week", (("2530", "EUR", "-20000"),)),
)
