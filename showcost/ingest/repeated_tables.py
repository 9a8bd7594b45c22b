"""Tables of one file with the same rows: a list copied below itself, or a sheet of all months and its months.

Equal rows of one table are told apart by their order, since an invoice may have two lines of 500.00. Where a
whole table comes again, they are more likely one row: a person decides (SC-DUP-003).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from showcost.readers.model import REPEATS

if TYPE_CHECKING:
    import duckdb

    from showcost.config.feed import FeedSpec

LEAST_ROWS: Final = 2
"""Rows of the smaller of two tables of one sheet or text: the last page of a list may have one row."""


class Tables(NamedTuple):
    """The numbers of the records with the names of columns, and of the first ones of later sheets."""

    headers: tuple[int, ...] = ()
    sheets: tuple[int, ...] = ()


_ROWS: Final = """
CREATE TEMP TABLE table_rows AS
SELECT *, row_number() OVER (PARTITION BY part, content ORDER BY record) AS again,
    count(*) OVER (PARTITION BY part) AS size
FROM (
    SELECT record, coalesce(starts.start, 0) AS part, coalesce(starts.sheet, 0) AS sheet,
        sha256(json_array(row_key, {texts})) AS content
    FROM records ASOF LEFT JOIN (
        SELECT start,
            (SELECT count(*) FROM unnest(CAST($sheets AS BIGINT[])) AS sheets(first) WHERE first <= start)
                AS sheet
        FROM (SELECT DISTINCT unnest(CAST($starts AS BIGINT[])) AS start)
    ) AS starts ON records.record >= starts.start
    WHERE read_code IS NULL AND row_key IS NOT NULL
)
"""
_MARKS: Final = """
CREATE TEMP TABLE repeated_rows AS
WITH pairs AS (
    SELECT later.record, earlier.record AS first, later.part AS later, earlier.part AS earlier,
        least(later.size, earlier.size) AS size, later.sheet <> earlier.sheet AS other_sheet
    FROM table_rows AS later JOIN table_rows AS earlier USING (content, again)
    WHERE earlier.part < later.part
)
SELECT record, min(first) AS first FROM (
    SELECT record, first FROM pairs
    QUALIFY count(*) OVER (PARTITION BY later, earlier) = size AND (other_sheet OR size >= $least)
) GROUP BY record
"""
_MARKED: Final = f"""
SELECT numbered_rows.* REPLACE (
    CASE WHEN first IS NULL OR ordinal = 1 THEN read_detail
        ELSE concat_ws('; ', '{REPEATS}' || first, read_detail) END AS read_detail
) FROM ({{numbered}}) AS numbered_rows LEFT JOIN repeated_rows USING (record)
"""  # noqa: S608 - constants only


def mark_repeated(
    connection: duckdb.DuckDBPyConnection, feed: FeedSpec, tables: Tables, numbered: str
) -> str:
    """Return the query `numbered` with a detail for rows of a table that an earlier table has, too.

    All rows of the smaller of both tables must be in the other. Only rows that are told apart by their order
    are marked: others have one key. The records of the whole delivery are in the view `records`.
    """
    starts = {*tables.headers, *tables.sheets}
    if len(starts) < LEAST_ROWS and not tables.sheets:
        return numbered
    texts = ", ".join(f"lower(trim(coalesce(\"{name}\", '')))" for name in feed.kind.by_name)
    places = {"starts": sorted(starts), "sheets": list(tables.sheets)}
    connection.execute(_ROWS.format(texts=texts), places)
    connection.execute(_MARKS, {"least": LEAST_ROWS})
    return _MARKED.format(numbered=numbered)
