"""Rows that another table of the same file has, too, wait for a person; pages of one list do not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import openpyxl
import pytest

from showcost.ingest.landing import hints_of, inferred_content
from showcost.ingest.records import Origin
from showcost.readers import read_delivery
from showcost.readers.model import REPEATS
from showcost_tests.ingest.test_landing import DATES
from showcost_tests.ingest.test_two_tables import FEED

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.config.feed import FeedSpec

HEADER: Final = "Supplier,Invoice,Date,Amount"
FIRST, SECOND, THIRD = (f"ACME,R{number},2026-10-05,10{number}.00" for number in (1, 2, 3))
NUMBERED: Final = FEED.model_copy(
    update={"key": ("vendor_code", "invoice_no", "invoice_date"), "key_ordinal": True}
)


def repeated(content: bytes, tmp_path: Path, feed: FeedSpec = FEED) -> list[tuple[int, str]]:
    """Return the number of each row that repeats another, and the detail."""
    path = tmp_path / "any"
    path.write_bytes(content)
    origin = Origin("0" * 64, 3, len(content), DATES)
    with (
        read_delivery(path, hints=hints_of(feed)) as reading,
        inferred_content(feed, reading, origin) as landed,
    ):
        records = landed.records.by_date().read_all()
    rows = records.sort_by("record").select(["record", "read_detail"]).to_pylist()
    return [
        (row["record"], row["read_detail"]) for row in rows if (row["read_detail"] or "").startswith(REPEATS)
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([HEADER, FIRST, SECOND, "", HEADER, FIRST, SECOND], {6: 2, 7: 3}),
        ([HEADER, FIRST, SECOND, HEADER, SECOND, FIRST], {5: 3, 6: 2}),
        ([HEADER, FIRST, SECOND, HEADER, FIRST, THIRD, SECOND], {5: 2, 7: 3}),
        ([HEADER, FIRST, FIRST, HEADER, FIRST, FIRST], {5: 2, 6: 3}),
        ([HEADER, FIRST, FIRST, SECOND], {}),  # two lines of one invoice
        ([HEADER, FIRST, SECOND, HEADER, FIRST, THIRD], {}),  # over two pages
        ([HEADER, FIRST, SECOND, HEADER, FIRST], {}),
    ],
)
@pytest.mark.parametrize("feed", [FEED, NUMBERED])
def test_a_table_below_its_repeated_header(
    lines: list[str], expected: dict[int, int], feed: FeedSpec, tmp_path: Path
) -> None:
    found = repeated("\n".join([*lines, ""]).encode(), tmp_path, feed)
    assert found == [(record, f"{REPEATS}{first}") for record, first in expected.items()]


@pytest.mark.parametrize(
    ("sheets", "expected"),
    [
        ({"All": [FIRST, SECOND], "October": [FIRST]}, [2]),
        ({"October": [FIRST], "All": [SECOND, FIRST]}, [2]),
        ({"Bills": [FIRST, SECOND], "Bills (2)": [FIRST, SECOND]}, [2, 3]),
        ({"October": [FIRST, SECOND], "November": [FIRST, THIRD]}, []),
        ({"October": [FIRST], "November": [SECOND]}, []),
    ],
)
def test_sheets_of_a_workbook(sheets: dict[str, list[str]], expected: list[int], tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in [HEADER, *lines]:
            sheet.append(line.split(","))
    content = io.BytesIO()
    book.save(content)
    found = repeated(content.getvalue(), tmp_path)
    assert [int(detail.removeprefix(REPEATS)) for _, detail in found] == sorted(expected)
