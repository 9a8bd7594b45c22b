"""Texts of the reasons of quarantined rows: code, field, observed, expected, source.

The codes are decided elsewhere: by the rules (`rules`), the claims on keys (`duplicates`), the decisions
of people and the readers; `row_outcomes` puts them together. Cells of personal fields are never shown;
other cells are shortened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import query
from showcost.core.national_ids import MASKED_CELL, masked
from showcost.validation.decisions import WITHHELD
from showcost.validation.duplicates import ClaimKind
from showcost.validation.same_costs import SameKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from showcost.config.feed import FeedSpec
    from showcost.validation.rules import Rule

SHOWN: Final = 200
"""Maximum number of characters shown of a cell."""

REASONS: Final = pa.schema(
    [
        (name, pa.int64() if name == "row" else pa.string())
        for name in ("row", "code", "field", "observed", "expected", "source")
    ]
)
"""Reasons as text; `row` is the number of the row."""

_READABLE: Final[Mapping[str, str]] = {
    "SC-FIL-001": "a file that can be decoded, in the format of the feed",
    "SC-FIL-002": "a header that names each required field once",
    "SC-FIL-003": "rows that add up to the totals that the file states",
    "SC-FIL-005": "text in UTF-8, or in an encoding that its words tell",
    "SC-ROW-001": "as many cells as the header names",
    "SC-ROW-004": "text in the encoding of the file",
}
"""The text of what the reader expected, by reason code."""

_WITHHELD_TEXTS: Final[Mapping[str, str]] = {"discard": "discarded", "withdraw": "withdrawn"}
"""The text for a withheld row, by the last decision on it (stored names)."""

_SQL: Final = """
SELECT row, list_sort(list(DISTINCT code)) AS codes,
    CAST(to_json(list({'code': code, 'field': field, 'observed': observed, 'expected': expected,
        'source': source} ORDER BY code, field)) AS VARCHAR) AS reasons
