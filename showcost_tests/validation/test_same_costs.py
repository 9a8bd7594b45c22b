"""Documents of several feeds: what is the same, what is alike, and what posts, in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.config.record_kinds import RECORD_KINDS
from showcost.core.arrow import query
from showcost.core.documents import (
    alike_names,
    normal_codes,
    normal_names,
    normal_numbers,
    normal_tax_ids,
    similar_numbers,
)
from showcost.pipeline.identity_rows import block_sql
from showcost.validation.duplicates import CONFLICT, DUPLICATE
from showcost.validation.same_costs import ALIKE, LINES, PRECEDENCE, related_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from random import Random

Place = tuple[str, str, int]
DAY: Final = date(2026, 10, 5)


@dataclass(frozen=True)
class Document:
    """A document as one delivery of a feed has it; amounts with a point."""

    kind: str = "vendor_invoice"
    feed: str = "list"
    arrival: int = 1
    number: str = "INV-8"
    nets: tuple[str, ...] = ("100.00",)
    day: date = DAY
    code: str = "V-1"
    name: str = "Acme Cameras Ltd"
    tax_id: str = "GB999000103"
    currency: str = "EUR"
    style: str = "plain"
    first_record: int = 2
    dated: bool = False
    tax: str = "0.2"
    parts: tuple[str, ...] = ("",)
    lines: tuple[int, ...] = ()

    def but(self, **changes: object) -> Document:
        """Return the document with changes."""
        fields: dict[str, Any] = changes
        return replace(self, **fields)

    def rows(self) -> list[dict[str, object]]:
        """Return its rows without normal forms."""
        return [
            {
                "record_kind": self.kind,
                "yearly": RECORD_KINDS[self.kind].numbered_yearly,
                "by_total": self.kind == "payroll",
                "feed": self.feed,
                "delivery": f"delivery {self.arrival}",
                "arrival": self.arrival,
                "record": record,
                "key": f"{self.feed}|{self.number}|{line}|{self.day if self.dated else ''}",
                "by_line": RECORD_KINDS[self.kind].line is not None,
                "line": line,
                "spelled": f"{self.code}|{self.number}".lower(),
                "style": self.style,
                "part": self.parts[(record - self.first_record) % len(self.parts)],
                "number": self.number,
                "tax_id": self.tax_id,
                "code": self.code,
                "name": self.name,
                "transaction_date": self.day,
                "day": self.day,
                "dated": self.dated,
                "currency": self.currency,
                "net": Decimal(net),
                "gross": Decimal(net) * (1 + Decimal(self.tax)),
            }
            for record, (net, line) in enumerate(
                zip(self.nets, self.lines or range(1, len(self.nets) + 1), strict=True),
                start=self.first_record,
            )
        ]


NORMAL: Final[dict[str, tuple[str, Callable[[pa.Array], pa.Array]]]] = {
    "loose": ("number", similar_numbers),
    "number": ("number", normal_numbers),
    "tax_id": ("tax_id", normal_tax_ids),
    "code": ("code", normal_codes),
    "name": ("name", normal_names),
    "alike": ("name", alike_names),
}


def lines(documents: Iterable[Document], mine: Callable[[Document], bool]) -> pa.Table:
    rows = [row | {"mine": mine(document)} for document in documents for row in document.rows()]
    columns: dict[str, object] = {name: [row.get(name) for row in rows] for name in LINES.names}
    for name, (source, normal) in NORMAL.items():
        columns[name] = normal(pa.array([str(row[source]) for row in rows], pa.string()))
    return pa.table({name: pa.array(columns[name], LINES.field(name).type) for name in LINES.names})


def codes(
    documents: Sequence[Document],
    mine: Callable[[Document], bool] = lambda _: True,
    *,
    posted: Collection[Place] = (),
    unsound: Collection[Place] = (),
) -> dict[Place, str]:
    """Return the codes of the rows that repeat another, by feed, delivery and record."""
    related = related_documents(lines(documents, mine))
    precedence = [
        {**row, "posted": place in posted, "holds": place in posted}
        for row in related.others.to_pylist()
        if (place := (row["feed"], row["delivery"], row["record"])) not in unsound
    ]
    claims = related.claims(
        pa.Table.from_pylist(precedence, PRECEDENCE), duplicate=DUPLICATE, conflict=CONFLICT
    )
    feeds = {f"delivery {document.arrival}": document.feed for document in documents}
    return {
        (feeds[row["delivery"]], row["delivery"], row["record"]): row["code"] for row in claims.to_pylist()
    }


FIRST: Final = Document()
OTHER: Final = Document(feed="e-invoices", arrival=2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, DUPLICATE),
        ({"number": "INV - 8"}, DUPLICATE),
        ({"number": "inv\u20118"}, DUPLICATE),
        ({"number": "\uff29\uff2e\uff36\uff0d\uff18"}, DUPLICATE),
        ({"number": "'INV-8"}, DUPLICATE),
        ({"number": "INV\u00ad-\u200b8"}, DUPLICATE),
        ({"code": "0204:991-1234", "name": "ACME"}, DUPLICATE),
        ({"tax_id": "GB 999 0001 03", "name": "Renamed plc"}, DUPLICATE),
        ({"tax_id": "", "name": "ACME CAMERAS LIMITED", "code": "x"}, DUPLICATE),
        ({"nets": ("60.00", "40.00")}, DUPLICATE),
        ({"nets": ("120.00",), "tax": "0"}, DUPLICATE),  # a list of amounts with tax
        ({"nets": ("120.00",)}, CONFLICT),
        ({"nets": ("99.00",)}, CONFLICT),
        ({"currency": "USD"}, CONFLICT),
        ({"day": DAY + timedelta(days=1)}, CONFLICT),
        ({"number": "8"}, ALIKE),
        ({"number": "INV8"}, ALIKE),
        ({"number": "INV-008"}, ALIKE),
        ({"tax_id": "GB999000204"}, ALIKE),
        ({"day": date(2025, 10, 5)}, ALIKE),  # numbers anew each year, or a wrong year
        ({"day": date(2025, 10, 5), "nets": ("99.00",)}, None),
        ({"number": "8", "nets": ("99.00",)}, None),
        ({"number": "INV-9"}, None),
        ({"tax_id": "GB999000204", "name": "Other", "code": "V-2"}, None),
        ({"tax_id": "", "name": "Other", "code": "V-2"}, None),  # 8 alone tells nothing
        ({"number": "8", "day": DAY + timedelta(days=40)}, None),
    ],
)
def test_a_document_of_another_feed(changes: dict[str, object], code: str | None) -> None:
    other = OTHER.but(**changes)
    expected = {("e-invoices", "delivery 2", record) for record in range(2, 2 + len(other.nets))}
    assert codes([FIRST, other]) == ({} if code is None else dict.fromkeys(expected, code))


ONE_VENDOR: Final = (
    ("Panavision Ltd", "PANAVISION LIMITED", DUPLICATE),
    ("Panavision Ltd.", "Panavision UK Ltd (London)", ALIKE),
    ("M\u00fcller GmbH", "Mueller GmbH", ALIKE),
    ("M\u00fcller GmbH", "Muller GmbH & Co. KG", DUPLICATE),
    ("A & B Rentals", "A and B Rentals Inc", DUPLICATE),
    ("The Grip Co", "Grip Company", DUPLICATE),
    ("Grip House", "House of Grip Ltd", ALIKE),
    ("Acme Cameras", "Acme Camera", ALIKE),
    ("Acme Cameras", "Acme Camreas Ltd", ALIKE),
    ("Kodak", "Kodak Film Lab London", ALIKE),
    ("Stra\u00dfenbau Berlin", "STRASSENBAU BERLIN GMBH", DUPLICATE),
    ("Caf\u00e9 de Flore SARL", "CAFE FLORE", ALIKE),
)


@pytest.mark.parametrize(("name", "other", "code"), ONE_VENDOR)
@pytest.mark.parametrize("number", ["8", "INV-1008"])
@pytest.mark.parametrize("feed", ["list", "e-invoices"])
def test_a_vendor_without_a_tax_id_is_found_under_a_name_like_its_own(
    name: str, other: str, code: str, number: str, feed: str
) -> None:
    first = FIRST.but(tax_id="", code=name, name=name, number=number)
    again = first.but(code=other, name=other, feed=feed, arrival=2)
    assert codes([first, again]) == {(feed, "delivery 2", 2): code}
    assert codes([first, again.but(tax_id="GB999000103")]) == {(feed, "delivery 2", 2): code}
    assert codes([first, again.but(day=DAY + timedelta(days=40))]) in (
        {},
        {(feed, "delivery 2", 2): CONFLICT},
        {(feed, "delivery 2", 2): DUPLICATE},
    )


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *(
            ("Smith Ltd", "Smythe Catering"),
            ("Location Berlin", "Studio Berlin"),
            ("Acme Cameras", "Acme Catering"),
        ),
        *(
            ("Kodak", "Codex"),
            ("Studio 1", "Studio 2"),
            ("Hotel Adlon", "Hotel Astor"),
            ("North Light", "South Light"),
            ("Miller", "Mueller Bau"),
            ("BBC", "NBC"),
        ),
    ],
)
def test_two_vendors_may_have_one_short_number_date_and_amount(name: str, other: str) -> None:
    first = FIRST.but(tax_id="", code=name, name=name, number="1")
    for feed in ("list", "e-invoices"):
        assert codes([first, first.but(code=other, name=other, feed=feed, arrival=2)]) == {}


def test_vendors_with_two_tax_ids_are_two_whatever_their_names() -> None:
    first = FIRST.but(code="a", name="Acme Cameras", number="1")
    assert codes([first, first.but(code="b", name="Acme Camera", tax_id="GB999000204", arrival=2)]) == {}


def test_one_number_of_an_alike_vendor_with_another_amount_needs_a_person() -> None:
    first = FIRST.but(tax_id="", code="a", name="Acme Cameras", number="INV-1008")
    other = first.but(code="b", name="Acme Camera", nets=("120.00",), arrival=2)
    assert codes([first, other]) == {("list", "delivery 2", 2): ALIKE}
    assert codes([first, other.but(number="INV-1009")]) == {}


PERMIT: Final = Document(
    kind="location_permit",
    number="BFP-118",
    nets=("368.00", "50.00"),
    parts=("fee", "application"),
    code="Basin Film Permit Desk",
    name="Basin Film Permit Desk",
    tax_id="",
    tax="0",
)
BILLED: Final = PERMIT.but(
    kind="vendor_invoice", feed="e-invoices", arrival=2, parts=("",), code="V-7", tax_id="US9"
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [DUPLICATE, DUPLICATE]),
        ({"nets": ("418.00",)}, [DUPLICATE]),  # in one amount
        ({"nets": ("380.00",), "tax": "0.1"}, [DUPLICATE]),  # with the tax apart
        ({"nets": ("368.00",)}, [DUPLICATE]),  # one of its events
        ({"nets": ("370.00",)}, [CONFLICT]),
        ({"day": DAY + timedelta(days=9)}, [CONFLICT, CONFLICT]),
        ({"day": DAY + timedelta(days=400)}, [ALIKE, ALIKE]),
        ({"number": "BFP 0118"}, [ALIKE, ALIKE]),
        ({"name": "Basin Permits"}, [ALIKE, ALIKE]),  # a telling number
        ({"name": "Basin Permits", "nets": ("368.00",)}, []),
        ({"number": "BFP-119"}, []),
    ],
)
def test_a_permit_that_the_office_enters_too(changes: dict[str, object], expected: list[str]) -> None:
    other = BILLED.but(**changes)
    found = codes([PERMIT, other])
    assert list(found.values()) == expected
    assert {feed for feed, _, _ in found} <= {"e-invoices"}
    later = codes([PERMIT.but(arrival=2), other.but(arrival=1)])
    assert {feed for feed, _, _ in later} <= {"list"}
    assert bool(later) == bool(expected)
    assert (ALIKE in later.values()) == (ALIKE in expected)


PAID: Final = Document(
    kind="payroll",
    number="MSP-W44",
    nets=("1200.00", "1000.00"),
    parts=("e1|2026-10-05", "e2|2026-10-05"),
    code="Maple Slate Payroll Corp.",
    name="Maple Slate Payroll Corp.",
    tax_id="",
    tax="0.1",
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"nets": ("2200.00",)}, [ALIKE]),
        ({"nets": ("2420.00",)}, [ALIKE]),  # with contributions
        ({"nets": ("2500.00",)}, [ALIKE]),  # and the company's fee
        ({"nets": ("2420.00",), "number": "inv 44", "day": DAY + timedelta(days=6)}, []),
        ({"nets": ("2420.00",), "number": "msp\u2013w44", "day": DAY + timedelta(days=6)}, [ALIKE]),
        ({"nets": ("120.00",)}, []),  # the fee alone
        ({"nets": ("1200.00",)}, []),
    ],
)
def test_the_invoice_of_a_payroll_company(changes: dict[str, object], expected: list[str]) -> None:
    other = PAID.but(kind="vendor_invoice", feed="e-invoices", arrival=2, parts=("",), tax="0", **changes)
    assert list(codes([PAID, other]).values()) == expected
    later = codes([PAID.but(arrival=2), other.but(arrival=1)])
    assert list(later.values()) == 2 * expected


def test_parts_of_a_permit_are_compared_within_its_kind() -> None:
    again = PERMIT.but(feed="desk", arrival=2)
    assert list(codes([PERMIT, again]).values()) == [DUPLICATE, DUPLICATE]
    assert codes([PERMIT.but(nets=("368.00",)), again.but(nets=("368.00",), parts=("extension",))]) == {}
    # A further kind in the ledger changes nothing of it.
    assert list(codes([PERMIT, again, BILLED.but(arrival=3, nets=("370.00",))]).values()) == [
        *(DUPLICATE, DUPLICATE),
        CONFLICT,
    ]


def test_numbers_that_a_spreadsheet_changed_are_one_document() -> None:
    documents = [FIRST.but(number="000123"), FIRST.but(arrival=2, number="123"), OTHER.but(number="123.0")]
    assert set(codes(documents).values()) == {DUPLICATE}
    assert len(codes([documents[0], documents[1]])) == 1


def test_a_telling_number_needs_no_vendor_to_be_alike() -> None:
    unknown = {"tax_id": "", "name": "Acme Cams", "code": "V-2"}
    assert set(
        codes([FIRST.but(number="AC-2026-77"), OTHER.but(number="AC-2026-77", **unknown)]).values()
    ) == {ALIKE}


def test_lines_of_one_feed_and_number_are_left_to_their_keys() -> None:
    assert codes([FIRST, FIRST.but(arrival=2, nets=("70.00",))]) == {}


@pytest.mark.parametrize(("before", "after"), [("none", "plain"), ("padded", "plain")])
def test_a_document_that_comes_again_with_other_line_numbers_is_a_duplicate(before: str, after: str) -> None:
    nets = ("500.00", "70.00")
    found = codes([FIRST.but(style=before, nets=nets), FIRST.but(arrival=2, style=after, nets=nets)])
    assert list(found.values()) == [DUPLICATE, DUPLICATE]


def test_feeds_whose_key_has_the_date_have_a_document_per_date() -> None:
    later = FIRST.but(arrival=2, number="INV - 8", day=DAY + timedelta(days=1), dated=True)
    assert codes([FIRST.but(dated=True), later]) == {}  # 8 alone tells nothing
    assert codes([FIRST.but(dated=True), later.but(day=DAY)]) == {("list", "delivery 2", 2): DUPLICATE}


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        ({}, {"lines": (10, 20)}, [ALIKE, ALIKE]),
        ({}, {"lines": (3, 4)}, [ALIKE, ALIKE]),
        ({}, {"lines": (1, 3)}, [ALIKE]),  # line 1 has its key
        ({}, {"lines": (10, 20), "nets": ("70.00", "500.00")}, [ALIKE, ALIKE]),
        ({}, {"lines": (10, 20), "nets": ("500.00", "71.00")}, []),
        ({}, {"lines": (10, 20), "day": DAY + timedelta(days=1)}, [ALIKE, ALIKE]),
        ({}, {"lines": (3, 4), "nets": ("80.00", "90.00")}, []),  # lines that come later
        ({"nets": ("50.00",)}, {"nets": ("50.00",), "lines": (2,)}, []),  # one line after the other
        ({"nets": ("50.00",)}, {"nets": ("50.00",), "lines": (10,)}, [ALIKE]),
        ({"nets": ("50.00",)}, {"nets": ("50.00",), "lines": (2,), "day": DAY + timedelta(days=30)}, []),
        ({"dated": True}, {"day": DAY + timedelta(days=1)}, [ALIKE, ALIKE]),
        ({"dated": True}, {"day": date(2026, 5, 10)}, [ALIKE, ALIKE]),  # month for day
        ({"dated": True}, {"day": DAY + timedelta(days=7)}, []),  # a weekly rental
        ({"dated": True}, {"day": DAY.replace(year=2027)}, []),
        ({"dated": True}, {"day": DAY + timedelta(days=1), "nets": ("500.00", "71.00")}, []),
        ({"dated": True, "number": "8"}, {"day": DAY + timedelta(days=1)}, []),
        ({"dated": True}, {"day": DAY + timedelta(days=1), "number": "ac - 2026 - 77"}, [ALIKE, ALIKE]),
    ],
)
def test_a_document_that_its_feed_delivers_under_other_keys(
    first: dict[str, object], again: dict[str, object], expected: list[str]
) -> None:
    document = FIRST.but(**({"number": "AC-2026-77", "nets": ("500.00", "70.00")} | first))
    found = codes([document, document.but(**({"arrival": 2} | again))])
    assert list(found.values()) == expected
    assert {delivery for _, delivery, _ in found} <= {"delivery 2"}


def test_a_line_that_could_not_post_may_come_again_with_its_number() -> None:
    document = FIRST.but(nets=("500.00", "70.00"))
    assert codes([document, document.but(arrival=2)], unsound={("list", "delivery 1", 3)}) == {}


def test_events_of_a_permit_may_cost_the_same() -> None:
    assert codes([PERMIT, PERMIT.but(arrival=2, day=DAY + timedelta(days=1), lines=(3, 4))]) == {}


def test_lines_that_differ_within_one_document_need_a_person() -> None:
    found = codes([FIRST.but(nets=("500.00", "500.00", "70.00")), OTHER.but(nets=("500.00", "80.00"))])
    assert list(found.values()) == [DUPLICATE, CONFLICT]


def test_a_row_that_cannot_post_stands_in_no_other_way() -> None:
    place = ("list", "delivery 1", 2)
    assert codes([FIRST, OTHER], unsound={place}) == {}
    assert codes([FIRST, OTHER], posted={("e-invoices", "delivery 2", 2)}, unsound={place}) == {
        place: DUPLICATE
    }


def test_part_of_a_document_that_cannot_post_leaves_the_rest_to_a_person() -> None:
    documents = [FIRST.but(nets=("500.00", "70.00")), OTHER.but(nets=("500.00", "70.00"))]
    found = codes(documents, unsound={("list", "delivery 1", 3)})
    assert list(found.values()) == [DUPLICATE, CONFLICT]


SIMILAR: Final = (
    ("INV-8", "inv \u2013 8", "8", "\uff10008", "Rechnung Nr. 008", "#8", "8.0", "'8", "R-8"),
    ("2026/0378", "RE-2026-378", "2026-378"),
    ("O12", "012", "12"),
    ("AB-100", "ab100"),
    ("ABC", "abc"),
    ("1-002", "12"),
)


@pytest.mark.parametrize("numbers", SIMILAR)
def test_similar_numbers_are_found_by_the_same_block(numbers: tuple[str, ...]) -> None:
    assert len(set(similar_numbers(pa.array(numbers)).to_pylist())) == 1
    sql = f"SELECT DISTINCT {block_sql('number')} FROM given"  # noqa: S608 - an expression of ours
    blocks = query(sql, given=pa.table({"number": pa.array(numbers)}))
    assert blocks.num_rows == 1


SPELLINGS: Final = (
    lambda number: f"INV-{number}",
    lambda number: f"inv - {number}",
    lambda number: f"INV\u2013{number}",
    lambda number: f"'INV-{number}",
)


@st.composite
def invoices(draw: st.DrawFn) -> list[Document]:
    """Return invoices, each of which comes once to three times, in two feeds and several spellings."""
    nets = st.lists(st.sampled_from(["10.00", "25.50", "25.50", "99.99"]), min_size=1, max_size=3)
    found: list[Document] = []
    for number in range(draw(st.integers(1, 4))):
        amounts = tuple(draw(nets))
        day = DAY + timedelta(days=draw(st.integers(0, 2)))
        for spelling, feed in draw(
            st.lists(
                st.tuples(st.integers(0, 3), st.sampled_from(["list", "e-invoices"])),
                min_size=1,
                max_size=3,
                unique=True,
            )
        ):
            # The German list has no vendor code of the e-invoice, and the other way around.
            found.append(
                Document(
                    feed=feed,
                    number=SPELLINGS[spelling](number + 1),
                    nets=tuple(draw(st.permutations(amounts))),
                    day=day,
                    code=f"{feed} 1",
                )
            )
    order = draw(st.permutations(found))
    return [document.but(arrival=place) for place, document in enumerate(order, start=1)]


def partition(document: Document) -> tuple[str, date]:
    return document.feed, document.day


def post(documents: Sequence[Document], order: Sequence[tuple[str, date]]) -> set[Place]:
    """Validate and post partition by partition, and return what is posted."""
    posted: set[Place] = set()
    for part in order:
        own = [document for document in documents if partition(document) == part]
        contested = codes(documents, lambda document: partition(document) == part, posted=posted)  # noqa: B023 - used at once
        posted |= {
            place
            for document in own
            for row in document.rows()
            if (place := (document.feed, f"delivery {document.arrival}", int(str(row["record"]))))
            not in contested
        }
    return posted


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(invoices(), st.randoms(use_true_random=False))
def test_invoices_that_come_in_several_ways_post_once_in_any_order(
    documents: list[Document], random: Random
) -> None:
    parts = sorted({partition(document) for document in documents})
    shuffled = [*parts, *parts]
    random.shuffle(shuffled)
    posted = post(documents, parts)
    assert post(documents, shuffled) == posted
    first: dict[str, Document] = {}
    for document in documents:
        first.setdefault(document.number.lower()[-1], document)
    assert posted == {
        (document.feed, f"delivery {document.arrival}", int(str(row["record"])))
        for document in first.values()
        for row in document.rows()
    }
