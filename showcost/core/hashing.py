"""Hashes over bytes, files and framed values.

Framing keeps values apart: `("ab", "c")` and `("a", "bc")` hash differently. The modules that own tables
hash their canonical rows with these functions.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SHORT = 32
"""Hex digits of a shortened hash: 128 bits, ample for ids within one production."""

_BLOCK = 1 << 20


def sha256_bytes(data: bytes) -> str:
    """Return the sha256 of `data` as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hex digits, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


# Made once: `json.dumps` with these options makes an encoder for each of millions of ids.
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def framed(values: Iterable[str | int | None]) -> bytes:
    """Return values as one JSON array without spaces, the input of ids and digests."""
    return _encode(list(values)).encode()


def sha256_framed(values: Iterable[str | int | None]) -> str:
    """Return the sha256 of framed values as 64 hex digits."""
    return sha256_bytes(framed(values))
