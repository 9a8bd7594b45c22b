"""Claims on keys: the key holder among the rows of a key, and duplicates or conflicts among the others.

The posted row holds the key. If no row is posted, the holder is the row that a person rebooked, the latest
such decision first; else a row that was reversed, so that a reversal admits no other row; else the earliest
sound row, by number of arrival and of record. Any other row of the key is a duplicate if its content is the
same, and a conflict if it differs. A row that repeats the original of a corrected row is a duplicate of the
original. Neither partitions nor the order of their processing matter: the caller hands in all landed rows of
the key.

Lines without numbers have a document of several keys: `lines` says which key each of them claims. The same
cost in another feed, or under another spelling of its number: `same_costs`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import query
from showcost.core.errors import IntegrityError
from showcost.validation.lines import LineState, claimed_keys

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
        ("comparable", pa.uint64()),
        ("sound", pa.bool_()),
        ("priority", pa.int64()),
        ("reversed", pa.bool_()),
        ("original", pa.bool_()),
    ]
)
"""The landed rows that may hold a key. `sound` rows pass every rule, except rules about rates.

`content` is the hash of a row's values, `comparable` that of the values that make it the same cost
(`cells.comparables`).
`priority` is negative for rows that a person rebooked, the lowest first. An `original` is a corrected row as
delivered: it cannot hold a key.
"""

CLAIMS: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("code", pa.string()),
        ("posted", pa.bool_()),
        ("kind", pa.string()),
        ("holder_feed", pa.string()),
        ("holder_delivery", pa.string()),
        ("holder_record", pa.int64()),
        ("holder_posted", pa.bool_()),
    ]
)
"""Results of the claims: `code` is null for the row that holds its key, `posted` marks rows in the ledger.

