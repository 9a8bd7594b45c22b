"""Single flipped bits in a kind of file, each of which verification must find."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PACK: Final = "*"
"""The files of an exported pack, which the outside verifier checks."""

TARGETS: Final = {
    "database": "ledger.duckdb",
    "wal": "ledger.duckdb.wal",
    "payload": "raw/??/*",
    "register": "raw/register.jsonl",
    "audit log": "audit/log.jsonl",
    "segment": "audit/segments/*.parquet",
    "configuration": "audit/configurations/*",
    "staged rows": "staging/**/*.parquet",
    "index": "staging/**/index.jsonl",
}
"""Kinds of file, each with its glob pattern in a data folder."""


@dataclass(frozen=True)
class Flip:
    """A flipped bit of a file; `difference` is the first that verification found, or None."""

    file: str
    byte: int
    bit: int
    difference: str | None


def flips(
    folder: Path, pattern: str, tries: int, seed: int, first_difference: Callable[[], str | None]
) -> Iterator[Flip]:
    """Flip one bit after the other, verify, and flip it back."""
    draw = random.Random(f"{pattern} {seed}")  # noqa: S311 - not for secrets
    files = sorted(path for path in folder.glob(pattern) if path.is_file() and path.stat().st_size)
    if not files:
        raise FileNotFoundError(f"no file like {pattern}")
    for _ in range(tries):
        path = draw.choice(files)
        byte, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
        _flip(path, byte, bit)
        try:
            difference = first_difference()
        finally:
            _flip(path, byte, bit)
        yield Flip(path.relative_to(folder).as_posix(), byte, bit, difference)


def _flip(path: Path, byte: int, bit: int) -> None:
    mode = path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.seek(byte)
        (value,) = stream.read(1)
        stream.seek(byte)
        stream.write(bytes([value ^ 1 << bit]))
    path.chmod(mode)
