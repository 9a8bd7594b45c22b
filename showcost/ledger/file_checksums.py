"""Checksums of the ledger file, block by block, including bytes that no query reads.

DuckDB writes three headers of 4 KiB and then blocks of 256 KiB; each begins with eight bytes of checksum
over the rest. DuckDB checks the blocks that it reads; this module checks all of them, free blocks and the
spare header included, so that it detects every flipped bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from showcost.audit.log import Discrepancy

if TYPE_CHECKING:
    from pathlib import Path

_HEADERS, _HEADER, _BLOCK = 3, 4096, 262_144
_MAGIC: Final = b"DUCK"
_MAGIC_AT, _CHECKSUM_BYTES = 8, 8
_MULTIPLIER: Final = np.uint64(0xBF58476D1CE4E5B9)
_SEED: Final = np.uint64(5381)


def damaged_blocks(path: Path) -> tuple[int, list[Discrepancy]]:
    """Return the number of headers and blocks of a closed ledger file, and the damaged ones."""
    findings = []
    number = 0
    with path.open("rb") as stream:
        while piece := stream.read(_HEADER if number < _HEADERS else _BLOCK):
            number += 1
            size = _HEADER if number <= _HEADERS else _BLOCK
            if len(piece) != size or not _is_whole(piece) or (number == 1 and not _is_database(piece)):
                where = f"header {number}" if number <= _HEADERS else f"block {number - _HEADERS}"
                findings.append(Discrepancy(f"{path.name}, {where}", "its bytes do not match their checksum"))
    if number < _HEADERS:
        findings.append(Discrepancy(path.name, "the file is too short for a database"))
    return number, findings


def _is_database(header: bytes) -> bool:
    return header[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC


def _is_whole(piece: bytes) -> bool:
    words = np.frombuffer(piece, dtype="<u8")
    return bool(np.bitwise_xor.reduce(words[1:] * _MULTIPLIER) ^ _SEED == words[0])
