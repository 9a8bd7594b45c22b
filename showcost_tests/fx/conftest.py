"""Small rate files and an empty database with the tables of the pinned rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from showcost.fx.parsing import parse_history
from showcost.fx.sources import embedded_history
from showcost_tests.fx.tables import create_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from showcost.fx.history import RateHistory

WEEK = """Date,USD,GBP,ISK,
2026-10-30,1.1172,0.8338,N/A,
2026-10-29,1.1180,0.8340,142.5,
2026-10-28,1.1190,0.8350,142.1,
2026-10-27,1.1150,0.8360,N/A,
2026-10-26,1.1160,0.8345,N/A,
"""
"""A Monday to a Friday; the Icelandic krona is quoted on two days of it."""


@pytest.fixture(scope="session")
def ecb() -> RateHistory:
    """Return the whole history of the ECB."""
    return embedded_history()


@pytest.fixture
def read() -> Callable[[str], RateHistory]:
    """Read a rate file given as text."""
    return lambda text: parse_history(text.encode(), "test", "rates.csv")


@pytest.fixture
def week(read: Callable[[str], RateHistory]) -> RateHistory:
    return read(WEEK)


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        create_tables(connection)
        yield connection
