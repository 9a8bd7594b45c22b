"""A short fuzz of the reader, the same each time, and everything that longer ones have found."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from showcost_tests.fuzz.laws import HINTS, check
from showcost_tests.fuzz.mutation import mutations

PAYLOADS = 150
FOUND = sorted((Path(__file__).parent / "found").glob("*.bin"))
OPEN = sorted((Path(__file__).parent / "open").glob("*.bin"))
"""Findings that are not mended: the test of one that is fails until it is moved to `found`."""


def test_mutated_files_keep_the_laws(tmp_path: Path) -> None:
    for number, payload in enumerate(islice(mutations(seed=20_250_101), PAYLOADS)):
        check(payload, tmp_path / "any", HINTS[number % len(HINTS)])


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_once_is_not_found_again(path: Path, tmp_path: Path) -> None:
    payload = path.read_bytes()
    check(payload[1:], tmp_path / "any", HINTS[payload[0] % len(HINTS)])


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="known and not mended, see docs/reader.md")
@pytest.mark.parametrize("path", OPEN, ids=lambda path: path.stem)
def test_what_is_known_is_still_so(path: Path, tmp_path: Path) -> None:
    payload = path.read_bytes()
    check(payload[1:], tmp_path / "any", HINTS[payload[0] % len(HINTS)])
