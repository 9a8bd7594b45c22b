"""A cost that is delivered twice, in whatever way, posts once; a person decides about the rest."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from showcost.checks.verify import verify
from showcost.core.errors import CheckFailedError, InputError
from showcost.ingest.landing import land
from showcost.pipeline.due import due_by_landing
from showcost.pipeline.replay import replay
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import find_rows
from showcost.staging.assets import quarantine_asset
from showcost.workspace import open_workspace
from showcost_tests.reconciliation.acts import WHO, WHY
from showcost_tests.whole import small
from showcost_tests.whole.steps import ledger_digest, take, totals
from showcost_tests.whole.two_ways import (
    BOTH,
    E_INVOICES,
    KANTINE,
    LIST,
    Invoice,
    Vendor,
    codes,
    e_invoice,
    found,
    listed,
    posted,
    queued,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from showcost.workspace import Workspace

pytestmark = pytest.mark.timeout(900)
DAYS = [small.WEDNESDAY, small.THURSDAY, small.FRIDAY]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return an empty production."""
    return small.make_home(tmp_path / "home")


def arrive(workspace: Workspace, *contents: str) -> None:
    """Land lists and e-invoices in this order."""
    for content in contents:
        feed, ending = (E_INVOICES, "xml") if content.startswith("<") else (LIST, "csv")
        small.deliver(workspace, feed, f"{len(workspace.register.arrivals()) + 1}.{ending}", content)
        land(workspace, next(spec for spec in workspace.feeds if spec.name == feed))


def deliver(workspace: Workspace, *contents: str) -> None:
    arrive(workspace, *contents)
    take(workspace, DAYS, feeds=BOTH)


def due(workspace: Workspace) -> set[tuple[str, date]]:
    return {(feed.name, day) for feed in workspace.feeds for day in due_by_landing(workspace, feed).dates}


def expectations(workspace: Workspace, code: str) -> list[str]:
    """Return what the reasons with a code expected."""
    return [
        reason["expected"]
        for feed in BOTH
        for part in workspace.staging.partitions(quarantine_asset(feed))
        for text in workspace.staging.read(quarantine_asset(feed), part).column("reasons").to_pylist()
        for reason in json.loads(text)
        if reason["code"] == code
    ]


LINES = Invoice("R-77", ("500.00", "500.00", "70.00"), numbered=False)


def test_lines_without_numbers(workspace: Workspace) -> None:
    deliver(workspace, listed(LINES))
    assert (posted(workspace), codes(workspace)) == (Decimal("1070.00"), [])
    deliver(workspace, listed(LINES.but(nets=("70.00", "500.00", "90.00", "500.00"))))
    assert posted(workspace) == Decimal("1070.00")
    assert codes(workspace) == ["SC-DUP-001", "SC-DUP-001", "SC-DUP-002", "SC-DUP-001"]
    extra = next(row for row in queued(workspace) if row.codes == ("SC-DUP-002",))
    with pytest.raises(InputError, match="it does not replace one row of its key"):
        deciding.rebook(workspace, [found(workspace, extra)], who=WHO, why=WHY)
    accepted = deciding.accept(workspace, [found(workspace, extra)], who=WHO, why=WHY)
    assert replay(workspace, accepted.places).appended == 2
    # The document comes a third time, with all four lines.
    deliver(workspace, listed(LINES.but(nets=("500.00", "500.00", "90.00", "70.00"))))
    assert posted(workspace) == Decimal("1160.00")
    assert codes(workspace)[-4:] == ["SC-DUP-001"] * 4
    assert verify(workspace).first is None
    assert not due(workspace)
    totals(workspace)


def test_lines_numbered_anew(workspace: Workspace) -> None:
    invoice = Invoice("R-78", ("500.00", "70.00"))
    deliver(workspace, listed(invoice))
    deliver(workspace, listed(invoice.but(lines=("10", "20"))))
    assert (posted(workspace), codes(workspace)) == (Decimal("570.00"), ["SC-DUP-003"] * 2)
    # A line more of the same document is none of its lines again.
    deliver(workspace, listed(invoice.but(lines=("3", "4"), nets=("80.00", "90.00"))))
    assert (posted(workspace), codes(workspace)) == (Decimal("740.00"), ["SC-DUP-003"] * 2)
    accepted = deciding.accept(workspace, [found(workspace, queued(workspace)[0])], who=WHO, why=WHY)
    assert replay(workspace, accepted.places).appended == 2
    take(workspace, DAYS, feeds=BOTH)
    assert not due(workspace)
    assert posted(workspace) == Decimal("1240.00")
    assert verify(workspace).first is None
    totals(workspace)


