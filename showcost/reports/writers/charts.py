"""Charts as SVG: the same bytes for the same series, readable in black and white, each with its table.

Coordinates are integers, computed from decimals; no amount becomes a float. Shades are told apart by
patterns, so that they print without colours. A chart names itself to a screen reader, and its table has the
figures.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Final

from showcost.core.national_ids import masked_text
from showcost.core.visible_text import visible_line
from showcost.reports.writers.figures import figure_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 48, 16, 44
_BAR, _GAP, _LABEL_WIDTH, _FIGURE_WIDTH = 22, 12, 190, 120
_TICKS: Final = 4
_MOST_LABELS: Final = 9
_LONGEST_LABEL: Final = 28
_FONT: Final = "font-family=\"system-ui,'Segoe UI','Helvetica Neue',Arial,sans-serif\" font-size=\"12\""
_INK, _QUIET, _LINE = "#1c2b36", "#5a6b78", "#c9d1d8"
_HATCH: Final = "url(#hatch)"
_FILLS: Final = ("#33536b", "#9db4c4", "#e3ebf0", "#6f8ea5")
"""Shades from dark to light, then one between: told apart in grey."""


@dataclass(frozen=True)
class DrawnChart:
    """A chart: its SVG, and the table with its figures (the first column are the labels)."""

    name: str
    title: str
    description: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def data_uri(self) -> str:
        """The SVG as the address of a picture."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"

    @property
    def markdown(self) -> str:
        """The chart as a picture in Markdown."""
        return f"![{_plain(self.title)}]({self.data_uri})"


@dataclass(frozen=True)
class ChartTitle:
    """Name, title and description of a chart, and the currency of its amounts (empty for counts)."""

    name: str
    title: str
    description: str
    currency: str = ""


def _plain(text: str) -> str:
    """Return a text without signs that mean something in Markdown."""
    return "".join(sign for sign in visible_line(text) if sign not in "[]()!<>`\\")


def line_chart(
    title: ChartTitle, series: Sequence[tuple[str, Decimal]], limit: tuple[str, Decimal] | None = None
) -> DrawnChart:
    """Return a chart of values over time, with a dashed line at a limit such as the budget."""
    values = [value for _, value in series] + ([limit[1]] if limit else [])
    scale = _Scale.over(values)
    step = (_WIDTH - _LEFT - _RIGHT) // max(len(series) - 1, 1)
    points = [(_LEFT + place * step, scale.y(value)) for place, (_, value) in enumerate(series)]
    parts = [*_axis(scale, title.currency), *_labels([label for label, _ in series], step, 0)]
    if limit:
        level = scale.y(limit[1])
        parts += [
            (
                f'<line x1="{_LEFT}" y1="{level}" x2="{_WIDTH - _RIGHT}" y2="{level}" stroke="{_INK}"'
                ' stroke-width="2" stroke-dasharray="8 5"/>'
            ),
            _text(_WIDTH - _RIGHT, level - 6, limit[0], anchor="end"),
        ]
    if points:
        path = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_FILLS[0]}" stroke-width="3"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="{_FILLS[0]}"/>' for x, y in points]
    rows = [(label, figure_text(value, title.currency)) for label, value in series]
    if limit:
        rows.append((limit[0], figure_text(limit[1], title.currency)))
    return _chart(title, parts, _HEIGHT, ("", title.currency or "Count"), rows)


