"""Personal numbers in free text are found by check digits; other numbers are left alone."""

from __future__ import annotations

import re
from importlib import import_module

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.core import personal_numbers
from showcost.core.errors import InputError
from showcost.core.national_ids import ID_MARK
from showcost.core.personal_numbers import (
    ANYWHERE,
    KNOWN_COUNTRIES,
    PersonalNumbers,
    masked_name,
    refuse_numbers,
)

EVERYWHERE = PersonalNumbers(tuple(sorted(KNOWN_COUNTRIES)))
NUMBERS = (
    *(
        "123-45-6789",
        "123 45 6789",
        "123\u201345\u20136789",
        "SSN 123456789",
        "SIN: 046454286",
        "SS# 123456789",
    ),
    *("046 454 286", "046-454-286", "AB123456C", "ab 12 34 56 c", "912-70-1234"),
    *("DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "GB82-WEST-1234-5698-7654-32"),
    *("gb82west12345698765432", "NO93 8601 1117 947", "BG80\u00a0BNBG\u00a09661\u00a01020\u00a03456\u00a078"),
    *("4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444", "3782 822463 10005"),
)
OTHERS = (
    # Invoices, orders, parts and references.
    *("123456789 sin IVA", "123456789 SINGLE"),
    *("123456789", "046454286", "RE-2026-100200", "INV 2026100200", "PO 4500012345", "4500 0123 45"),
    *("AB123456E", "GB123456A", "E-123-45-6789-01", "RF18539007547034", "DE136695976", "DE 999 000 105"),
    # References of 16 digits without the check digit of a card, and with it but of no issuer.
    *("4111 1111 1111 1112", "1234567812345670", "9999999999999995"),
    # EAN, ISBN, dates, times, amounts, telephones.
    *("4006381333931", "978-3-16-148410-0", "2026-10-28 2026-11-02", "28.10.2026 29.10.2026"),
    *("EUR 123 456 782", "123 456 782,00", "123.456.782", "1 046 454 286", "$046 454 286", "046 454 286 EUR"),
    *("+44 20 7946 0958", "(555) 123-4567", "+1 046 454 286", "tel 046 454 286", "Mobile: 046-454-286"),
    # No number of the area 000 or 666 is a Social Security number, and no check digits fit these IBANs.
    *("000-12-3456", "666-12-3456", "DE88 3704 0044 0532 0130 00", "XX89 3704 0044 0532 0130 00"),
)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_personal_number_is_masked_wherever_it_is_in_a_text(number: str) -> None:
    texts = [number, f"paid to {number}, again", f"{number} {number}", f"({number})", f"x;{number};y", None]
    shown = ANYWHERE.masked(pa.array(texts)).to_pylist()
    left = re.sub(r"\d", "0", number)
    assert [re.search(r"\d", text or "") for text in shown] == [None] * len(texts), (left, shown)
    assert shown[1].startswith("paid to ")
    assert shown[1].endswith(f"{ID_MARK}, again")
    assert shown == [None if text is None else ANYWHERE.masked_text(text) for text in texts]
    with pytest.raises(InputError, match="--why has what looks like") as error:
        refuse_numbers("--why", f"told by {number}")
    assert number not in str(error.value)


@pytest.mark.parametrize("label", [" SSN", " (SIN)", ", social security no.", " ITIN", "/SSN"])
def test_a_number_before_its_label_is_masked(label: str) -> None:
    texts = [f"paid to 123456789{label}", f"123456789{label} 5 days"]
    shown = ANYWHERE.masked(pa.array(texts)).to_pylist()
    assert shown == [f"paid to {ID_MARK}{label}", f"{ID_MARK}{label} 5 days"]
    assert shown == [ANYWHERE.masked_text(text) for text in texts]


@pytest.mark.parametrize("text", OTHERS)
def test_numbers_of_documents_amounts_dates_and_telephones_are_left_alone(text: str) -> None:
    texts = pa.chunked_array([[text, f"for {text}, thanks"]])
    assert ANYWHERE.masked(texts).to_pylist() == texts.to_pylist()
    refuse_numbers("--why", text)


@pytest.mark.parametrize(
    ("country", "text"),
    [
        ("AR", "20-05536168-2"),
        ("AT", "1237 010180"),
        ("AU", "TFN 865414088"),
        ("BE", "85.07.30-033 28"),
        ("BG", "8032056031"),
        ("BR", "390.533.447-05"),
        ("CH", "756.9217.0769.85"),
        ("CL", "12531909-2"),
        ("CN", "360426199101010071"),
        ("CZ", "710319/2745"),
        ("DE", "36 574 261 809"),
        ("DK", "211062-5629"),
        ("EE", "36805280109"),
        ("ES", "54362315-K"),
        ("ES", "X-2482300W"),
        ("FI", "131052-308T"),
        ("FR", "2 95 10 99 126 111 93"),
        ("GB", "NHS no. 943 476 5870"),
        ("GB", "UTR 1955839661"),
        ("GR", "01013099997"),
        ("HR", "OIB: 33392005961"),
        ("IE", "6433435F"),
        ("IN", "2341 2341 2346"),
        ("IN", "ACUPA7085R"),
        ("IT", "RCCMNL83S18D969H"),
        ("JP", "6214 9832 0257"),
        ("KR", "971013-9019902"),
        ("LT", "33309240064"),
        ("LV", "161175-19997"),
        ("MX", "BOXW310820HNERXN09"),
        ("MX", "GODE 561231 GR8"),
        ("MY", "770305-02-1234"),
        ("NL", "1112.22.333"),
        ("NL", "BSN 111222333"),
        ("NO", "151086 95088"),
        ("NZ", "IRD 49098576"),
        ("PK", "34201-0891231-8"),
        ("PL", "44051401359"),
        ("PT", "00000000 0 ZZ4"),
        ("RO", "1630615123457"),
        ("SE", "880320-0016"),
        ("SI", "0101006500006"),
        ("TH", "1-2345-45678-78-1"),
        ("TR", "17291716060"),
        ("UA", "RNTRC 1759013776"),
        ("ZA", "7503305044089"),
    ],
)
def test_a_country_adds_its_identifiers_and_the_last_digit_must_be_right(country: str, text: str) -> None:
    numbers = PersonalNumbers((country,))
    (shown,) = numbers.masked(pa.array([f"paid {text}, thanks"])).to_pylist()
    assert ID_MARK in shown
    assert text[-5:] not in shown
    if country != "GB":
        assert ANYWHERE.masked_text(text) == text


def test_every_form_has_modules_that_python_stdnum_knows() -> None:
    for forms in personal_numbers._FORMS.values():
        for form in forms:
            assert all(callable(import_module(f"stdnum.{name}").is_valid) for name in form.modules)


def test_a_number_that_a_reference_of_the_row_has_stays() -> None:
    texts = pa.array(["4111111111111111;DE89370400440532013000", None, "4111111111111111"])
    kept = pa.array(["INV 4111111111111111", None, ""])
    assert ANYWHERE.masked(texts, [kept]).to_pylist() == [f"4111111111111111;{ID_MARK}", None, ID_MARK]


def test_adjacent_and_overlapping_numbers_are_each_masked() -> None:
    text = "123-45-6789,AB123456C;DE89 3704 0044 0532 0130 00 4111 1111 1111 1111"
    assert ANYWHERE.masked_text(text) == f"{ID_MARK},{ID_MARK};{ID_MARK} {ID_MARK}"


@settings(max_examples=20)
@given(st.lists(st.one_of(st.none(), st.text(alphabet="0123456789- ABDE:./+", max_size=40)), max_size=20))
def test_a_column_is_masked_as_each_of_its_texts(texts: list[str | None]) -> None:
    for text in (*NUMBERS, *OTHERS):
        texts += [f"{text} {texts[0] or ''}" if texts else text]
    shown = EVERYWHERE.masked(pa.array(texts, pa.string())).to_pylist()
    assert shown == [None if text is None else EVERYWHERE.masked_text(text) for text in texts]
    assert EVERYWHERE.masked(pa.array(shown, pa.string())).to_pylist() == shown


def test_a_long_text_with_many_numbers_takes_no_more_than_its_length() -> None:
    assert ANYWHERE.masked_text("123-45-6789 " * 10_000).count(ID_MARK) == 10_000


def test_nine_digits_in_the_name_of_a_file_are_a_person_in_a_feed_of_pay_alone() -> None:
    name = "week 41 123456789_DE89370400440532013000.csv"
    assert masked_name(name) == f"week 41 123456789_{ID_MARK}.csv"
    assert masked_name(name, names_person=True) == f"week 41 {ID_MARK}_{ID_MARK}.csv"
