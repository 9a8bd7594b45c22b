"""Columns with few texts: the book keeps each text once, and rows have its place among them.

Most of what a large book repeats in every row is the same few texts: vendors, currencies, rates, the rules of
a programme. Their places take less memory, and a fraction of the space.
"""
# ruff: noqa: S608 - statements are put together from names of columns

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

MOST_WORDS: Final = 1_000
"""Texts of a column up to which each is kept once."""

_MOST_ESTIMATED: Final = 2 * MOST_WORDS
"""An estimate above which a column need not be counted; far beyond the error of the estimate."""


def words_of(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str]
) -> dict[str, list[str]]:
    """Return the texts of those columns of a table or view that have few, in order."""
    estimates = _one_row(connection, source, [f'approx_count_distinct("{name}")' for name in columns])
    few = [name for name, count in zip(columns, estimates, strict=True) if count <= _MOST_ESTIMATED]
    lists = _one_row(
        connection,
        source,
        [f'list(DISTINCT "{name}") FILTER ("{name}" IS NOT NULL)' for name in few],
        [f'CAST("{name}" AS VARCHAR) AS "{name}"' for name in few],
    )
    return {
        name: sorted(texts or [])
        for name, texts in zip(few, lists, strict=True)
        if len(texts or []) <= MOST_WORDS
    }


def _one_row(
    connection: duckdb.DuckDBPyConnection, source: str, wanted: Sequence[str], columns: Sequence[str] = ("*",)
) -> tuple[Any, ...]:
    if not wanted:
        return ()
    statement = f'SELECT {", ".join(wanted)} FROM (SELECT {", ".join(columns)} FROM "{source}")'
    row: tuple[Any, ...] = connection.execute(statement).fetchall()[0]
    return row


def places_sql(connection: duckdb.DuckDBPyConnection, words: dict[str, list[str]]) -> dict[str, str]:
    """Return the expressions of the places of texts, by column; they are valid on this connection alone."""
    for name, texts in words.items():
        connection.register("book_words", pa.table({"word": pa.array(texts, pa.string())}))
        connection.execute(f'CREATE TEMP TYPE "words of {name}" AS ENUM (SELECT word FROM book_words)')
        connection.unregister("book_words")
    return {name: f'enum_code(CAST(CAST("{name}" AS VARCHAR) AS "words of {name}"))' for name in words}
