"""Deterministic ids: the same content has the same id on every machine, in any processing order."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

from showcost.core.hashing import SHORT, framed, sha256_framed

DOCUMENT_DIGITS: Final = 24
"""Digits of a row's key that the lines of one document without line numbers share."""

LINE_KEY_SQL: Final = (
    f"{{key}}[:{DOCUMENT_DIGITS}] || format('{{{{:0{SHORT - DOCUMENT_DIGITS}x}}}}', {{line}})"
)
"""`line_key` as a DuckDB expression; `key` and `line` are to be filled in."""

DOCUMENT_SQL: Final = f"row_key[:{DOCUMENT_DIGITS}]"
"""What the keys of a document's lines without numbers share, as an expression over `row_key`."""


def line_key(key: str, line: int) -> str:
    """Return the key of a line without a number, the n-th with that key in its delivery.

    The first keeps the key; the others share its first `DOCUMENT_DIGITS` digits, which so name the document.
    """
    return key if line == 1 else f"{key[:DOCUMENT_DIGITS]}{line:0{SHORT - DOCUMENT_DIGITS}x}"


def own_key(row: tuple[str, str, int], key: str) -> str:
    """Return the key of a row (feed, delivery, record) as a cost of its own, whatever row has its key."""
    return sha256_framed(["own", key, *row])[:SHORT]


def entry_id(production: str, feed: str, row_key: str, component: str, version: str = "posting") -> str:
    """Return the id of a ledger entry: 32 hex digits over its content, independent of time.

    `component` is the part of the row in this entry (net, tax, gross, benefit, fee, deposit). `version` is
    `posting` or `reversal` for the first revision of a key, `posting n` or `reversal n` for revision n.
    """
    return sha256_framed([production, feed, row_key, component, version])[:SHORT]


class RowRef(NamedTuple):
    """The place of a row: feed, delivery and record number."""

    feed: str
    delivery: str
    record: int

    @property
    def row_id(self) -> str:
        """The row's id in the queue."""
        return row_id(self.feed, self.delivery, self.record)


def row_id(feed: str, delivery: str, record: int) -> str:
    """Return the id of a row in the queue: 32 hex digits over its place, framed as one JSON array."""
    digest = _begun(feed, delivery).copy()
    digest.update(b"%d]" % record)
    return digest.hexdigest()[:SHORT]


@lru_cache(maxsize=64)
def _begun(feed: str, delivery: str) -> hashlib._Hash:
    """Return the hash of what the rows of a delivery share: a decision may be about 200,000 of them."""
    return hashlib.sha256(framed([feed, delivery]).removesuffix(b"]") + b",")


ROW_ID_SQL: Final = f"sha256(CAST(json_array(feed, delivery, record) AS VARCHAR))[:{SHORT}]"
"""`row_id` as a DuckDB expression over columns of these names."""
