"""Short, repeatable fuzzing of the reader, and the findings of longer runs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from showcost_tests.fuzz.laws import HINTS, check
from showcost_tests.fuzz.mutation import mutations

PAYLOADS = 150
FINDINGS = sorted((Path(__file__).parent / "found").glob("*.bin"))


def test_readings_of_mutated_files_have_the_properties(tmp_path: Path) -> None:
    for number, payload in enumerate(islice(mutations(seed=20_250_101), PAYLOADS)):
        check(payload, tmp_path / "any", HINTS[number % len(HINTS)])


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_an_earlier_finding_stays_fixed(path: Path, tmp_path: Path) -> None:
    payload = path.read_bytes()
    check(payload[1:], tmp_path / "any", HINTS[payload[0] % len(HINTS)])


@pytest.mark.parametrize(
    "between",
    [
        "Title,,,\n" + 12 * "\n" + "Date,Vendor,Note,Net\n",
        "Title\nDate,Vendor,Note,Net\n",
        '"Title, of ""two"" parts",,,\nDate,Vendor,Note,Net\n',
        '"Title\nof two lines",,,\nDate,Vendor,Note,Net\n',
        '""," ",,\nTitle,"",,\nDate,Vendor,Note,Net\n',
        "\nTitle\nDay,Whom,What,Value\n",
        '\n"Title, once more"\n\nAnother,,,\nDay,Whom,What,Value\n',
        '\nTitle,,,\n"Title\nof two lines",,,\nDay,Whom,What,Value\n',
        9 * "Title,,,\n" + "Date,Vendor,Note,Net\n",
    ],
)
def test_both_parsers_find_the_same_titles(between: str, tmp_path: Path) -> None:
    rows = [f"{day:02}/02/2025,Vendor {day},van,{day}.50\n" for day in range(1, 28)]
    text = "Date,Vendor,Note,Net\n" + "".join(rows) + between + "".join(rows)
    check(text.encode(), tmp_path / "any")
