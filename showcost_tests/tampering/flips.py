"""One flipped bit, somewhere in a kind of file: found by verification, every time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost_tests.tampering.books import first_difference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.config.home import Home

TARGETS: Final = {
    "database": "ledger.duckdb",
    "wal": "ledger.duckdb.wal",
    "payload": "raw/??/*",
    "register": "raw/register.jsonl",
    "audit log": "audit/log.jsonl",
    "segment": "audit/segments/*.parquet",
    "staged rows": "staging/**/*.parquet",
}
"""Kinds of file, each with the pattern that finds it in a data folder."""


@dataclass(frozen=True)
class Flip:
    """A bit of a file; `found` is what verification said first, or None if it said nothing."""

    file: str
    byte: int
    bit: int
    found: str | None


def flips(home: Home, target: str, tries: int, seed: int) -> Iterator[Flip]:
    """Flip one bit after the other, verify, and flip it back."""
    draw = random.Random(f"{target} {seed}")  # noqa: S311 - not for secrets
    files = sorted(path for path in home.path.glob(TARGETS[target]) if path.is_file() and path.stat().st_size)
    if not files:
        raise FileNotFoundError(f"no file of the kind {target}")
    for _ in range(tries):
        path = draw.choice(files)
        byte, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
        _flip(path, byte, bit)
        try:
            found = first_difference(home)
        finally:
            _flip(path, byte, bit)
        yield Flip(path.relative_to(home.path).as_posix(), byte, bit, found)


def _flip(path: Path, byte: int, bit: int) -> None:
    mode = path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.seek(byte)
        (value,) = stream.read(1)
        stream.seek(byte)
        stream.write(bytes([value ^ 1 << bit]))
    path.chmod(mode)
