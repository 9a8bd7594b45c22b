"""The dates and amounts of real public files: every problem below was checked in its file once."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from showcost.values.amounts import infer_amounts
from showcost.values.dates import DateStyle, infer_dates
from showcost_tests.corpus import corpus_dir

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.corpus

AMOUNT_HEADERS = {
    "amount",
    "amount including vat",
    "amount (including vat)",
    "gross",
    "payment_value",
    "spend",
    "total",
}
PREAMBLE = 20

DATE_PROBLEMS = {
    "20131213_Transparency_Nov13.csv": {"invalid": 1},  # a year of three digits
    "20150512_Transparency_Mar15_Final.csv": {"invalid": 1},  # a day and a month without a year
    "CSV_GPC__25K_August_Data.csv": {"blank": 436},  # day numbers among dates, all within them
    "DCMS_Spend_over_GBP25k_April_2013.csv": {"blank": 210},
    "moj-aramis-sept-2012.csv.csv": {"blank": 1},
    "rpa-over-25k-1101.csv": {"blank": 4},
    # Month first in a British file: its days up to 12 had been turned into wrong ISO dates before.
    "transaction_spend_data_august_10_northern_ireland_office.xls": {"invalid": 2},
}
AMOUNT_PROBLEMS = {
    "CSV_GPC__25K_August_Data.csv": {"blank": 435},
    "DCMS_Spend_over_GBP25k_April_2013.csv": {"blank": 210},
    "_25k_March_Data.csv": {"blank": 1},
    "moj-aramis-sept-2012.csv.csv": {"blank": 14},
    "rpa-over-25k-1101.csv": {"blank": 4},
}
FILES_WITH_A_DATE, DATES_READ, AMOUNTS_READ = 50, 35_602, 35_593


def records(path: Path) -> list[list[str]]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")
    return list(csv.reader(text.splitlines(keepends=True)))


def header_of(rows: list[list[str]]) -> int | None:
    return next(
        (n for n, row in enumerate(rows[:PREAMBLE]) if any("date" in cell.lower() for cell in row)), None
    )


def columns() -> dict[str, tuple[pa.Array, pa.Array]]:
    """Return the column of dates and the last column of amounts of each file that has them."""
    by_file = {}
    for path in sorted(corpus_dir("uk_spend").iterdir()):
        rows = records(path)
        header = header_of(rows)
        if header is None:
            continue
        names = [cell.strip().lower() for cell in rows[header]]
        date = next(place for place, name in enumerate(names) if "date" in name)
        amount = max(place for place, name in enumerate(names) if name in AMOUNT_HEADERS)
        by_file[path.name] = tuple(
            pa.array([row[place] for row in rows[header + 1 :] if len(row) > place], pa.string())
            for place in (date, amount)
        )
    return by_file


def problems(column: pa.Array) -> dict[str, int]:
    return dict(Counter(problem for problem in column.to_pylist() if problem is not None))


def test_dates_of_public_spending() -> None:
    inferred = {name: infer_dates(dates, DateStyle(day_first=True)) for name, (dates, _) in columns().items()}
    assert len(inferred) == FILES_WITH_A_DATE
    assert {
        name: problems(column.problem) for name, column in inferred.items() if problems(column.problem)
    } == DATE_PROBLEMS
    assert sum(column.problem.null_count for column in inferred.values()) == DATES_READ


def test_day_numbers_are_read_where_the_feed_names_them() -> None:
    dates, _ = columns()["CSV_GPC__25K_August_Data.csv"]
    assert problems(infer_dates(dates, DateStyle(("%d/%m/%Y", "excel"))).problem) == {"blank": 436}


def test_amounts_of_public_spending() -> None:
    inferred = {name: infer_amounts(amounts, dash_is_zero=True) for name, (_, amounts) in columns().items()}
    assert {
        name: problems(column.problem) for name, column in inferred.items() if problems(column.problem)
    } == AMOUNT_PROBLEMS
    assert {column.decimal_mark for column in inferred.values()} == {".", None}
    assert sum(column.problem.null_count for column in inferred.values()) == AMOUNTS_READ