The `holder` columns name the row that holds the key, or that has the same cost: `holder_feed` only if it may
be of another feed. `kind` is a `ClaimKind` or a `same_costs.SameKind`.
"""


class ClaimKind(StrEnum):
    """The thing that a row repeats or contradicts."""

    KEY = "key"
    """The row that holds its key."""
    MORE = "more"
    """A document without line numbers that had fewer lines when it came first."""
    FEWER = "fewer"
    """A document without line numbers that had more lines when it came first."""
    ORDER = "order"
    """A document without line numbers whose lines changed and came in another order."""
    TOGETHER = "together"
    """Another line of its document and delivery contradicts the row that holds its key."""


_SQL: Final = """
WITH claimed AS (
    SELECT candidates.*, coalesce(lines.claim_key, row_key) AS claim_key, lines.state, lines.document
    FROM candidates LEFT JOIN lines USING (delivery, record, original)
), active AS (
    SELECT posted.*, coalesce(claimed.claim_key, posted.row_key) AS claim_key,
        CASE WHEN claimed.content = posted.content THEN claimed.comparable END AS comparable
    FROM posted LEFT JOIN (FROM claimed WHERE NOT original) AS claimed USING (delivery, record)
), contested AS (
    SELECT claim_key FROM claimed WHERE claim_key IS NOT NULL GROUP BY claim_key
    HAVING count(*) > 1 OR bool_or(document IS NOT NULL)
    UNION SELECT claim_key FROM active
), same_key AS (
    SELECT claimed.* FROM claimed SEMI JOIN contested USING (claim_key)
), originals AS (
    SELECT claim_key, comparable, min((arrival, record)) AS place,
        arg_min({'delivery': delivery, 'record': record}, (arrival, record)) AS row
    FROM same_key WHERE original GROUP BY claim_key, comparable
), current AS (
    SELECT same_key.*, originals.row AS original_row,
        coalesce((same_key.arrival, same_key.record) > originals.place, false) AND priority = 0
            AND (active.delivery, active.record) IS DISTINCT FROM (same_key.delivery, same_key.record)
            AS repeats
    FROM same_key LEFT JOIN originals USING (claim_key, comparable) LEFT JOIN active USING (claim_key)
    WHERE NOT original
), earliest AS (
    SELECT claim_key,
        arg_min({'delivery': delivery, 'record': record, 'content': content, 'comparable': comparable},
            (priority, NOT reversed, arrival, record)) AS row
    FROM current WHERE sound AND NOT repeats GROUP BY claim_key
), holder AS (
    SELECT claim_key,
        coalesce(active.delivery, earliest.row.delivery) AS delivery,
        coalesce(active.record, earliest.row.record) AS record,
        coalesce(active.content, earliest.row.content) AS content,
        CASE WHEN active.claim_key IS NULL THEN earliest.row.comparable ELSE active.comparable END
            AS comparable,
        active.claim_key IS NOT NULL AS posted
    FROM earliest FULL JOIN active USING (claim_key)
), claims AS (
    SELECT current.*, holder.posted IS NOT NULL OR repeats AS taken,
        repeats OR current.content = holder.content OR (current.comparable = holder.comparable
            AND (current.delivery, current.record) <> (holder.delivery, holder.record)) AS same,
        NOT repeats AND holder.posted AS posted,
        NOT repeats AND current.delivery = holder.delivery AND current.record = holder.record AS holds,
        CASE WHEN repeats THEN original_row.delivery ELSE holder.delivery END AS holder_delivery,
        CASE WHEN repeats THEN original_row.record ELSE holder.record END AS holder_record
    FROM current LEFT JOIN holder USING (claim_key)
), documents AS (
    SELECT document, arg_min({'delivery': delivery, 'record': record, 'posted': posted, 'arrival': arrival},
        (arrival, record)) AS first
    FROM claims WHERE holds AND document IS NOT NULL GROUP BY document
), displaced AS (
    SELECT claims.row, claims.delivery, claims.record,
        min({'delivery': other.delivery, 'record': other.record, 'posted': other.posted}) AS holder
    FROM claims JOIN claims AS other ON other.row_key = claims.row_key AND other.holds
        AND (other.delivery, other.record) <> (claims.delivery, claims.record)
        AND (other.posted OR (other.claim_key = other.row_key)
            OR (other.arrival, other.record) < (claims.arrival, claims.record))
    WHERE claims.holds AND claims.claim_key <> claims.row_key AND NOT claims.posted
    GROUP BY ALL
), judged AS (
    SELECT claims.* REPLACE (
        coalesce(CASE WHEN more THEN first.delivery END, displaced.holder.delivery, holder_delivery)
            AS holder_delivery,
        coalesce(CASE WHEN more THEN first.record END, displaced.holder.record, holder_record)
            AS holder_record,
        coalesce(CASE WHEN more THEN first.posted END, displaced.holder.posted, claims.posted) AS posted),
        claims.posted AND holds AS in_ledger,
        CASE WHEN more THEN $more WHEN displaced.holder IS NOT NULL THEN $order
            WHEN taken AND NOT same AND (state = $unsure OR claim_key <> row_key) THEN $order
            WHEN taken AND same AND NOT holds AND state = $fewer THEN $fewer ELSE $key END AS kind
    FROM (
        SELECT claims.*, documents.first,
            coalesce(state = $more AND holds AND NOT claims.posted AND priority = 0
                AND documents.first.arrival < claims.arrival, false) AS more
        FROM claims LEFT JOIN documents USING (document)
    ) AS claims LEFT JOIN displaced USING (delivery, record)
    WHERE claims.row IS NOT NULL AND taken
)
SELECT row,
    CASE WHEN NOT same OR (kind <> $key AND NOT in_ledger) THEN $conflict WHEN NOT holds THEN $duplicate END
        AS code,
    in_ledger AS posted, kind, NULL AS holder_feed,
    holder_delivery, holder_record, posted AS holder_posted
FROM judged ORDER BY row
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
    words = {"duplicate": DUPLICATE, "conflict": CONFLICT, "unsure": LineState.UNSURE.value}
    words |= {kind.value: kind.value for kind in ClaimKind if kind is not ClaimKind.TOGETHER}
    lines = claimed_keys(rows.drop_columns(["row"]))
    return query(_SQL, words, candidates=rows, posted=holders, lines=lines).cast(CLAIMS)


