"""Dates and timestamps: texts read, texts refused, and formats that are inferred and never guessed."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.core.errors import InputError
from showcost.values import date_formats
from showcost.values.dates import (
    DateColumn,
    DateEvidence,
    DateStyle,
    date_evidence,
    infer_dates,
    infer_timestamps,
)

if TYPE_CHECKING:
    from random import Random

PLACES = ("Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")
AMBIGUOUS, BLANK, INVALID = "ambiguous", "blank", "invalid"
ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def outcomes(column: DateColumn) -> list[str]:
    """Return per row the date in ISO form, or the problem; they exclude each other."""
    pairs = list(zip(column.values.to_pylist(), column.problem.to_pylist(), strict=True))
    assert all((value is None) != (problem is None) for value, problem in pairs)
    return [problem or value.isoformat() for value, problem in pairs]


def read(*cells: str | None, formats: tuple[str, ...] = (), day_first: bool | None = None) -> list[str]:
    return outcomes(infer_dates(pa.array(cells, pa.string()), DateStyle(tuple(formats), day_first)))


def write(day: date, date_format: date_formats.DateFormat) -> str:
    """Write a date in a format, independently of the locale of the machine."""
    if date_format.format == date_formats.EXCEL:
        return str((day - date(1899, 12, 30)).days)
    text = date_format.format.replace("%b", ENGLISH[day.month - 1].title())
    text = text.replace("%Y", f"{day.year}").replace("%y", f"{day.year % 100:02d}")
    return text.replace("%m", f"{day.month:02d}").replace("%d", f"{day.day:02d}")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2011-06-17", "2011-06-17"),
        ("2011/6/7", "2011-06-07"),
        ("20110617", "2011-06-17"),
        ("2010-02-08T00:00:00", "2010-02-08"),
        ("2010-02-08 23:59:59.999", "2010-02-08"),
        ("17/06/2011 11:30 PM", "2011-06-17"),
        ("17/06/11", "2011-06-17"),
        ("04-Feb-11", "2011-02-04"),
        ("27/Sep/2012 ", "2012-09-27"),
        ("18-Feb-2014", "2014-02-18"),
        ("01.01.2012", "2012-01-01"),
        ("17 June 2011", "2011-06-17"),
        ("17\u00a0June  2011", "2011-06-17"),
        ("17th June, 2011", "2011-06-17"),
        ("Friday, 17 June 2011", "2011-06-17"),
        ("Fri 17/06/2011", "2011-06-17"),
        ("Thurs, 16-Jun-11 10:30", "2011-06-16"),
        ("17/ 6/2011", "2011-06-17"),
        (" 17/ 6/ 11", "2011-06-17"),
        ("Jun 17, 2011", "2011-06-17"),
        ("SEPT 9 2011", "2011-09-09"),
        ("17JUN2011", "2011-06-17"),
        ("3. März 2011", "2011-03-03"),
        ("24. Dez. 2011", "2011-12-24"),
        ("1er février 2012", "2012-02-01"),
        ("15 aout 2012", "2012-08-15"),
        ("29/02/2012", "2012-02-29"),
        ("31/12/49", "2049-12-31"),
        ("31/12/50", "1950-12-31"),
        ("41234", "2012-11-21"),
        ("2011-06-17T00:00:00Z", "2011-06-17"),
        ("2011-06-17T00:00:00+01:00", "2011-06-17"),
    ],
)
def test_a_date_that_can_be_read_in_one_way_is_read(cell: str, expected: str) -> None:
    assert read(cell) == [expected]


@pytest.mark.parametrize(
    "cell",
    [
        "31/02/2011",
        "29/02/2011",
        "31-Apr-2011",
        "2011-13-01",
        "00/00/2011",
        "21/11/213",
        "10-Mar",
        "17/06-2011",
        "17 Blurb 2011",
        "01/01/1899",
        "01/01/2101",
        "19999",
        "60001",
        "Monday, 17 June 2011",
        "Monday",
        "Friday 17",
        "Fritag 17 June 2011",
        "12- 14 June 2011",
        "41234.00",
        "2011-06-17T23:00:00Z",
        "2011-06-17 25:00",
        "2011-06-17 13:00 PM",
        "12:30",
        "T12:30",
        "\uff12\uff10\uff11\uff11-06-17",
        "99-02-17",
        "Total",
        "2" * 10_000,
    ],
)
def test_a_text_that_is_not_a_date_is_invalid(cell: str) -> None:
    assert read(cell) == [INVALID]


def test_a_null_or_blank_cell_is_blank() -> None:
    assert read(None, "", "  ", "\u00a0\t") == [BLANK] * 4
    assert infer_dates(pa.nulls(2)).problem.to_pylist() == [BLANK] * 2
    assert outcomes(infer_dates(pa.chunked_array([], pa.string()))) == []


def test_one_provable_cell_decides_the_order_of_the_column() -> None:
    assert read("13/02/2011", "01/02/2011", "1.2.11") == ["2011-02-13", "2011-02-01", "2011-02-01"]
    assert read("02/13/2011", "01/02/2011") == ["2011-02-13", "2011-01-02"]


def test_without_proof_or_hint_only_cells_that_read_alike_are_read() -> None:
    column = infer_dates(pa.array(["01/02/2011", "05/05/2011", "2011-01-02"]))
    assert outcomes(column) == [AMBIGUOUS, "2011-05-05", "2011-01-02"]
    assert column.formats == ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y")


def test_contradicting_proofs_leave_the_rest_ambiguous() -> None:
    cells = ("13/02/2011", "02/14/2011", "01/02/2011", "05/05/2011")
    assert read(*cells) == ["2011-02-13", "2011-02-14", AMBIGUOUS, "2011-05-05"]


def test_a_hint_decides_and_a_cell_that_contradicts_it_is_invalid() -> None:
    cells = ("13/02/2011", "02/14/2011", "01/02/2011")
    assert read(*cells, day_first=True) == ["2011-02-13", INVALID, "2011-02-01"]
    assert read(*cells, day_first=False) == [INVALID, "2011-02-14", "2011-01-02"]
    assert read("01/02/2011", day_first=True) == ["2011-02-01"]


def test_a_hint_that_every_proof_contradicts_decides_nothing() -> None:
    assert read("02/14/2011", "01/02/2011", "05/05/2011", day_first=True) == [
        INVALID,
        AMBIGUOUS,
        "2011-05-05",
    ]


def test_names_of_months_prove_nothing_about_digits() -> None:
    assert read("13 Feb 2011", "01/02/2011") == ["2011-02-13", AMBIGUOUS]


def test_two_digit_years_are_in_doubt_beside_dates_with_the_year_first() -> None:
    assert read("99-02-17", "13-02-17", "01/02/2011", "30/01/2011") == [
        INVALID,
        AMBIGUOUS,
        "2011-02-01",
        "2011-01-30",
    ]
    assert read("31-06-17", "13-02-17") == [INVALID, "2017-02-13"]
    assert read("99-02-17", "13-02-17", day_first=True) == [INVALID, "2017-02-13"]
    assert read("99-02-17", "13-02-17", formats=("%y-%m-%d",)) == ["1999-02-17", "2013-02-17"]


def test_day_numbers_of_spreadsheets_are_read_only_among_themselves_or_when_named() -> None:
    assert read("41852", "41853", "", "Total") == ["2014-08-01", "2014-08-02", BLANK, INVALID]
    assert read("41852", "31/08/2014") == [AMBIGUOUS, "2014-08-31"]
    assert read("41852", "31/08/2014", day_first=True) == [AMBIGUOUS, "2014-08-31"]
    assert read("41852", "31/08/2014", formats=("%d/%m/%Y", "excel")) == ["2014-08-01", "2014-08-31"]


def test_formats_are_strict_and_tried_in_their_order() -> None:
    both = ("%d/%m/%Y", "%m/%d/%Y")
    assert read("01/02/2011", "02/14/2011", "2011-02-14", formats=both) == [
        "2011-02-01",
        "2011-02-14",
        INVALID,
    ]
    assert read("01/02/2011", formats=both[::-1], day_first=True) == ["2011-01-02"]
    assert read("17. June 2011", formats=("%d %B %Y",)) == ["2011-06-17"]
    assert read("17/06/2011 10:30", formats=("%d/%m/%Y %H:%M",)) == ["2011-06-17"]


@pytest.mark.parametrize("format_", ["", "%d/%d", "%d/%m/%q", "%d/%m/%Y/%y", "d/m/y", "%H:%M", "%d/%m/%Y%"])
def test_an_invalid_format_is_refused_in_one_sentence(format_: str) -> None:
    with pytest.raises(InputError, match="expected a day"):
        read("17/06/2011", formats=(format_,))


def test_every_name_of_a_month_is_unambiguous() -> None:
    names = date_formats.month_names()
    assert {names[name] for name in ENGLISH} == set(range(1, 13))
    assert (names["juin"], names["juil"], names["mars"], names["mai"], names["sept"]) == (6, 7, 3, 5, 9)


DAYS = st.dates(date(date_formats.FIRST_YEAR, 1, 1), date(date_formats.LAST_YEAR, 12, 31))


@pytest.mark.parametrize("date_format", date_formats.RECOGNISED, ids=lambda date_format: date_format.format)
@settings(max_examples=30)
@given(data=st.data())
def test_every_format_gives_back_the_dates_written_in_it(
    date_format: date_formats.DateFormat, data: st.DataObject
) -> None:
    low, high = date(date_formats.FIRST_YEAR, 1, 1), date(date_formats.LAST_YEAR, 12, 31)
    if date_format.has_two_digit_year:
        low, high = date(1950, 1, 1), date(2049, 12, 31)
    if date_format.format == date_formats.EXCEL:
        low, high = date(1954, 10, 3), date(2064, 4, 8)
    days = data.draw(st.lists(st.dates(low, high), min_size=1, max_size=8))
    column = infer_dates(pa.array([write(day, date_format) for day in days]), DateStyle(day_first=True))
    assert column.values.to_pylist() == days
    assert column.formats == (date_format.format,)
    named = infer_dates(pa.array([write(day, date_format) for day in days]), DateStyle((date_format.format,)))
    assert named.values.to_pylist() == days


@given(st.lists(DAYS, min_size=1), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y"]))
def test_an_ambiguous_column_is_read_right_or_not_at_all(days: list[date], format_: str) -> None:
    column = infer_dates(pa.array([write(day, date_formats.DateFormat(format_, "")) for day in days]))
    for day, value, problem in zip(days, column.values.to_pylist(), column.problem.to_pylist(), strict=True):
        assert (value, problem) in [(day, None), (None, AMBIGUOUS)]
    if any(day.day > 12 for day in days):
        assert column.values.to_pylist() == days


CELLS = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.from_regex(
        r"[0-3]?[0-9][-/. ][0-1]?[0-9][-/. ]([0-9]{2}|20[0-9]{2})( [0-9]{2}:[0-9]{2})?", fullmatch=True
    ),
    st.from_regex(r"[0-9]{5}|(19|20)[0-9]{6}", fullmatch=True),
)


@given(st.lists(CELLS), st.none() | st.booleans(), st.randoms(use_true_random=False))
def test_any_text_gets_one_outcome_whatever_the_order_of_rows(
    cells: list[str | None], day_first: bool | None, random: Random
) -> None:
    expected = read(*cells, day_first=day_first)
    places = list(range(len(cells)))
    random.shuffle(places)
    shuffled = pa.chunked_array([[cells[place]] for place in places], pa.string())
    assert outcomes(infer_dates(shuffled, DateStyle(day_first=day_first))) == [
        expected[place] for place in places
    ]
    blank = [cell is None or not cell.strip() for cell in cells]
    assert [outcome == BLANK for outcome in expected] == blank


def stamps(*cells: str | None, day_first: bool | None = None) -> list[datetime | str]:
    column = infer_timestamps(pa.array(cells, pa.string()), DateStyle(day_first=day_first))
    assert column.values.type == pa.timestamp("us")
    pairs = zip(column.values.to_pylist(), column.problem.to_pylist(), strict=True)
    return [value if problem is None else problem for value, problem in pairs]


def test_times_with_a_zone_have_the_date_of_their_place() -> None:
    cells = pa.array(
        ["2026-10-05T23:30:00-07:00", "2026-10-06T06:30:00Z", "2026-10-05T00:00:00Z", "2026-10-05"]
    )
    berlin = infer_dates(cells, places="Europe/Berlin")
    assert outcomes(berlin) == ["2026-10-06", "2026-10-06", "2026-10-05", "2026-10-05"]
    assert (berlin.zoned, berlin.moved) == (3, 1)
    angeles = infer_dates(cells, places="America/Los_Angeles")
    assert outcomes(angeles) == ["2026-10-05", "2026-10-05", "2026-10-04", "2026-10-05"]
    assert (angeles.zoned, angeles.moved) == (3, 2)
    by_row = pa.array(["Europe/Berlin", "America/Los_Angeles", None, None])
    assert outcomes(infer_dates(cells, places=by_row)) == ["2026-10-06", "2026-10-05", INVALID, "2026-10-05"]
    assert outcomes(infer_dates(cells)) == [INVALID, INVALID, INVALID, "2026-10-05"]


def test_dates_that_a_program_wrote_as_midnight_stay() -> None:
    cells = pa.array(["2026-10-05T00:00:00Z", "2026-10-06T00:00:00+00:00"])
    column = infer_dates(cells, places="America/Los_Angeles")
    assert (outcomes(column), column.zoned) == (["2026-10-05", "2026-10-06"], 0)


def test_times_with_a_zone_follow_summer_time() -> None:
    cells = pa.array([f"2026-{month:02}-05T22:30:00Z" for month in (1, 7)])
    assert outcomes(infer_dates(cells, places="Europe/Berlin")) == ["2026-01-05", "2026-07-06"]
    stamped = infer_timestamps(cells, places="Europe/Berlin").values.to_pylist()
    assert [stamp.isoformat() for stamp in stamped] == ["2026-01-05T23:30:00", "2026-07-06T00:30:00"]
    assert infer_timestamps(cells).problem.to_pylist() == [INVALID] * 2


@given(st.integers(315_576_000, 946_728_000), st.sampled_from(PLACES), st.integers(-56, 56))
def test_moments_agree_with_the_calendar_of_python(seconds: int, place: str, quarters: int) -> None:
    moment = datetime.fromtimestamp(seconds * 2 + 1, timezone(timedelta(minutes=15 * quarters)))
    column = infer_dates(pa.array([moment.isoformat()]), places=place)
    local = moment.astimezone(ZoneInfo(place)).date()
    assert column.values.to_pylist() == [local]
    assert column.moved == (local != moment.date())


def test_a_format_without_a_year_has_that_of_the_feed() -> None:
    style = DateStyle(("%d%m",), period=(date(2026, 1, 1), date(2026, 12, 31)))
    assert outcomes(infer_dates(pa.array(["0109", "3112", "2902", "109"]), style)) == [
        "2026-09-01",
        "2026-12-31",
        INVALID,
        INVALID,
    ]
    fiscal = DateStyle(("%d%m",), period=(date(2026, 9, 1), date(2027, 8, 31)))
    assert outcomes(infer_dates(pa.array(["0109", "3108"]), fiscal)) == ["2026-09-01", "2027-08-31"]
    long = DateStyle(("%d%m",), period=(date(2026, 9, 1), date(2027, 9, 30)))
    assert outcomes(infer_dates(pa.array(["0109", "3108"]), long)) == [INVALID, "2027-08-31"]
    with pytest.raises(InputError, match="no year"):
        infer_dates(pa.array(["0109"]), DateStyle(("%d%m",)))


@pytest.mark.parametrize(
    ("cell", "language"),
    [
        ("lunes, 5 de octubre de 2026", "es"),
        ("5 de outubro de 2026", "pt_BR"),
        ("5. Oktober 2026", ""),
        ("Montag, 5. Oktober 2026", ""),
        ("lun. 5 oct. 2026", "fr"),
        ("5 października 2026", "pl"),
        ("poniedziałek, 5 paź 2026", "pl"),
        ("5. října 2026", "cs"),
        ("lunedì 5 ottobre 2026", "it"),
    ],
)
def test_names_of_the_languages_of_the_feed_are_read(cell: str, language: str) -> None:
    style = DateStyle(languages=(language,) if language else ())
    assert outcomes(infer_dates(pa.array([cell]), style)) == ["2026-10-05"]


def test_a_name_that_means_two_months_is_not_read() -> None:
    """`listopad` is November in Polish and October in Croatian."""
    cell = pa.array(["5 listopada 2026"])
    assert outcomes(infer_dates(cell, DateStyle(languages=("pl",)))) == ["2026-11-05"]
    assert outcomes(infer_dates(cell, DateStyle(languages=("hr",)))) == ["2026-10-05"]
    assert outcomes(infer_dates(cell, DateStyle(languages=("pl", "hr")))) == [INVALID]


def test_a_day_of_the_week_that_contradicts_is_invalid_in_any_language() -> None:
    assert outcomes(infer_dates(pa.array(["Dienstag, 5. Oktober 2026"]))) == [INVALID]


def test_timestamps_are_wall_time_to_the_microsecond() -> None:
    assert stamps("2011-06-17T10:30", "17/06/2011 9:05:01.1234567", "Jun 17, 2011 12:00 AM") == [
        datetime(2011, 6, 17, 10, 30),  # noqa: DTZ001 -- wall time is naive on purpose
        datetime(2011, 6, 17, 9, 5, 1, 123456),  # noqa: DTZ001
        datetime(2011, 6, 17),  # noqa: DTZ001
    ]


def test_a_timestamp_without_time_or_with_a_zone_is_invalid() -> None:
    assert (
        stamps("2011-06-17", "2011-06-17T10:30Z", "2011-06-17T10:30+01:00", "2011-06-17 24:00")
        == [INVALID] * 4
    )
    assert stamps("01/02/2011 10:30", None) == [AMBIGUOUS, BLANK]


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31)))  # noqa: DTZ001
def test_timestamps_written_in_iso_come_back(moment: datetime) -> None:
    assert stamps(moment.isoformat()) == [moment]
    assert stamps(moment.strftime("%d/%m/%Y %I:%M:%S %p"), day_first=True) == [
        moment - timedelta(microseconds=moment.microsecond)
    ]


@given(
    st.lists(
        st.sampled_from(["01/02/2025", "13/02/2025", "02/14/2025", "41234", "99-02-17", "17-02-99", "", "x"])
    ),
    st.integers(0, 8),
    st.sampled_from([None, True, False]),
)
def test_a_column_in_parts_is_inferred_as_a_whole(cells: list[str], at: int, day_first: bool | None) -> None:
    whole = infer_dates(pa.array(cells, pa.string()), DateStyle(day_first=day_first))
    parts = [pa.array(part, pa.string()) for part in (cells[:at], cells[at:])]
    evidence = date_evidence(parts[0]) | date_evidence(parts[1])
    inferred = [infer_dates(part, DateStyle(day_first=day_first), evidence=evidence) for part in parts]
    assert [outcome for part in inferred for outcome in outcomes(part)] == outcomes(whole)
    assert {part.formats for part in inferred} == {whole.formats}
    assert evidence | DateEvidence() == evidence


def test_day_numbers_among_dates_are_read_where_they_fall_between_them() -> None:
    dates = ["01/08/2014", "29/08/2014"]
    assert read("41855", *dates)[0] == "2014-08-04"
    assert read("41852", *dates)[0] == "2014-08-01"
    assert read("41851", *dates)[0] == AMBIGUOUS
    assert read("41881", *dates)[0] == AMBIGUOUS
    assert read("45000", *dates)[0] == AMBIGUOUS
    assert read("41855", "2014-08-01", "29 Aug 2014")[0] == "2014-08-04"


def test_day_numbers_need_to_fall_between_dates_in_either_order() -> None:
    """01/08 to 02/08 are the days of January and February 8, or the first two of August."""
    assert read("41853", "01/08/2014", "03/08/2014", day_first=True)[0] == "2014-08-02"
    assert read("41853", "01/08/2014", "03/08/2014")[0] == AMBIGUOUS