def test_a_line_taken_back_and_booked_anew(workspace: Workspace) -> None:
    invoice = Invoice("R-79", ("111.00",))
    deliver(workspace, listed(invoice))
    deliver(workspace, listed(invoice.but(nets=("-111.00", "115.00")), invoice.but(number="R-80")))
    assert (posted(workspace), codes(workspace)) == (Decimal("222.00"), ["SC-DUP-002"] * 2)
    back, anew = queued(workspace)
    with pytest.raises(InputError, match="it does not replace one row of its key"):
        deciding.rebook(workspace, [found(workspace, anew)], who=WHO, why=WHY)
    accepted = deciding.accept(workspace, [found(workspace, back)], who=WHO, why=WHY)
    assert replay(workspace, accepted.places).appended == 2
    assert posted(workspace) == Decimal("111.00")
    # The line that waited with it is due, and posts.
    assert due(workspace) == {(LIST, small.WEDNESDAY)}
    take(workspace, DAYS, feeds=BOTH)
    assert (posted(workspace), codes(workspace)) == (Decimal("226.00"), [""])
    assert not due(workspace)
    assert verify(workspace).first is None
    totals(workspace)


def test_a_list_that_is_copied_below_itself(workspace: Workspace) -> None:
    once = listed(LINES)
    deliver(workspace, once + once.removeprefix("\ufeff"))
    assert (posted(workspace), codes(workspace)) == (Decimal("1070.00"), ["SC-DUP-003"] * 3)
    assert expectations(workspace, "SC-DUP-003")[0] == (
        "no row of another table of its file again, but repeats record 2"
    )
    accepted = deciding.accept(workspace, [found(workspace, queued(workspace)[2])], who=WHO, why=WHY)
    assert replay(workspace, accepted.places).appended == 2
    assert posted(workspace) == Decimal("1140.00")
    assert verify(workspace).first is None
    totals(workspace)


def test_an_e_invoice_and_a_list(workspace: Workspace) -> None:
    invoice = Invoice("INV-8", ("500.00",))
    deliver(
        workspace,
        listed(
            invoice,
            invoice.but(number="000123", nets=("7.00",)),
            invoice.but(number="X-1", nets=("100.00", "50.00"), day=small.THURSDAY),
            invoice.but(number="1.23457E+11"),
            invoice.but(number="K-1", nets=("9.00",), vendor=KANTINE),
        ),
        e_invoice(invoice.but(number="inv \u2013 8", vendor=Vendor("0204:1", "Drewitz SE", "DE 999000105"))),
        e_invoice(invoice.but(number="8", day=small.FRIDAY)),
        e_invoice(invoice.but(number="X-1", nets=("151.00",), day=small.FRIDAY)),
        listed(invoice.but(number="123", nets=("7.00",))),
        e_invoice(invoice.but(number="K-1", nets=("9.00",))),
    )
    assert posted(workspace) == Decimal("675.00")
    assert codes(workspace) == ["SC-DOC-001", "SC-DUP-001", "SC-DUP-003", "SC-DUP-002", "SC-DUP-001"]
    (alike,) = expectations(workspace, "SC-DUP-003")
    delivery = workspace.register.arrivals()[0].delivery[:12]
    assert alike == (
        "no cost like another, unless a person accepts it:"
        f" record 2 of delivery {delivery} of feed {LIST} comes first"
    )

    # A person says that 8 is another invoice, and that the list wrote a wrong number.
    waiting = next(row for row in queued(workspace) if row.document == "8")
    accepted = deciding.accept(workspace, [found(workspace, waiting)], who=WHO, why=WHY)
    assert replay(workspace, accepted.places).appended == 2
    assert posted(workspace) == Decimal("1175.00")
    with workspace.ledger.read() as connection:
        ((entry,),) = connection.execute(
            "SELECT entry_id FROM ledger_entries WHERE document_no = 'X-1' AND amount = 50"
        ).fetchall()
    rows = find_rows(workspace, [entry])
    corrected = deciding.correct(workspace, rows, {"invoice_no": "X-2"}, who=WHO, why=WHY)
    replay(workspace, corrected.places)
    # Whatever has the cost of a decided row is made again; what waited for the second line still waits.
    assert (E_INVOICES, small.FRIDAY) in due(workspace)
    take(workspace, DAYS, feeds=BOTH)
    assert not due(workspace)
    assert posted(workspace) == Decimal("1175.00")
    digest = ledger_digest(workspace)
    take(workspace, DAYS, feeds=BOTH)
    assert ledger_digest(workspace) == digest
    assert verify(workspace).first is None
    totals(workspace)