FROM reasons GROUP BY row ORDER BY row
"""


def of_rules(
    failures: pa.Table, rules: Sequence[Rule], rows: pa.Table, cells: pa.Table, feed: FeedSpec
) -> pa.Table:
    """Return the reasons of rows that fail rules; `failures` number the rows of `rows` and `cells`."""
    parts = [REASONS.empty_table()]
    for place in sorted(pc.unique(failures.column("rule")).to_pylist()):
        rule = rules[place]
        failed = failures.filter(pc.equal(failures.column("rule"), place)).column("row")
        faulty = cells.take(failed)
        expected, source = rule.expected_of(faulty), rule.source_of(faulty)
        observed = shown(rows.column(rule.field).take(failed), feed, rule.field)
        parts.append(_reasons(failed, rule.code, rule.field, observed, expected, source))
    return pa.concat_tables(parts)


def of_reading(rows: pa.Table, numbers: pa.ChunkedArray) -> pa.Table:
    """Return the reasons of rows that the reader rejected, `rows`, which have the numbers `numbers`."""
    detail = pc.utf8_slice_codeunits(pc.fill_null(rows.column("read_detail"), ""), 0, SHOWN)
    code = rows.column("read_code")
    expected = pc.take(pa.array(_READABLE.values()), pc.index_in(code, value_set=pa.array(_READABLE.keys())))
    expected = pc.fill_null(expected, "a record that can be read")
    field = pc.if_else(pc.starts_with(code, "SC-FIL-"), "delivery", "record")
    return _reasons(numbers, code, field, detail, expected, "reader")


_BY_KEY: Final = "feed {feed}: key"
_BY_LINES: Final = "feed {feed}: lines without numbers"
_CLAIM_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    ClaimKind.KEY: ("one row with this key: {place}", _BY_KEY),
    ClaimKind.MORE: ("no line beyond those that the document had when it came first: {place}", _BY_LINES),
    ClaimKind.FEWER: ("all lines that the document had before, but some are missing: {place}", _BY_LINES),
    ClaimKind.ORDER: ("a line of which it is certain which one it replaces: {place}", _BY_LINES),
    ClaimKind.TOGETHER: (
        "no line of this document in conflict with another, or all of them together: {place}",
        "feed {feed}: lines of one document",
    ),
    SameKind.DOCUMENT: ("one cost in all feeds: {place}", "all feeds: payee, number, date and amount"),
    SameKind.ALIKE: (
        "no cost like another, unless a person accepts it: {place}",
        "all feeds: payee, number and amount are alike",
    ),
}
"""Per kind of claim what was expected, with the place of the other row, and the source of the rule."""


def of_claims(claims: pa.Table, rows: pa.Table, numbers: pa.ChunkedArray, feed: FeedSpec) -> pa.Table:
    """Return the reasons of rows whose key or cost another row has, `rows`, with the numbers `numbers`."""
    parts = [REASONS.empty_table()]
    kinds = claims.column("kind")
    for kind in sorted(pc.unique(kinds).to_pylist()):
        chosen = pc.equal(kinds, kind)
        parts.append(_of_kind(kind, claims.filter(chosen), rows.filter(chosen), numbers.filter(chosen), feed))
    return pa.concat_tables(parts)


def is_by_key(source: str, feed: str) -> bool:
    """Return whether the source of a reason is the key of a feed, and so the whole row stands for another."""
    return source == _BY_KEY.format(feed=feed)


def _of_kind(
    kind: str, claims: pa.Table, rows: pa.Table, numbers: pa.ChunkedArray, feed: FeedSpec
) -> pa.Table:
    identity = feed.kind.identity
    fields = feed.key_fields
    if identity is not None and kind in set(SameKind):
        fields = tuple(
            dict.fromkeys(
                (identity.code, feed.kind.document, feed.kind.transaction_date, feed.kind.primary.field)
            )
        )
    keys = [shown(rows.column(name), feed, name) for name in fields]
    state = pc.if_else(claims.column("holder_posted"), " is posted", " comes first")
    delivery = pc.utf8_slice_codeunits(claims.column("holder_delivery"), 0, 12)
    other = pc.fill_null(pc.binary_join_element_wise(" of feed ", claims.column("holder_feed"), ""), "")
    before, after = _CLAIM_TEXTS[kind][0].split("{place}")
    expected = pc.binary_join_element_wise(
        f"{before}record ",
        claims.column("holder_record").cast(pa.string()),
        " of delivery ",
        delivery,
        other,
        state,
        after,
        "",
    )
    return _reasons(
        numbers,
        claims.column("code"),
        ", ".join(fields),
        pc.binary_join_element_wise(*keys, " | ") if len(keys) > 1 else keys[0],
        expected,
        _CLAIM_TEXTS[kind][1].format(feed=feed.name),
    )


def of_decisions(numbers: np.ndarray, decisions: np.ndarray) -> pa.Table:
    """Return the reasons of withheld rows, by number; `decisions` has the last decision on each row."""
    observed = pa.array([_WITHHELD_TEXTS[decisions[number]] for number in numbers], pa.string())
    rows = pa.chunked_array([pa.array(numbers, pa.int64())])
    return _reasons(rows, WITHHELD, "record", observed, "a row that is to be posted", "a decision")


def reason_texts(reasons: pa.Table) -> pa.Table:
    """Return `row`, `codes` (sorted) and `reasons` (JSON text) of every row with reasons, by row."""
    return query(_SQL, reasons=reasons)


def shown(texts: pa.ChunkedArray, feed: FeedSpec, field: str) -> pa.ChunkedArray | pa.Array:
    """Return cells for display: masked if personal (blank cells stay blank), else shortened."""
    filled = pc.fill_null(texts, "")
    if feed.kind.by_name[field].personal:
        return pc.if_else(pc.equal(pc.utf8_trim_whitespace(filled), ""), "", MASKED_CELL)
    return pc.utf8_slice_codeunits(masked(filled), 0, SHOWN)


def _reasons(row: pa.ChunkedArray, *parts: pa.ChunkedArray | pa.Array | str) -> pa.Table:
    columns = [pa.repeat(part, len(row)) if isinstance(part, str) else part for part in parts]
    return pa.table([row, *columns], schema=REASONS)
