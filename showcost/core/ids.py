"""Deterministic ids: the same content gets the same id on every machine, in every order of work."""

from __future__ import annotations

from typing import Final, NamedTuple

from showcost.core.hashing import SHORT, sha256_framed


def entry_id(production: str, feed: str, row_key: str, component: str, version: str = "posting") -> str:
    """Return the id of a ledger entry: 32 hex digits over what the entry *is*, not when it was made.

    `component` is the part of the row that the entry carries (net, tax, gross, benefit, fee, deposit);
    `version` is `posting` for a first posting and `reversal` for what negates it; of a later generation n
    of the key they are `posting n` and `reversal n`.
    """
    return sha256_framed([production, feed, row_key, component, version])[:SHORT]


class RowPlace(NamedTuple):
    """Where a row was delivered."""

    feed: str
    delivery: str
    record: int

    @property
    def row_id(self) -> str:
        """The id of the row in the queue."""
        return row_id(self.feed, self.delivery, self.record)


def row_id(feed: str, delivery: str, record: int) -> str:
    """Return the id of a row in the queue: 32 hex digits over where it came from."""
    return sha256_framed([feed, delivery, record])[:SHORT]


ROW_ID_SQL: Final = f"sha256(CAST(json_array(feed, delivery, record) AS VARCHAR))[:{SHORT}]"
"""`row_id` as a DuckDB expression over columns of these names."""
