"""Arbitrary names, modes, kinds and bytes thrown into the inbox of one feed of many."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.deliveries.encryption import MAGIC
from showcost_tests.fuzz.mutation import mutations
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Iterator
_NAMES: Final = (
    b"invoice",
    b"r\xe9sum\xe9",
    b"\x1b[2J",
    b"\xe2\x80\xaevsc",
    b"a\nb",
    b"-rf",
    b"~$x",
    b".hidden",
    b"CON",
    b"%s{0}",
    b"' OR 1=1 --",
    b"<img src=x>",
    b"=cmd|x",
    b"123-45-6789",
    b"\xed\xa0\x80",
    b"\xff",
    b" ",
    b"x" * 240,
    b"*",
)
_ENDINGS: Final = (
    b".csv",
    b".xlsx",
    b".xml",
    b".txt",
    b".csv.gz",
    b".zip",
    b".xls",
    b".CSV",
    b"",
    b".part",
    b".done",
    b".csv.done",
    b".json",
    b"/",
)
_MODES: Final = (0o644, 0o644, 0o000, 0o200, 0o444, 0o777, 0o4755)
_TIMES: Final = (None, None, 0, -1, 2**31, 2**33, 253402300800)
_STARTS: Final = (
    MAGIC,
    MAGIC + b"\n",
    b"",
    b"\0",
    b"\xef\xbb\xbf",
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"\x1f\x8b",
    gzip.compress(b"a;b\r\n" * 40),
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    b"[" * 3_000,
    b"EXTF;700;21",
    b":20:START\r\n:25:DE89",
)


class Thrower:
    """A sender of anything; the same seed throws the same."""

    def __init__(self, seed: int) -> None:
        self._pick = random.Random(seed)  # noqa: S311 -- repeatable, no secret
        self._payloads: Iterator[bytes] = mutations(seed)
        # A good delivery, too, so that damage reaches what comes after the reader.
        self._good = small.german(small.FIRST).encode()

    def throw(self, folder: Path) -> bytes:
        """Put one entry into a folder; return its name. An entry of the same name stays."""
        pick = self._pick
        name = pick.choice(_NAMES) + pick.randbytes(2).hex().encode() + pick.choice(_ENDINGS)
        path = os.path.join(os.fsencode(folder), name.rstrip(b"/"))  # noqa: PTH118 -- bytes
        if os.path.lexists(path):
            return name
        match pick.randrange(12):
            case 0:
                Path(os.fsdecode(path)).symlink_to(pick.choice(("/etc/passwd", "nowhere", ".", "/dev/zero")))
            case 1:
                os.mkfifo(path)
            case 2:
                os.mkdir(path)  # noqa: PTH102 -- bytes
            case _:
                self._write(path)
        return name

    def _write(self, path: bytes) -> None:
        pick = self._pick
        with open(path, "wb") as file:  # noqa: PTH123 -- bytes
            file.write(self._bytes())
        seconds = pick.choice(_TIMES)
        if seconds is not None:
            os.utime(path, (seconds, seconds))
        os.chmod(path, pick.choice(_MODES))  # noqa: PTH101 -- bytes

    def _bytes(self) -> bytes:
        pick = self._pick
        match pick.randrange(4):
            case 0:
                return pick.choice(_STARTS) + pick.randbytes(pick.choice((0, 1, 40, 3_000)))
            case 1:
                good = bytearray(self._good)
                for _ in range(pick.choice((1, 2, 8, 64))):
                    good[pick.randrange(len(good))] = pick.randrange(256)
                return bytes(good)
            case _:
                return next(self._payloads)
