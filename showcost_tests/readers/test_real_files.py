"""Real files of UK departments: each is read, nothing is lost, and facts checked by eye hold."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from showcost.readers import Hints, read_delivery
from showcost_tests.corpus import corpus_dir
from showcost_tests.readers.loading import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.corpus

SEEN = {
    "ea-over-25k-1103.csv": ("cp850", (3,), 587),
    "GPC_spend_transparency_data_March_2013.csv": ("cp1252", (85,), 3375),
    "pfs%20spend%20january%202012.csv": ("cp1252", (5,), 367),
    "sft%20spend%20-%20june%202011.csv": ("cp1252", (5,), 2),
    "CSV_GPC__25K_August_Data.csv": ("cp1252", (1,), 864),
    "April-2011-for-publication.csv": ("utf-8", (1,), 1452),
    "rpa-over-25k-1101.csv": ("cp1252", (2,), 24),
}
"""Encoding, header lines and records of some files, checked by eye."""


def test_every_file_is_read_and_accounted_for() -> None:
    counted = Counter[str]()
    for file in sorted(corpus_dir("uk_spend").iterdir()):
        with read_delivery(file, hints=Hints(languages=("en",))) as reading:
            rows = reading.table()
            counts = reading.counts
            assert (
                counts.bytes + (3 if file.read_bytes().startswith(b"\xef\xbb\xbf") else 0)
                == file.stat().st_size
            )
            assert rows.num_rows == counts.accepted
            assert set(rows.column("cells").combine_chunks().value_lengths().to_pylist()) == {
                len(reading.header)
            }
            counted.update(
                {"accepted": counts.accepted, "rejected": counts.rejected, "footer": counts.footer}
            )
            if file.name in SEEN:
                assert (reading.dialect.encoding, reading.dialect.header_records, counts.accepted) == SEEN[
                    file.name
                ]
    assert counted == {"accepted": 40893, "rejected": 0, "footer": 1}


def test_places_are_those_of_the_raw_text() -> None:
    file = corpus_dir("uk_spend") / "CO-Transparency-data-July-2012.csv"
    payload = file.read_bytes()
    with read_delivery(file, hints=Hints(languages=("en",))) as reading:
        for row in reading.table().to_pylist():
            assert payload[row["byte_start"] : row["byte_end"]].decode("cp1252").rstrip("\r\n") == row["raw"]


@pytest.mark.parametrize("seed", range(3))
def test_damage_to_a_record_costs_no_other(tmp_path: Path, seed: int) -> None:
    """Damage delimiters and quotes of real records: no record may be accepted that was not in the file."""
    pick = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    files = sorted(file for file in corpus_dir("uk_spend").iterdir() if file.stat().st_size < 100_000)
    for file in pick.sample(files, 12):
        before, _, _ = load(file)
        payload = file.read_bytes().decode("latin-1")
        lines = payload.split("\n")
        sound = [
            n for n, line in enumerate(lines) if n > 8 and line.count('"') % 2 == 0 and line.count(",") > 3
        ]
        if not sound:
            continue
        number = pick.choice(sound)
        lines[number] = damaged(lines[number], pick)
        path = tmp_path / "any"
        path.write_bytes("\n".join(lines).encode("latin-1"))
        after, raw, _ = load(path)
        assert not Counter(after.rows) - Counter(before.rows), (file.name, number, lines[number])
        assert (Counter(before.rows) - Counter(after.rows)).total() <= 2, (file.name, number, lines[number])
        assert len(before.rows) - len(after.rows) <= len(raw) + 2


def damaged(line: str, pick: random.Random) -> str:
    masked = re.sub(r'"(?:[^"]|"")*"', lambda m: "x" * len(m[0]), line)
    place = pick.choice([n for n, char in enumerate(masked) if char == ","])
    kind = pick.choice(["more", "less", "quote", "other"])
    if kind == "more":
        return line[:place] + "," + line[place:]
    if kind == "less":
        return line[:place] + line[place + 1 :]
    if kind == "quote":
        return line[: place + 1] + '"' + line[place + 1 :]
    return "".join(";" if mask == "," else char for mask, char in zip(masked, line, strict=True))
