"""Claims on keys: the key holder among the rows of a key, and duplicates or conflicts among the others.

The posted row holds the key. If no row is posted, the holder is the row that a person rebooked, the latest
such decision first; else a row that was reversed, so that a reversal admits no other row; else the earliest
sound row, by number of arrival and of record. Any other row of the key is a duplicate if its content is the
same, and a conflict if it differs. A row that repeats the original of a corrected row is a duplicate of the
original. Neither partitions nor the order of their processing matter: the caller hands in all landed rows of
the key.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import query
from showcost.core.errors import IntegrityError

DUPLICATE: Final = "SC-DUP-001"
CONFLICT: Final = "SC-DUP-002"

POSTED: Final = pa.schema(
    [("row_key", pa.string()), ("delivery", pa.string()), ("record", pa.int64()), ("content", pa.string())]
)
"""The posted rows of a feed, each key once."""

CANDIDATES: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("row_key", pa.string()),
        ("delivery", pa.string()),
        ("arrival", pa.int64()),
        ("record", pa.int64()),
        ("content", pa.string()),
        ("sound", pa.bool_()),
        ("priority", pa.int64()),
        ("reversed", pa.bool_()),
        ("original", pa.bool_()),
    ]
)
"""The landed rows that may hold a key. `sound` rows pass every rule, except rules about rates.

`priority` is negative for rows that a person rebooked, the lowest first. An `original` is a corrected row as
delivered: it cannot hold a key.
"""

CLAIMS: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("code", pa.string()),
        ("posted", pa.bool_()),
        ("holder_delivery", pa.string()),
        ("holder_record", pa.int64()),
        ("holder_posted", pa.bool_()),
    ]
)
"""Results of the claims: `code` is null for the row that holds its key, `posted` marks rows in the ledger.

The `holder` columns name the key holder.
"""

_SQL: Final = """
WITH contested AS (
    SELECT row_key FROM candidates WHERE row_key IS NOT NULL GROUP BY row_key HAVING count(*) > 1
    UNION SELECT row_key FROM posted
), same_key AS (
    SELECT candidates.* FROM candidates SEMI JOIN contested USING (row_key)
), originals AS (
    SELECT row_key, content, min((arrival, record)) AS place,
        arg_min({'delivery': delivery, 'record': record}, (arrival, record)) AS row
    FROM same_key WHERE original GROUP BY row_key, content
), current AS (
    SELECT same_key.*, originals.row AS original_row,
        coalesce((same_key.arrival, same_key.record) > originals.place, false) AND priority = 0
            AND (posted.delivery, posted.record) IS DISTINCT FROM (same_key.delivery, same_key.record)
            AS repeats
    FROM same_key LEFT JOIN originals USING (row_key, content) LEFT JOIN posted USING (row_key)
    WHERE NOT original
), earliest AS (
    SELECT row_key,
        arg_min({'delivery': delivery, 'record': record, 'content': content},
            (priority, NOT reversed, arrival, record)) AS row
    FROM current WHERE sound AND NOT repeats GROUP BY row_key
), holder AS (
    SELECT row_key,
        coalesce(posted.delivery, earliest.row.delivery) AS delivery,
        coalesce(posted.record, earliest.row.record) AS record,
        coalesce(posted.content, earliest.row.content) AS content,
        posted.row_key IS NOT NULL AS posted
    FROM earliest FULL JOIN posted USING (row_key)
), claims AS (
    SELECT current.row, repeats OR current.content = holder.content AS same,
        NOT repeats AND holder.posted AS posted,
        NOT repeats AND current.delivery = holder.delivery AND current.record = holder.record AS holds,
        CASE WHEN repeats THEN original_row.delivery ELSE holder.delivery END AS holder_delivery,
        CASE WHEN repeats THEN original_row.record ELSE holder.record END AS holder_record
    FROM current LEFT JOIN holder USING (row_key)
    WHERE current.row IS NOT NULL AND (repeats OR holder.row_key IS NOT NULL)
)
SELECT row,
    CASE WHEN NOT same THEN $conflict WHEN NOT holds THEN $duplicate END AS code,
    holds AND posted AS posted,
    holder_delivery, holder_record, posted AS holder_posted
FROM claims ORDER BY row
"""


def key_claims(candidates: pa.Table, posted: pa.Table) -> pa.Table:
    """Return the claims (`CLAIMS`) of candidates whose key is contested or posted, by `row`.

    Candidates without `row` may hold a key but are not in the result. A posted row whose content now reads
    differently conflicts with itself: `posted` and code SC-DUP-002. Raises IntegrityError for a key that is
    posted twice and for a candidate that occurs twice.
    """
    rows, holders = (
        candidates.select(CANDIDATES.names).cast(CANDIDATES),
        posted.select(POSTED.names).cast(POSTED),
    )
    _refuse_twice(holders, ("row_key",), "{} keys are posted more than once: run showcost verify")
    landed = rows.filter(pc.invert(rows.column("original")))
    _refuse_twice(landed, ("delivery", "record"), "{} landed rows were handed in more than once")
    codes = {"duplicate": DUPLICATE, "conflict": CONFLICT}
    return query(_SQL, codes, candidates=rows, posted=holders).cast(CLAIMS)


def _refuse_twice(table: pa.Table, names: tuple[str, ...], message: str) -> None:
    """Raise IntegrityError for rows that occur more than once."""
    sql = f"SELECT {', '.join(names)} FROM rows GROUP BY ALL HAVING count(*) > 1"  # noqa: S608 -- names of ours
    if count := query(sql, rows=table).num_rows:
        raise IntegrityError(message.format(count))