def all_claims(claims: pa.Table, candidates: pa.Table, same: pa.Table | None, posted: pa.Table) -> pa.Table:
    """Return the claims of keys (`CLAIMS`), and those of the same cost elsewhere, by `row`.

    A row that is a duplicate in one way is a duplicate, named once: discarding it loses nothing. A posted row
    stays posted, whatever is found to be the same.
    """
    if same is None or not same.num_rows:
        return claims
    words = {"duplicate": DUPLICATE}
    tables = {"claims": claims, "candidates": candidates, "same": same, "posted": posted}
    return query(_ALL, words, **tables).cast(CLAIMS)


_ALL: Final = """
WITH others AS (
    SELECT row, code, false AS posted, kind, holder_feed, holder_delivery, holder_record, holder_posted
    FROM same JOIN (FROM candidates WHERE row IS NOT NULL AND NOT original) USING (delivery, record)
    ANTI JOIN posted USING (delivery, record)
), every AS (
    SELECT *, true AS by_key FROM claims UNION ALL BY NAME SELECT *, false AS by_key FROM others
)
SELECT * EXCLUDE (by_key) FROM every
QUALIFY CASE WHEN bool_or(code = $duplicate) OVER (PARTITION BY row)
    THEN row_number() OVER (PARTITION BY row ORDER BY code = $duplicate DESC NULLS LAST, by_key DESC) = 1
    ELSE code IS NOT NULL OR count(*) OVER (PARTITION BY row) = 1 END
ORDER BY row, by_key DESC
"""


DOCUMENTS: Final = pa.schema([("delivery", pa.string()), ("record", pa.int64()), ("document", pa.string())])
"""The document of each row: rows of one delivery and document wait together."""


def with_whole_documents(
    claims: pa.Table, candidates: pa.Table, documents: pa.Table, posted: pa.Table, accepted: pa.Table
) -> pa.Table:
    """Return the claims (`CLAIMS`), with a conflict for all lines of a document if one conflicts by its key.

    Else a delivery that takes a line back and books it anew would post the new one beside the old. The tables
    are as in `CANDIDATES`, `DOCUMENTS` and `POSTED`; `accepted` are the rows (delivery, record) that a person
    lets pass. Posted rows stay posted, and a row that contradicts its own delivery holds nothing up.
    """
    if not documents.num_rows or CONFLICT not in pc.unique(claims.column("code")).to_pylist():
        return claims
    words = {"conflict": CONFLICT, "key": ClaimKind.KEY.value, "together": ClaimKind.TOGETHER.value}
    tables = {"claims": claims, "candidates": candidates, "documents": documents}
    return query(_WHOLE, words, **tables, posted=posted, accepted=accepted).cast(CLAIMS)


_WHOLE: Final = """
WITH placed AS (
    SELECT row, delivery, record, document, priority
    FROM candidates JOIN documents USING (delivery, record) WHERE row IS NOT NULL AND NOT original
), contradicting AS (
    SELECT delivery, document, arg_min({'feed': holder_feed, 'delivery': holder_delivery,
        'record': holder_record, 'posted': holder_posted}, row) AS holder
    FROM claims JOIN placed USING (row)
    WHERE code = $conflict AND kind = $key AND NOT claims.posted AND holder_delivery <> delivery
        AND (delivery, record) NOT IN (SELECT (delivery, record) FROM accepted)
    GROUP BY ALL
), waiting AS (
    SELECT row, holder FROM placed JOIN contradicting USING (delivery, document)
    ANTI JOIN posted USING (delivery, record) ANTI JOIN accepted USING (delivery, record)
    WHERE priority = 0 AND row NOT IN (SELECT row FROM claims WHERE code IS NOT NULL)
)
SELECT * FROM claims ANTI JOIN waiting USING (row)
UNION ALL BY NAME SELECT row, $conflict AS code, false AS posted, $together AS kind,
    holder.feed AS holder_feed, holder.delivery AS holder_delivery, holder.record AS holder_record,
    holder.posted AS holder_posted FROM waiting
ORDER BY row, code
"""


def _refuse_twice(table: pa.Table, names: tuple[str, ...], message: str) -> None:
    """Raise IntegrityError for rows that occur more than once."""
    sql = f"SELECT {', '.join(names)} FROM rows GROUP BY ALL HAVING count(*) > 1"  # noqa: S608 -- names of ours
    if count := query(sql, rows=table).num_rows:
        raise IntegrityError(message.format(count))
