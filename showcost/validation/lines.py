"""Lines without numbers: which line of a document each of its rows is, in every delivery.

The rows of one document and delivery that have no line numbers are told apart by their order, and their keys
share the first digits (`core.ids.line_key`). The first delivery of the document fixes its lines. In a later
one, a row is the line that it equals: the second 500.00 is the second line of 500.00, in whatever order they
come. What equals no line stands for the lines that are left over, in order, and so contradicts them; what is
still left over is a line more. `duplicates` decides what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from showcost.core.arrow import query
from showcost.core.ids import DOCUMENT_SQL, own_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class LineState(StrEnum):
    """A remark on a document as a whole, made at one of its rows."""

    MORE = "more"
    """The row is a line that the document did not have before."""
    FEWER = "fewer"
    """The row is the last one of a delivery that lacks lines which the delivery before it had."""
    UNSURE = "unsure"
    """The row differs from all lines, and there are more lines than one that it may stand for."""


LINES: Final = pa.schema(
    [
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("original", pa.bool_()),
        ("document", pa.string()),
        ("claim_key", pa.string()),
        ("state", pa.string()),
    ]
)
"""Rows of documents with several lines without numbers: the key that each claims, and its `LineState`."""

_LINE: Final = "row_key[25:] < '00100000'"
"""Keys of lines after the first: their last eight digits are a small number, which a hash seldom has."""

_NUMBERED: Final = f"""
SELECT delivery, record, original, arrival, row_key, comparable, sound, {DOCUMENT_SQL} AS document,
    row_number() OVER (
        PARTITION BY {DOCUMENT_SQL}, delivery, comparable ORDER BY record, original DESC) AS again
FROM candidates
WHERE {DOCUMENT_SQL} IN (SELECT {DOCUMENT_SQL} FROM candidates WHERE {_LINE})
"""  # noqa: S608 -- constants only

_MATCHED: Final = """
SELECT *, min(arrival) OVER document AS first_arrival,
    first_value(row_key) OVER line AS claim_key, first_value(arrival) OVER line AS since
FROM numbered
WINDOW document AS (PARTITION BY document),
    line AS (PARTITION BY document, comparable, again ORDER BY arrival, delivery, record)
"""

_CHANGED: Final = """
SELECT DISTINCT document FROM (
    SELECT document, arrival, first_arrival, count(*) FILTER (NOT original) AS size,
        bool_or(since = arrival AND NOT original) AS has_new
    FROM matched GROUP BY ALL
) AS deliveries
QUALIFY (arrival > first_arrival AND has_new)
    OR size <> first_value(size) OVER (PARTITION BY document ORDER BY arrival)
"""


def claimed_keys(candidates: pa.Table) -> pa.Table:
    """Return the key that each row of a document with several unnumbered lines claims (`LINES`).

    `candidates` (`duplicates.CANDIDATES` without `row`) are all landed rows of their documents.
    """
    numbered = query(_NUMBERED, candidates=candidates)
    if not numbered.num_rows:
        return LINES.empty_table()
    matched = query(_MATCHED, numbered=numbered)
    changed = query(_CHANGED, matched=matched)
    names = {"matched": matched, "changed": changed}
    same = query(
        "SELECT delivery, record, original, document, claim_key, NULL::VARCHAR AS state FROM matched"
        " ANTI JOIN changed USING (document)",
        **names,
    )
    rows = query(
        "SELECT * FROM matched SEMI JOIN changed USING (document)"
        " ORDER BY document, arrival, delivery, record, original DESC",
        **names,
    ).to_pylist()
    other: list[dict[str, Any]] = []
    for document, lines in groupby(rows, itemgetter("document")):
        other += _changed_document(document, lines)
    return pa.concat_tables([same.cast(LINES), pa.Table.from_pylist(other, schema=LINES)])


@dataclass
class _Document:
    """The lines of a document so far.

    `known` has the key of each content and its number, `keys` whether a row of the key is sound, in order of
    arrival, `missing` the sound keys that the last delivery did not have.
    """

    known: dict[tuple[int, int], str] = field(default_factory=dict)
    keys: dict[str, bool] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def add(self, row: Mapping[str, Any], key: str, state: LineState | None) -> None:
        """Add a row of a delivery under the key that it claims; a line more is missed by nobody."""
        self.known[row["comparable"], row["again"]] = key
        if not row["original"]:
            is_line = row["sound"] and state is not LineState.MORE
            self.keys[key] = self.keys.get(key, False) or is_line


def _changed_document(document: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of a document that did not come the same each time."""
    lines = _Document()
    result: list[dict[str, Any]] = []
    for _, delivered in groupby(rows, itemgetter("arrival", "delivery")):
        result += [line | {"document": document} for line in _delivered(lines, list(delivered))]
    return result


def _delivered(lines: _Document, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of a delivery, and add them to the document."""
    before = dict(lines.keys)
    keys = [lines.known.get((row["comparable"], row["again"])) for row in rows]
    matched = {key for key, row in zip(keys, rows, strict=True) if key is not None and not row["original"]}
    free = [key for key in before if key not in matched]
    unmatched = [
        place for place, row in enumerate(rows) if keys[place] is None and before and not row["original"]
    ]
    states: list[LineState | None] = [None] * len(rows)
    for place, key in zip(unmatched, free, strict=False):
        keys[place] = key
        if len(unmatched) != len(free):
            states[place] = LineState.UNSURE
    for place in unmatched[len(free) :]:
        row = rows[place]
        taken = row["row_key"] in before or row["row_key"] in keys
        keys[place] = (
            own_key(("", row["delivery"], row["record"]), row["row_key"]) if taken else row["row_key"]
        )
        states[place] = LineState.MORE
    missing = {key for key in free[len(unmatched) :] if before[key]}
    if not unmatched and missing - lines.missing:
        last = max(place for place, row in enumerate(rows) if not row["original"])
        states[last] = LineState.FEWER
    lines.missing = missing
    result = []
    for row, claimed, state in zip(rows, keys, states, strict=True):
        claim = claimed or row["row_key"]
        lines.add(row, claim, state)
        result.append(
            {name: row[name] for name in ("delivery", "record", "original")}
            | {"claim_key": claim, "state": state}
        )
    return result
