"""The cover of a report as PDF: scope, headline figures, contents and hashes, on as few pages as they need.

The fonts are embedded. They have Latin, Greek and Cyrillic letters; a character that they lack is shown by
its number, such as `[U+6771]`. The same figures give the same bytes.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING, Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from showcost.core.durable import write_durably
from showcost.core.national_ids import masked_text
from showcost.core.visible_text import named, visible
from showcost.reports.writers.figures import shown_figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from showcost.reports.scope import ReportScope
    from showcost.reports.tables import HeadlineFigure, ReportTable

_WIDTH, _HEIGHT = 595, 842
"""A4 in points."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 533, 770, 66
_MIDDLE = 330
"""Right edge of the figures; their meaning is beside it."""

_PLAIN, _BOLD = "ShowcostSans", "ShowcostSans-Bold"
_FILES: Final = {_PLAIN: "DejaVuSans.ttf", _BOLD: "DejaVuSans-Bold.ttf"}
_HOW: Final = (
    "index.html leads from each figure to the text that a vendor sent. manifest.json names the sha256 of"
    " every file; tools/verify_pack.py checks them with Python alone."
)
_INK, _QUIET, _ACCENT, _LINE = "#16222c", "#566673", "#1f4e6e", "#d3dae0"


def write_cover(
    path: Path,
    scope: ReportScope,
    headline: Sequence[HeadlineFigure],
    tables: Sequence[ReportTable],
) -> None:
    """Write the cover of a report."""
    _load_fonts()
    data = BytesIO()
    canvas = Canvas(data, pagesize=(_WIDTH, _HEIGHT), invariant=1, pageCompression=1, lang="en")
    canvas.setTitle(_shown(f"{scope.title}: cost report, {scope.last}"))
    canvas.setAuthor(_shown(scope.company))
    canvas.setSubject(_shown(f"{scope.period_line}, {scope.as_of_line}"))
    cover = _Cover(canvas, scope)
    cover.write_masthead()
    cover.write_headline(headline)
    cover.write_contents(tables)
    cover.write_hashes()
    cover.finish()
    write_durably(path, data.getvalue())


@cache
def _load_fonts() -> None:
    for name, file in _FILES.items():
        font = files("showcost.reports.writers").joinpath("fonts", file).read_bytes()
        pdfmetrics.registerFont(TTFont(name, BytesIO(font)))


@cache
def _glyphs() -> frozenset[int]:
    """Return the characters that both fonts have."""
    _load_fonts()
    plain, bold = (frozenset(pdfmetrics.getFont(name).face.charToGlyph) for name in _FILES)
    return plain & bold


def _shown(text: str) -> str:
    """Return a text on one line with every character that the fonts lack as its number."""
    plain = visible(masked_text(text))
    return "".join(sign if ord(sign) in _glyphs() else named(sign) for sign in plain)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