def column_chart(title: ChartTitle, series: Sequence[tuple[str, Decimal]]) -> DrawnChart:
    """Return a chart of columns over time; values below zero hang from the zero line."""
    scale = _Scale.over([value for _, value in series])
    step = max((_WIDTH - _LEFT - _RIGHT) // max(len(series), 1), 2)
    width = max(step * 7 // 10, 1)
    parts = [*_axis(scale, title.currency)]
    for place, (_, value) in enumerate(series):
        top, bottom = sorted((scale.y(value), scale.y(Decimal(0))))
        fill = _FILLS[0] if value >= 0 else _HATCH
        parts.append(
            f'<rect x="{_LEFT + place * step + (step - width) // 2}" y="{top}" width="{width}"'
            f' height="{max(bottom - top, 1)}" fill="{fill}" stroke="{_INK}"/>'
        )
    parts += _labels([label for label, _ in series], step, step // 2)
    rows = [(label, figure_text(value, title.currency)) for label, value in series]
    return _chart(title, parts, _HEIGHT, ("", title.currency or "Count"), rows)


def bar_chart(
    title: ChartTitle, names: Sequence[str], series: Sequence[tuple[str, Sequence[Decimal]]]
) -> DrawnChart:
    """Return a chart of horizontal bars, each divided into the parts that `names` names.

    Values are not below zero; a value that is has a bar of no length, and its figure.
    """
    most = max((sum(_positive(parts), Decimal(0)) for _, parts in series), default=Decimal(0)) or Decimal(1)
    room = _WIDTH - _LABEL_WIDTH - _FIGURE_WIDTH
    top = 34 if len(names) > 1 else 10
    parts = _legend(names) if len(names) > 1 else []
    for place, (label, values) in enumerate(series):
        y, x = top + place * (_BAR + _GAP), _LABEL_WIDTH
        parts.append(_text(_LABEL_WIDTH - 8, y + 16, label, anchor="end"))
        for number, value in enumerate(_positive(values)):
            width = _whole(value * room, most)
            parts.append(
                f'<rect x="{x}" y="{y}" width="{width}" height="{_BAR}" fill="{_fill(number)}"'
                f' stroke="{_INK}"/>'
            )
            x += width
        parts.append(_text(x + 6, y + 16, figure_text(sum(values, Decimal(0)), title.currency)))
    rows = [(label, *(figure_text(value, title.currency) for value in values)) for label, values in series]
    height = top + len(series) * (_BAR + _GAP) + 6
    return _chart(title, parts, height, ("", *names), rows)


def _positive(values: Iterable[Decimal]) -> list[Decimal]:
    return [max(value, Decimal(0)) for value in values]


def _fill(number: int) -> str:
    return _HATCH if number == 1 else _FILLS[number % len(_FILLS)]


def _legend(names: Sequence[str]) -> list[str]:
    parts, x = [], _LABEL_WIDTH
    for number, name in enumerate(names):
        parts.append(f'<rect x="{x}" y="6" width="14" height="14" fill="{_fill(number)}" stroke="{_INK}"/>')
        parts.append(_text(x + 20, 17, name))
        x += 40 + 8 * min(len(name), _LONGEST_LABEL)
    return parts


@dataclass(frozen=True)
class _Scale:
    """The vertical scale: from `low` to `high`, in steps of a round number."""

    low: Decimal
    high: Decimal
    step: Decimal

    @classmethod
    def over(cls, values: Sequence[Decimal]) -> _Scale:
        """Return a scale that has zero and all values."""
        low, high = min([Decimal(0), *values]), max([Decimal(0), *values])
        step = _round_step(high - low)
        below, above = _steps(-low, step), _steps(high, step)
        return cls(-below * step, max(above, 0 if below else 1) * step, step)

    def y(self, value: Decimal) -> int:
        """Return the vertical coordinate of a value."""
        height = _HEIGHT - _TOP - _BOTTOM
        return _HEIGHT - _BOTTOM - _whole((value - self.low) * height, self.high - self.low)

    @property
    def ticks(self) -> list[Decimal]:
        """The values with a grid line."""
        count = _whole(self.high - self.low, self.step)
        return [self.low + self.step * number for number in range(count + 1)]


def _round_step(span: Decimal) -> Decimal:
    """Return a round number of which a few make up a span."""
    if not span:
        return Decimal(1)
    tens = Decimal(10) ** (span.adjusted() - 1)
    candidates = (tens * multiple * ten for ten in (1, 10) for multiple in (Decimal(1), 2, Decimal("2.5"), 5))
    return next((step for step in candidates if step * _TICKS >= span), tens * 100)


def _steps(length: Decimal, step: Decimal) -> int:
    """Return how many steps cover a length."""
    whole = int(length // step)
    return whole + (whole * step < length)


def _whole(numerator: Decimal, denominator: Decimal) -> int:
    """Return a quotient that is not below zero, rounded to an integer."""
    return int((2 * numerator + denominator) // (2 * denominator))


def _axis(scale: _Scale, currency: str) -> list[str]:
    """Return the grid lines with their figures."""
    parts = []
    for tick in scale.ticks:
        y = scale.y(tick)
        stroke = _INK if not tick else _LINE
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="{stroke}"/>')
        figure = f"{tick:,f}" if not currency else figure_text(tick, currency).partition(".")[0]
        parts.append(_text(_LEFT - 8, y + 4, figure, anchor="end"))
    return parts


def _labels(labels: Sequence[str], step: int, offset: int) -> list[str]:
    """Return labels below the axis, so many as have room."""
    every = max(-(-len(labels) // _MOST_LABELS), 1)
    return [
        _text(_LEFT + place * step + offset, _HEIGHT - _BOTTOM + 20, label, anchor="middle")
        for place, label in enumerate(labels)
        if place % every == 0
    ]


def _text(x: int, y: int, text: str, *, anchor: str = "start") -> str:
    shown = shown_text(text)
    if len(shown) > _LONGEST_LABEL:
        shown = f"{shown[: _LONGEST_LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"
    fill = _INK if anchor == "start" else _QUIET
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{fill}">{escape(shown)}</text>'


def shown_text(text: str) -> str:
    """Return a text as people may see it: on one line, hidden characters and identifiers marked."""
    return visible_line(masked_text(text))


def _chart(
    title: ChartTitle,
    parts: Sequence[str],
    height: int,
    header: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
) -> DrawnChart:
    name = escape(title.name)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
            f' height="{height}" role="img" aria-labelledby="{name}-title {name}-desc" {_FONT}>'
        ),
        f'<title id="{name}-title">{escape(shown_text(title.title))}</title>',
        f'<desc id="{name}-desc">{escape(shown_text(title.description))}</desc>',
        (
            '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<rect width="6" height="6" fill="#ffffff"/><path d="M0 6L6 0" stroke="{_FILLS[0]}"'
            ' stroke-width="1.5"/></pattern></defs>'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *parts,
        "</svg>",
    ]
    # Several charts may be on one page, where ids are shared.
    svg = "\n".join(lines).replace(_HATCH, f"url(#{name}-hatch)").replace('id="hatch"', f'id="{name}-hatch"')
    return DrawnChart(title.name, title.title, title.description, svg, header, tuple(rows))
