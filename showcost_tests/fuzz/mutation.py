"""Generation of payloads: typical files of vendors with typical damage to their bytes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from showcost_tests.readers import polluters
from showcost_tests.readers.measures import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKS: Final = (
    b'"', b"'", b",", b";", b"\t", b"|", b"||", b"\\", b"\r", b"\n", b"\r\n", b"\0", b" ", b'""', b'","',
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"\x80", b"\xc2\xa3", b"(1,234.56)", b"1.234,56", b"01/02/2025",
    b"Total", b"\x1f\x8b", b"PK\x03\x04", b"<html>", b"=", b"\xed\xa0\x80", b"\x00\xd8",
)  # fmt: skip
_LONGEST: Final = 20_000


def seeds() -> list[bytes]:
    """Return small initial files of many kinds, each cut to a few rows."""
    source = polluters.source()
    small = Table(source.header, source.rows[:12])
    files = [file.payload for file in polluters.file_pollutions(small)]
    rows = [file.payload for number, file in enumerate(polluters.row_pollutions(small)) if number % 37 == 0]
    return [*files, *rows]


def mutations(seed: int) -> Iterator[bytes]:
    """Yield payloads without end, the same for the same seed."""
    pick = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    pool = seeds()
    while True:
        payload = pick.choice(pool)
        for _ in range(pick.choice((1, 1, 2, 3, 8))):
            payload = _mutated(payload, pick, pool)
        yield payload[:_LONGEST]


def _mutated(payload: bytes, pick: random.Random, pool: list[bytes]) -> bytes:
    start = pick.randint(0, len(payload))
    end = min(len(payload), start + pick.choice((0, 1, 1, 2, 8, 64)))
    mark, other = pick.choice(MARKS), pick.choice(pool)
    ways = (
        payload[:start] + mark + payload[start:],
        payload[:start] + mark + payload[end:],
        payload[:start] + payload[end:],
        payload[:start] + payload[start:end] * pick.choice((2, 3, 50)) + payload[end:],
        payload[:start] + bytes([pick.randrange(256)]) + payload[start + 1 :],
        payload[:start] + other[pick.randint(0, len(other)) :],
        payload.replace(mark, pick.choice(MARKS)),
    )
    return pick.choice(ways)
