"""Bank statements: versions, several statements, details, balances, and files that are refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from showcost.readers.source import UnreadableError
from showcost.readers.statements.camt053 import read_camt053
from showcost_tests.readers.statements.camt import balance, detail, document, entry, statement


@pytest.mark.parametrize("version", [f"{number:02}" for number in range(2, 9)])
def test_every_version_is_read(version: str) -> None:
    # From version 4 on, the status of an entry is a code below it.
    parts = [balance("OPBD", "100.00"), entry("30.50", detail("30.50", "INV-8")), balance("CLBD", "69.50")]
    text = document(statement(*parts), version=version).decode()
    if int(version) >= 4:
        text = text.replace("<Sts>BOOK</Sts>", "<Sts><Cd>BOOK</Cd></Sts>")
    (read,) = read_camt053(text.encode())
    (line,) = read.lines
    assert (line.owed, line.currency, str(line.dated)) == (Decimal("30.50"), "EUR", "2026-03-04")
    assert line.texts == ("INV-8",)
    assert (read.opening, read.movement, read.closing) == tuple(map(Decimal, ("100.00", "-30.50", "69.50")))
    assert read.difference == 0


def test_a_prefix_and_another_namespace_style_are_read() -> None:
    text = document(statement(entry("1.00"))).decode()
    prefixed = (
        text.replace("<", "<c:").replace("<c:/", "</c:").replace("<c:?", "<?").replace("xmlns=", "xmlns:c=")
    )
    (read,) = read_camt053(prefixed.encode())
    assert [line.owed for line in read.lines] == [Decimal("1.00")]


def test_several_statements_and_currencies_have_lines_numbered_through() -> None:
    first = statement(entry("1.00"), entry("2.00", sign="CRDT"), name="A")
    second = statement(
        balance("PRCD", "5", currency="JPY", sign="DBIT"),
        entry("300", currency="JPY"),
        balance("CLBD", "305", currency="JPY", sign="DBIT"),
        name="B",
    )
    one, two = read_camt053(document(first, second))
    assert [(line.number, line.owed) for line in (*one.lines, *two.lines)] == [
        (1, Decimal("1.00")),
        (2, Decimal("-2.00")),
        (3, Decimal(300)),
    ]
    assert one.difference is None
    assert two.difference == 0
    assert (one.currency, two.currency) == ("EUR", "JPY")


def test_a_batch_is_its_details_if_they_add_up() -> None:
    batch = entry("30.00", detail("10.00", "INV-1", party="Acme"), detail("20.00", number="INV-2"))
    (read,) = read_camt053(document(statement(batch)))
    assert [(line.place, line.owed, line.references, line.party) for line in read.lines] == [
        ("STMT-1, entry 1, detail 1", Decimal("10.00"), (), "Acme"),
        ("STMT-1, entry 1, detail 2", Decimal("20.00"), ("INV-2",), ""),
    ]
    off = entry("30.01", detail("10.00", "INV-1"), detail("20.00", "INV-2"))
    (read,) = read_camt053(document(statement(off)))
    assert [(line.place, line.owed) for line in read.lines] == [("STMT-1, entry 1", Decimal("30.01"))]
    assert {"INV-1", "INV-2"} <= set(read.lines[0].texts)
    assert read.notes == ("STMT-1, entry 1: 2 details do not add up to the entry, which is read as one line",)


def test_the_amount_of_the_order_in_another_currency_is_kept() -> None:
    (read,) = read_camt053(document(statement(entry("46.20", detail("46.20", instructed="USD 50.00")))))
    assert read.lines[0].amounts == (("EUR", Decimal("46.20")), ("USD", Decimal("50.00")))


def test_entries_that_are_not_booked_are_left_out_and_said() -> None:
    (read,) = read_camt053(document(statement(entry("1.00"), entry("2.00", status="PDNG"))))
    assert len(read.lines) == 1
    assert read.notes == ("STMT-1: 1 entries that are not booked were left out",)


REFUSED = {
    document(statement(entry("1.00")), version="12"): "camt.053 version 12; versions 2 to 8 are read",
    document(statement(entry("1.00")), kind="052"): r"no statement in camt.053: the XML is camt.052.001.02",
    b"<invoice/>": "the XML is another document",
    document(): "without a statement",
    document(statement(entry("1,00"))): "STMT-1, entry 1: no amount with a currency",
    document(statement(entry("1e3"))): "no amount with a currency",
    document(statement(entry("NaN"))): "no amount with a currency",
    document(statement(entry("1.00", currency="XQQ"))): "no amount with a currency",
    document(statement(entry("1.001"))): "more decimals than EUR has",
    document(statement(entry("1.00", sign="BOTH"))): "neither credit nor debit",
    document(statement(entry("1.00", day="2026-02-30"))): "STMT-1, entry 1: no booking date",
    document(statement(entry("1.00"), entry("1", currency="JPY"))): "one statement in EUR and JPY",
    document(statement(entry("1.00")))[:-9]: "no well-formed XML",
    b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>': "a document type or entities, which no statement needs",
    b'<x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd"/></x>': "inclusions",
    b"<x>" * 200 + b"</x>" * 200: "more than 100 levels",
}


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_anything_else_is_refused_in_a_sentence(number: int) -> None:
    data, reason = list(REFUSED.items())[number]
    with pytest.raises(UnreadableError, match=reason):
        read_camt053(data)