def numbers_from(header: str, monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> Workspace:
    """Return the production whose list has its numbers in another column; its deliveries are read again."""
    feed = next(feed for feed in workspace.feeds if feed.name == LIST)
    hints = feed.fields["invoice_no"].model_copy(update={"headers": (header,)})
    changed = feed.model_copy(update={"fields": {**feed.fields, "invoice_no": hints}})
    feeds = [changed if other.name == LIST else other for other in workspace.feeds]
    monkeypatch.setattr("showcost.workspace.load_feeds", lambda *_, **__: feeds)
    read_again = open_workspace(workspace.path)
    land(read_again, changed)
    return read_again


def test_a_repetition_of_a_row_that_reads_otherwise_now_is_due(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(workspace, listed(Invoice("INV-8", ("500.00",))), e_invoice(Invoice("INV-8", ("500.00",))))
    take(workspace, DAYS, feeds=[E_INVOICES])
    assert (posted(workspace), codes(workspace)) == (Decimal(0), ["SC-DUP-001"])
    assert (E_INVOICES, small.WEDNESDAY) not in due(workspace)
    # The list arrived first, but its number is in another column: the feed's description was wrong.
    changed = numbers_from("Buchungstext", monkeypatch, workspace)
    assert (E_INVOICES, small.WEDNESDAY) in due(changed)
    take(changed, DAYS, feeds=[LIST])
    assert (E_INVOICES, small.WEDNESDAY) in due(changed)
    take(changed, DAYS, feeds=[E_INVOICES])
    assert (posted(changed), codes(changed)) == (Decimal(1000), [])
    assert not due(changed)


def test_a_repetition_of_a_posted_row_waits_whatever_that_reads_now(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(workspace, listed(Invoice("INV-8", ("500.00",))), e_invoice(Invoice("INV-8", ("500.00",))))
    take(workspace, DAYS, feeds=[E_INVOICES])
    take(workspace, DAYS, feeds=[LIST])
    changed = numbers_from("Buchungstext", monkeypatch, workspace)
    assert due(changed) == {(LIST, small.WEDNESDAY)}
    with pytest.raises(CheckFailedError, match="posted by the key that they had before the feed was changed"):
        take(changed, DAYS, feeds=[LIST])
    assert (E_INVOICES, small.WEDNESDAY) not in due(changed)
    assert posted(changed) == Decimal(500)


PERMITS: Final = "location_permits"
DESK: Final = Vendor("V-DE-010", "Basin Film Permit Desk", "DE999000105")


def permits(*rows: Sequence[str]) -> str:
    return small.delimited([small.PERMITS_HEADER.split(","), *rows])


def fees(workspace: Workspace) -> Decimal:
    """Return the sum of the permit fees in the ledger."""
    with workspace.ledger.read() as connection:
        ((total,),) = connection.execute(
            "SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE component = 'fee'"
        ).fetchall()
    return Decimal(total)


def test_a_permit_in_the_list_of_invoices(workspace: Workspace) -> None:
    every = (*BOTH, PERMITS)
    invoice = Invoice("bfp 118", ("368.00",), vendor=DESK)
    small.deliver(
        workspace,
        PERMITS,
        "1.csv",
        permits(small.permit("BFP-118", "fee", small.WEDNESDAY, "EUR", ("368.00", ""))),
    )
    land(workspace, next(feed for feed in workspace.feeds if feed.name == PERMITS))
    deliver(
        workspace,
        listed(invoice.but(number="BFP-118"), invoice.but(number="BFP-120", nets=("99.00",))),
        e_invoice(invoice),
    )
    take(workspace, DAYS, feeds=[PERMITS])
    # The permit arrived first, whenever it posts.
    assert (posted(workspace), fees(workspace)) == (Decimal("99.00"), Decimal("368.00"))
    assert codes(workspace, every) == ["SC-DUP-001", "SC-DUP-003"]
    (text,) = expectations(workspace, "SC-DUP-001")
    permit = workspace.register.arrivals()[0].delivery[:12]
    assert text == f"one cost in all feeds: record 2 of delivery {permit} of feed {PERMITS} comes first"

    # A permit that comes after its invoice, with another amount.
    again = permits(
        small.permit("BFP-120", "fee", small.THURSDAY, "EUR", ("90.00", "")),
        small.permit("BFP-121", "fee", small.THURSDAY, "EUR", ("90.00", "")),
    )
    small.deliver(workspace, PERMITS, "2.csv", again)
    land(workspace, next(feed for feed in workspace.feeds if feed.name == PERMITS))
    take(workspace, DAYS, feeds=every)
    assert fees(workspace) == Decimal("458.00")
    (conflict,) = queued(workspace, [PERMITS])
    assert conflict.codes == ("SC-DUP-002",)
    # The office sees that the number of the invoice is wrong: the permit is due, and posts.
    with workspace.ledger.read() as connection:
        ((entry,),) = connection.execute(
            "SELECT entry_id FROM ledger_entries WHERE document_no = 'BFP-120' AND component = 'net'"
        ).fetchall()
    rows = find_rows(workspace, [entry])
    corrected = deciding.correct(workspace, rows, {"invoice_no": "BFP-220"}, who=WHO, why=WHY)
    replay(workspace, corrected.places)
    assert (PERMITS, small.THURSDAY) in due(workspace)
    take(workspace, DAYS, feeds=every)
    assert fees(workspace) == Decimal("548.00")
    assert not due(workspace)
    assert verify(workspace).first is None
    totals(workspace)


@pytest.mark.parametrize(
    ("number", "net", "expected"),
    [
        (
            "msp-w44",
            "4002.33",
            ["SC-DUP-003"],
        ),  # two people on Wednesday and one on Sunday, with contributions
        ("MSP-W44", "4102.33", ["SC-DUP-003"]),  # and the company's fee
        ("MSP-W44", "80.00", []),  # the fee alone
    ],
)
def test_a_manifest_of_pay_that_the_office_enters_as_one_invoice(
    number: str, net: str, expected: list[str], workspace: Workspace
) -> None:
    payroll = next(feed for feed in workspace.feeds if feed.name == "payroll_manifest")
    small.deliver(workspace, payroll.name, "1.csv", small.DELIVERIES[payroll.name, "1 manifest.csv"])
    land(workspace, payroll)
    company = Vendor("V-DE-010", "Maple Slate Payroll Corp", "DE999000105")
    deliver(workspace, listed(Invoice(number, (net,), vendor=company)).replace(";EUR;", ";CAD;"))
    assert codes(workspace) == expected
    assert posted(workspace) == (Decimal(0) if expected else Decimal(net))


def test_accepting_a_repetition_has_to_name_it(workspace: Workspace) -> None:
    invoice = Invoice("R-1", ("10.00",))
    deliver(
        workspace,
        listed(invoice),
        e_invoice(invoice.but(nets=("11.00",), vendor=Vendor("V-DE-010", "Wachschutz Drewitz GmbH", "DE9"))),
    )
    (row,) = queued(workspace)
    assert row.codes == ("SC-VEN-002",)  # another tax id is another vendor, however wrong it is
    corrected = deciding.correct(
        workspace, [found(workspace, row)], {"vendor_tax_id": "DE999000105", "account": "0"}, who=WHO, why=WHY
    )
    replay(workspace, corrected.places)
    (row,) = queued(workspace)
    assert row.codes == ("SC-COA-001", "SC-DUP-002")
    assert posted(workspace) == Decimal("10.00")
    with pytest.raises(InputError, match="name the codes to accept with --only"):
        deciding.accept(workspace, [found(workspace, row)], who=WHO, why=WHY)


@pytest.mark.slow
def test_the_order_of_runs_and_partitions_makes_no_difference(tmp_path: Path) -> None:
    contents = [
        listed(Invoice("A-1", ("1.00", "2.00")), Invoice("0007", ("3.00",), day=small.FRIDAY)),
        e_invoice(Invoice("A - 1", ("3.00",))),
        e_invoice(Invoice("A-2", ("4.00", "5.00"), day=small.THURSDAY)),
        listed(Invoice("A-2", ("5.00", "4.00"), day=small.THURSDAY, numbered=False), Invoice("7", ("3.00",))),
        e_invoice(Invoice("7", ("3.00",), day=small.FRIDAY)),
    ]
    orders: dict[str, Sequence[tuple[str, list[date]]]] = {
        "at once": [(feed, DAYS) for feed in BOTH],
        "backwards": [(feed, [day]) for day in reversed(DAYS) for feed in BOTH],
        "feed by feed": [(feed, [day]) for feed in reversed(BOTH) for day in DAYS],
    }
    digests = {}
    for name, order in orders.items():
        workspace = small.make_home(tmp_path / name)
        arrive(workspace, *contents)
        for feed, days in order:
            take(workspace, days, feeds=[feed])
        for feed, day in sorted(due(workspace)):
            take(workspace, [day], feeds=[feed])
        assert not due(workspace), name
        digests[name] = ledger_digest(workspace).hash, posted(workspace), codes(workspace)
    workspace = small.make_home(tmp_path / "one by one")
    for content in contents:
        deliver(workspace, content)
    digests["one by one"] = ledger_digest(workspace).hash, posted(workspace), codes(workspace)
    assert set(map(str, digests.values())) == {str(digests["at once"])}
    assert posted(workspace) == Decimal("15.00")
