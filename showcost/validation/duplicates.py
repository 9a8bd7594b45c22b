"""The claim on a key: which of the rows with the same key is posted, and what the others are.

The row that is posted holds the key. When none is, the row that a person prefers does, the last one preferred
first; else one that was withdrawn, so that taking a row back lets no other one in; else the earliest of those
that are sound, by number of arrival and of record. Every other row of the key is a duplicate when its content
is the same, and a conflict when it is not. What repeats a corrected row as it was first delivered is a
duplicate of that. Nothing here depends on partitions or on the order in which they are worked on: the caller
brings all landed rows of the key.
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
"""The rows of a feed that the ledger has posted, each key once."""

CANDIDATES: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("row_key", pa.string()),
        ("delivery", pa.string()),
        ("arrival", pa.int64()),
        ("record", pa.int64()),
        ("content", pa.string()),
        ("sound", pa.bool_()),
        ("preference", pa.int64()),
        ("withdrawn", pa.bool_()),
        ("superseded", pa.bool_()),
    ]
)
"""The landed rows that may hold a key. `sound` rows hold to every rule but those about rates.

`preference` is negative for rows that a person prefers, the lowest first. `superseded` ones are corrected
rows as they were first delivered: they hold nothing.
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
"""What became of the rows: `code` is null for a row that nobody stands before, `posted` says that the ledger
has this very row. The holder is the row to which the key belongs."""

_SQL: Final = """
WITH contested AS (
    SELECT row_key FROM candidates WHERE row_key IS NOT NULL GROUP BY row_key HAVING count(*) > 1
    UNION SELECT row_key FROM posted
), rival AS (
    SELECT candidates.* FROM candidates SEMI JOIN contested USING (row_key)
), former AS (
    SELECT row_key, content, min((arrival, record)) AS place,
        arg_min({'delivery': delivery, 'record': record}, (arrival, record)) AS row
    FROM rival WHERE superseded GROUP BY row_key, content
), current AS (
    SELECT rival.*, former.row AS former,
        coalesce((rival.arrival, rival.record) > former.place, false) AND preference = 0
            AND (posted.delivery, posted.record) IS DISTINCT FROM (rival.delivery, rival.record) AS repeats
    FROM rival LEFT JOIN former USING (row_key, content) LEFT JOIN posted USING (row_key)
    WHERE NOT superseded
), earliest AS (
    SELECT row_key,
        arg_min({'delivery': delivery, 'record': record, 'content': content},
            (preference, NOT withdrawn, arrival, record)) AS row
    FROM current WHERE sound AND NOT repeats GROUP BY row_key
), holder AS (
    SELECT row_key,
        coalesce(posted.delivery, earliest.row.delivery) AS delivery,
        coalesce(posted.record, earliest.row.record) AS record,
        coalesce(posted.content, earliest.row.content) AS content,
        posted.row_key IS NOT NULL AS posted
    FROM earliest FULL JOIN posted USING (row_key)
), judged AS (
    SELECT current.row, repeats OR current.content = holder.content AS same,
        NOT repeats AND holder.posted AS posted,
        NOT repeats AND current.delivery = holder.delivery AND current.record = holder.record AS holds,
        CASE WHEN repeats THEN former.delivery ELSE holder.delivery END AS holder_delivery,
        CASE WHEN repeats THEN former.record ELSE holder.record END AS holder_record
    FROM current LEFT JOIN holder USING (row_key)
    WHERE current.row IS NOT NULL AND (repeats OR holder.row_key IS NOT NULL)
)
SELECT row,
    CASE WHEN NOT same THEN $conflict WHEN NOT holds THEN $duplicate END AS code,
    holds AND posted AS posted,
    holder_delivery, holder_record, posted AS holder_posted
FROM judged ORDER BY row
"""


def key_claims(candidates: pa.Table, posted: pa.Table) -> pa.Table:
    """Return what becomes of the candidates whose key is contested or posted, by `row`; see `CLAIMS`.

    Candidates without `row` only take part. A posted row whose content reads differently now is a conflict
    with itself: `posted` and code SC-DUP-002. Raises IntegrityError for a key that is posted twice and for a
    candidate that stands twice.
    """
    rows, holders = (
        candidates.select(CANDIDATES.names).cast(CANDIDATES),
        posted.select(POSTED.names).cast(POSTED),
    )
    _refuse_twice(holders, ("row_key",), "{} keys are posted more than once: run showcost verify")
    landed = rows.filter(pc.invert(rows.column("superseded")))
    _refuse_twice(landed, ("delivery", "record"), "{} landed rows were handed in more than once")
    codes = {"duplicate": DUPLICATE, "conflict": CONFLICT}
    return query(_SQL, codes, candidates=rows, posted=holders).cast(CLAIMS)


def _refuse_twice(table: pa.Table, names: tuple[str, ...], sentence: str) -> None:
    """Raise IntegrityError for rows that must be there once but are not."""
    sql = f"SELECT {', '.join(names)} FROM rows GROUP BY ALL HAVING count(*) > 1"  # noqa: S608 -- names of ours
    if count := query(sql, rows=table).num_rows:
        raise IntegrityError(sentence.format(count))