class _Cover:
    """The pages of a cover; `y` is the base line of the next text."""

    def __init__(self, canvas: Canvas, scope: ReportScope) -> None:
        self._canvas, self._scope = canvas, scope
        self._page = 0
        self.y = _TOP
        self._begin_page()

    def _begin_page(self) -> None:
        self._page += 1
        self.y = _TOP
        self._canvas.setFillColor(_ACCENT)
        self._canvas.rect(0, _HEIGHT - 14, _WIDTH, 14, stroke=0, fill=1)

    def _end_page(self) -> None:
        self._draw(_LEFT, 36, _shown(f"{self._scope.code}, {self._scope.as_of_line}"), 8, color=_QUIET)
        self._draw(_RIGHT, 36, f"Page {self._page}", 8, color=_QUIET, right=True)
        self._canvas.showPage()

    def _need(self, height: int) -> None:
        """Begin a new page unless there is room."""
        if self.y - height < _BOTTOM:
            self._end_page()
            self._begin_page()

    def finish(self) -> None:
        """End the last page and the file."""
        self._end_page()
        self._canvas.save()

    def _draw(
        self,
        x: int,
        y: int,
        text: str,
        size: int,
        *,
        font: str = _PLAIN,
        color: str = _INK,
        right: bool = False,
    ) -> None:
        self._canvas.setFont(font, size)
        self._canvas.setFillColor(color)
        (self._canvas.drawRightString if right else self._canvas.drawString)(x, y, text)

    def _rule(self) -> None:
        self._canvas.setStrokeColor(_LINE)
        self._canvas.line(_LEFT, self.y, _RIGHT, self.y)

    def _paragraph(self, text: str, size: int, *, font: str = _PLAIN, color: str = _INK) -> None:
        for line in _wrapped(_shown(text), font, size, _RIGHT - _LEFT):
            self._need(size + 6)
            self._draw(_LEFT, self.y, line, size, font=font, color=color)
            self.y -= size + 6

    def _heading(self, text: str) -> None:
        self._need(60)
        self.y -= 18
        self._draw(_LEFT, self.y, text, 12, font=_BOLD, color=_ACCENT)
        self.y -= 9
        self._rule()
        self.y -= 18

    def write_masthead(self) -> None:
        """Write company, production, period and moment."""
        scope = self._scope
        self._paragraph(scope.company, 10, color=_QUIET)
        self.y -= 16
        self._paragraph(f"{scope.title} ({scope.code})", 24, font=_BOLD)
        self._paragraph("Cost report", 16)
        self.y -= 6
        self._paragraph(scope.period_line, 10, color=_QUIET)
        self._paragraph(f"Ledger {scope.as_of_line}", 10, color=_QUIET)

    def write_headline(self, headline: Sequence[HeadlineFigure]) -> None:
        """Write the headline figures, each with its meaning."""
        if headline:
            self._heading("Headline figures")
        for figure in headline:
            meaning = list(_wrapped(_shown(_sentence(figure.meaning)), _PLAIN, 8, _RIGHT - _MIDDLE - 16))
            titles = list(_wrapped(_shown(figure.title), _PLAIN, 10, 130))
            height = max(len(titles) * 13, len(meaning) * 11, 13) + 12
            self._need(height)
            for number, line in enumerate(titles):
                self._draw(_LEFT, self.y - number * 13, line, 10)
            value = f"{shown_figure(figure.value, figure.type, figure.currency)} {figure.currency}".strip()
            self._draw(_MIDDLE, self.y, _shown(value), 12, font=_BOLD, right=True)
            for number, line in enumerate(meaning):
                self._draw(_MIDDLE + 16, self.y - number * 11, line, 8, color=_QUIET)
            self.y -= height - 8
            self._rule()
            self.y -= 16

    def write_contents(self, tables: Sequence[ReportTable]) -> None:
        """Write the tables of the report, with their rows and notes."""
        self._heading("Contents")
        for table in tables:
            self._need(30)
            rows = f"{table.rows.num_rows:,} rows, {table.currency}"
            self._draw(_RIGHT, self.y, _shown(rows), 8, color=_QUIET, right=True)
            self._paragraph(table.title, 10)
            for note in table.notes:
                self._paragraph(note, 8, color=_QUIET)
            self.y -= 4

    def write_hashes(self) -> None:
        """Write what the report rests on, and how to check it."""
        self._heading("How to check this report")
        for line in (
            f"{self._scope.entries:,} ledger entries to {self._scope.last}, with the digest",
            self._scope.digest,
            f"Head of the audit log at record {self._scope.as_of:,}",
            self._scope.head,
            _HOW,
        ):
            self._paragraph(line, 8, color=_QUIET)


def _wrapped(text: str, font: str, size: int, width: int) -> Iterator[str]:
    """Yield the lines of a text; a word that is too long is broken."""
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if pdfmetrics.stringWidth(longer, font, size) <= width:
            line = longer
            continue
        if line:
            yield line
        *whole, line = _broken(word, font, size, width)
        yield from whole
    yield line


def _broken(word: str, font: str, size: int, width: int) -> list[str]:
    parts = [""]
    for sign in word:
        if pdfmetrics.stringWidth(parts[-1] + sign, font, size) > width:
            parts.append("")
        parts[-1] += sign
    return parts
