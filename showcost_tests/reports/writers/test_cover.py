"""The cover: embedded fonts, the same bytes twice, and no character is dropped."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from pypdf import PdfReader

from showcost.reports.tables import ColumnType, HeadlineFigure
from showcost.reports.writers.cover import write_cover
from showcost_tests.reports.writers.sample import HEADLINE, HOSTILE, SCOPE, costs, payables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES = [HeadlineFigure(text, Decimal(-1), ColumnType.MONEY, text * 9, "USD") for text in HOSTILE]


def cover(path: Path, headline: Sequence[HeadlineFigure] = HEADLINE) -> bytes:
    write_cover(path, replace(SCOPE, company="Łódź Ελλάδα Москва"), headline, [costs(), payables()])
    return path.read_bytes()


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    assert cover(tmp_path / "a.pdf") == cover(tmp_path / "b.pdf")
    assert cover(tmp_path / "a.pdf") != cover(tmp_path / "c.pdf", HEADLINE[:1])


def test_fonts_are_embedded_and_nothing_is_active(tmp_path: Path) -> None:
    data = cover(tmp_path / "a.pdf", NAMES)
    assert len(re.findall(rb"/FontFile2", data)) == 2
    assert not re.search(rb"/(JavaScript|JS|AA|OpenAction|URI|Launch|EmbeddedFile)\b", data)


def test_many_figures_take_more_pages(tmp_path: Path) -> None:
    one = len(re.findall(rb"/Type /Page\b", cover(tmp_path / "a.pdf")))
    assert len(re.findall(rb"/Type /Page\b", cover(tmp_path / "b.pdf", NAMES * 5))) > one


def test_every_character_is_shown_or_named(tmp_path: Path) -> None:
    cover(tmp_path / "a.pdf", [*HEADLINE, *NAMES])
    text = "\n".join(page.extract_text() for page in PdfReader(tmp_path / "a.pdf").pages)
    plain = re.sub(r"\s+", "", text)
    assert "Northern <Light> (NORTHLIGHT)" in text
    assert "1,234,567.89 USD" in text
    assert "(17.50) USD" in text
    assert {"Łódź", "Ελλάδα", "Москва"} <= set(text.split())
    assert "[U+6771][U+4EAC]" in plain
    assert "right[U+202E]toleft" in plain
    assert "[U+0009]tab" in plain
    assert "null[U+0000]bell[U+0007]" in plain
    assert "document.title='owned'" in plain
    assert "as of audit record 42, 2026-11-02 18:00:00 UTC" in text
    assert SCOPE.digest in text
