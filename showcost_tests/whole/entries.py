"""Contents of the ledger and of the staged rows, for assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from showcost_tests.fx.independent import independent_base_amount, independent_rates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from decimal import Decimal

    from showcost.workspace import Workspace

_AMOUNTS = """
SELECT transaction_date, currency, amount, base_amount, rate_date FROM ledger_entries ORDER BY ALL
"""
_TYPES = """
SELECT table_name || '.' || column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL
"""


def count(workspace: Workspace) -> int:
    """Return the number of ledger entries."""
    with workspace.ledger.read() as connection:
        ((entries,),) = connection.execute("SELECT count(*) FROM ledger_entries").fetchall()
    return int(entries)


def wrongly_converted(workspace: Workspace) -> list[tuple[date, str, Decimal, Decimal]]:
    """Return the entries whose base amount or rate date differs from an independent computation."""
    with workspace.ledger.read() as connection:
        rows = connection.execute(_AMOUNTS).fetchall()
    assert rows
    return [
        (day, currency, amount, base)
        for day, currency, amount, base, rate_date in rows
        if (base, rate_date)
        != (
            # The base currency needs no rate.
            (amount, day)
            if currency == "USD"
            else (independent_base_amount(amount, currency, "USD", day), independent_rates(day)[0])
        )
    ]


def types(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield (column, type) of every table of the ledger and of every staged file."""
    with workspace.ledger.read() as connection:
        yield from connection.execute(_TYPES).fetchall()
    for path in sorted((workspace.path / "staging").rglob("*.parquet")):
        for field in pq.read_schema(path):
            yield f"{path.parent.name}.{field.name}", str(field.type)


def tamper(workspace: Workspace, *statements: str) -> None:
    """Change the ledger with its triggers dropped, and create the triggers again."""
    with duckdb.connect(workspace.ledger.path) as connection:
        triggers = connection.execute(
            "SELECT trigger_name, table_name, sql FROM duckdb_triggers()"
        ).fetchall()
        for name, table, _ in triggers:
            connection.execute(f"DROP TRIGGER {name} ON {table}")
        for statement in statements:
            connection.execute(statement)
        for _, _, sql in triggers:
            connection.execute(sql)
