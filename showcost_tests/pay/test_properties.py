"""Properties of any day: more hours are never less pay, and splitting a day does not change its pay."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showcost.config.agreements.rule_kinds import WorkPlace
from showcost.pay.days import with_days
from showcost.pay.frame import Frame, read_frame
from showcost.pay.hours import ladder
from showcost.pay.numbers import ONE
from showcost.pay.terms import bind
from showcost.validation.cells import read_cells
from showcost.validation.reference import Reference, look_up
from showcost_tests.pay.rows import (
    AGREEMENTS,
    CHART,
    FEED,
    SHOW,
    clock,
    engine,
    paid,
    production,
    row,
)
from showcost_tests.validation.raw import raw_table

if TYPE_CHECKING:
    from showcost.config.agreements import Agreement
    from showcost.config.production import Production
    from showcost_tests.pay.by_hand import Row

QUICK: Final = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
AGREEMENT: Final = st.sampled_from(AGREEMENTS.all)
HOURS: Final = st.integers(1, 200).map(lambda tenths: Decimal(tenths) / 10)
PLACE: Final = st.sampled_from([*WorkPlace])
WORKDAY: Final = st.sampled_from(["1", "5", "6", "7"])
ZONES: Final = {"LDN": "Europe/London", "LA": "America/Los_Angeles", "TYO": "Asia/Tokyo"}


def frame_of(rows: list[Row], show: Production = SHOW) -> Frame:
    reference = Reference(FEED, show, CHART, None, AGREEMENTS)
    return read_frame(look_up(read_cells(raw_table(FEED, rows), FEED), reference), show)


def required(agreement: Agreement, frame: Frame) -> list[int]:
    """Return the straight hours that rows come to by all tiers of an agreement."""
    terms = bind(agreement, SHOW)
    tiers = [(bound, bound.applies(frame)) for bound in terms.tiers]
    return [int(hours) for hours in ladder(tiers, frame).straight(frame.worked)]


@QUICK
@given(agreement=AGREEMENT, hours=HOURS, more=st.integers(0, 40), place=PLACE, workday=WORKDAY)
def test_pay_never_falls_with_the_hours(
    agreement: Agreement, hours: Decimal, more: int, place: WorkPlace, workday: str
) -> None:
    change = {"work_place": place.value, "day_of_workweek": workday}
    long = min(hours + Decimal(more) / 10, Decimal(21))
    rows = [
        row(agreement, **change, **clock(min(hours, long), "01:00")),
        row(agreement, **change, **clock(long, "01:00")),
    ]
    less, greater = required(agreement, frame_of(rows))
    assert less <= greater


@QUICK
@given(agreement=AGREEMENT, data=st.data(), place=PLACE, workday=WORKDAY)
def test_a_day_split_anywhere_has_the_same_hours(
    agreement: Agreement, data: st.DataObject, place: WorkPlace, workday: str
) -> None:
    """Midnight is one of many cuts: the parts of a day, on lines of their own, are the whole day."""
    minutes = data.draw(st.integers(2, 20 * 60))
    cut = data.draw(st.integers(1, minutes - 1))
    day = row(agreement, work_place=place.value, day_of_workweek=workday)
    whole = frame_of([day | span(1, minutes)])
    parts = frame_of([day | span(1, cut), day | span(1 + cut, minutes - cut)])
    joined = with_days(parts, np.zeros(2, np.int64), np.zeros(2, np.int64))
    assert required(agreement, joined) == required(agreement, whole) * 2
    assert joined.worked.tolist() == whole.worked.tolist() * 2
    assert joined.elapsed.tolist() == whole.elapsed.tolist() * 2


def span(call: int, minutes: int) -> Row:
    end = call + minutes
    return {"call_time": f"{call // 60:02}:{call % 60:02}", "wrap_time": f"{end // 60 % 24:02}:{end % 60:02}"}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "day", [date(2026, 10, 24), date(2026, 10, 31), date(2027, 3, 13), date(2027, 3, 27), date(2026, 7, 1)]
)
def test_wall_clock_of_another_zone_or_season_does_not_alter_the_hours(zone: str, day: date) -> None:
    """Shifts of 14.5 hours over the night on which clocks change, written in the wall time of a zone."""
    show = production(zones=ZONES)
    begin = datetime(day.year, day.month, day.day, 18, 0, tzinfo=UTC)
    here = ZoneInfo(ZONES[zone])
    call, wrap = (moment.astimezone(here) for moment in (begin, begin + timedelta(hours=14, minutes=30)))
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    shift = row(
        basic,
        work_date=str(call.date()),
        location=zone,
        call_time=f"{call:%H:%M}",
        wrap_time=f"{wrap:%H:%M}",
        union_local="80",
        occupation_code="4599",
    )
    frame = frame_of([shift], show)
    assert (frame.worked / ONE).tolist() == [14.5]
    assert frame.call.tolist() == [int(begin.timestamp()) // 60]


@QUICK
@given(data=st.data())
def test_order_of_the_rows_does_not_matter(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.tuples(AGREEMENT, HOURS, PLACE), min_size=2, max_size=8))
    rows = []
    for number, (agreement, hours, place) in enumerate(chosen):
        full = paid(row(agreement, work_place=place.value, **clock(min(hours, Decimal(16)), "05:10")))
        rows.append(full | ({"hours_1x": "1"} if number % 2 else {}))
    order = data.draw(st.permutations(range(len(rows))))
    shuffled = engine([rows[place] for place in order])
    assert shuffled == [engine(rows)[place] for place in order]
