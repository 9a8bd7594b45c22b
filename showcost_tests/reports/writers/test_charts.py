"""Charts: well-formed, the same twice, exact figures in their tables, and text that stays text."""

from __future__ import annotations

from base64 import b64decode
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.core.money import round_half_away
from showcost.reports.writers.charts import ChartTitle, DrawnChart, bar_chart, column_chart, line_chart
from showcost_tests.reports.writers.sample import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Sequence

SVG = "{http://www.w3.org/2000/svg}"
TITLE = ChartTitle("cost", "Cost <to> date", "Cost & budget", "USD")
AMOUNTS = st.lists(st.decimals(-(10**13), 10**13, places=4), max_size=40)


def parsed(chart: DrawnChart) -> Element:
    return fromstring(chart.svg)  # noqa: S314 - our own text


def texts(chart: DrawnChart) -> list[str]:
    return [element.text or "" for element in parsed(chart).iter(f"{SVG}text")]


@given(AMOUNTS, st.none() | st.decimals(0, 10**13, places=2))
def test_every_coordinate_is_an_integer_within_the_picture(
    amounts: Sequence[Decimal], budget: Decimal | None
) -> None:
    series = [(f"week {number}", amount) for number, amount in enumerate(amounts)]
    limit = None if budget is None else ("Budget", budget)
    for chart in (line_chart(TITLE, series, limit), column_chart(TITLE, series)):
        root = parsed(chart)
        height = int(root.attrib["height"])
        for element in root.iter():
            if element.tag in {f"{SVG}path", f"{SVG}rect"} and "stroke" not in element.attrib:
                continue
            places = [int(element.attrib[name]) for name in ("y", "y1", "y2", "cy") if name in element.attrib]
            assert all(0 <= place <= height for place in places)
        figures = [row[1] for row in chart.rows][: len(amounts)]
        assert figures == [f"{round_half_away(amount, 2):,}" for amount in amounts]


def test_bars_have_the_proportions_of_their_values() -> None:
    series = [("A", [Decimal(300), Decimal(100)]), ("B", [Decimal(0), Decimal(50)])]
    chart = bar_chart(TITLE, ["new", "old"], series)
    bars = [bar.attrib for bar in parsed(chart).iter(f"{SVG}rect")]
    widths = [int(bar["width"]) for bar in bars if bar["height"] == "22"]
    assert abs(widths[0] - 3 * widths[1]) <= 2
    assert abs(widths[1] - 2 * widths[3]) <= 1
    assert widths[2] == 0
    assert "url(#cost-hatch)" in chart.svg


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text: str) -> None:
    title = ChartTitle("name", text, text)
    chart = bar_chart(title, [text, "other"], [(text, [Decimal(1), Decimal(2)])])
    tags = {element.tag.removeprefix(SVG) for element in parsed(chart).iter()}
    assert tags <= {"svg", "title", "desc", "defs", "pattern", "rect", "path", "text"}
    assert "\u202e" not in chart.svg
    assert chart.markdown.startswith("![")
    assert "<" not in chart.markdown


def test_a_chart_is_a_picture_that_names_itself() -> None:
    chart = line_chart(TITLE, [("w1", Decimal(1)), ("w2", Decimal(2))], ("Budget", Decimal(4)))
    root = parsed(chart)
    assert root.attrib["role"] == "img"
    named = {element.attrib.get("id") for element in root.iter()}
    assert set(root.attrib["aria-labelledby"].split()) <= named
    assert b64decode(chart.data_uri.partition(",")[2]).decode() == chart.svg
    assert chart.rows == (("w1", "1.00"), ("w2", "2.00"), ("Budget", "4.00"))
    assert {"Budget", "0", "4"} <= set(texts(chart))
    assert chart == line_chart(TITLE, [("w1", Decimal(1)), ("w2", Decimal(2))], ("Budget", Decimal(4)))
