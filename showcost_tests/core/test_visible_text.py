"""Hidden characters are shown as marks, by Python, by the engine and by the script of the book alike."""

from __future__ import annotations

import re
from importlib.resources import files

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from showcost.core.engine import engine
from showcost.core.visible_text import visible, visible_sql

HOSTILE = (
    "\x00\x07\t\n\r\x1f\x7f\x80\xad\u061c\u200b\u200e\u2028\u202e\u2066\ufeff\ufffb\U000e0041=a\u00e9\u6771"
)
TEXTS = st.lists(st.one_of(st.text(), st.text(alphabet=HOSTILE)), max_size=20)


@given(TEXTS)
def test_the_engine_shows_what_python_shows(texts: list[str]) -> None:
    with engine() as connection:
        connection.register("texts", pa.table({"text": pa.array(texts, pa.string())}))
        shown = connection.execute(f"SELECT {visible_sql('text')} FROM texts").fetchall()  # noqa: S608 - a test
    assert [text for (text,) in shown] == [visible(text) for text in texts]


def test_marks_name_the_character() -> None:
    assert visible("a\u202eb\x00\x7f\tc\n") == "a[U+202E]b\u2400\u2421\tc\n"
    assert visible("Łódź, 東京") == "Łódź, 東京"


def test_the_script_of_the_book_hides_the_same_characters() -> None:
    script = files("showcost.reports.book").joinpath("assets", "book.js").read_text(encoding="utf-8")
    (hidden,) = re.findall(r"const HIDDEN = /\[(.*)\]/gu;", script)
    pattern = re.compile(f"[{re.sub(r'u{([0-9a-f]+)}', lambda found: f'U{int(found[1], 16):08x}', hidden)}]")
    for code in (*range(0x3000), *range(0xFE00, 0x10000), *range(0xE0000, 0xE0100), 0x10FFFF):
        assert bool(pattern.search(chr(code))) == (visible(chr(code)) != chr(code)), hex(code)
