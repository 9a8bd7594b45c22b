"""Chain heads: every transaction of the ledger carries the number and hash of the record that announced it.

By them `recovery` tells what a crash left, and verification that ledger and audit log are each other's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from showcost.core.durable import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from showcost.audit.log import Record
    from showcost.ledger.store import Ledger


@contextmanager
def announced(ledger: Ledger, connection: duckdb.DuckDBPyConnection, record: Record) -> Iterator[None]:
    """Do what is in the block as the one transaction that a record announced, which carries its hash."""
    with transaction(connection, ledger.path):
        yield
        attest(connection, record)


def attest(connection: duckdb.DuckDBPyConnection, record: Record) -> None:
    """Write the number and hash of a record into the ledger, with the transaction that it announced."""
    connection.execute(
        "INSERT INTO chain_heads VALUES ($seq, $hash, $kind)",
        {"seq": record.seq, "hash": record.hash, "kind": record.kind.value},
    )
