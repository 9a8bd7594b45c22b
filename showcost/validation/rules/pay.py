"""Rules about pay (PAY, MAP), as rules of validation; `showcost.pay` evaluates them.

They check each person's day. Checks across neighbouring days never change the result of a row: they yield pay
findings, which are separate records.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from showcost.pay.checker import CHECKS, frame_of
from showcost.pay.multiples import pairs_of
from showcost.validation.rules.model import RowRule, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.validation.reference import Reference


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none unless the record kind has pay rules."""
    if not reference.feed.kind.has_pay_rules:
        return
    yield RowRule(
        "SC-AMT-001",
        "hours_at",
        "pairs of multiple and hours such as 4.5: 1; 8: 0.5, each multiple once",
        f"record kind {reference.feed.kind.name}",
        holds=_are_pairs,
    )
    for name in CHECKS:
        code, _, field = name.partition(" ")
        yield RowRule(
            code,
            field,
            partial(_required, reference, name),
            partial(_source, reference, name),
            holds=partial(_holds, name),
        )


def _holds(name: str, cells: pa.Table) -> pa.ChunkedArray:
    return cells.column(name)


def _required(reference: Reference, name: str, failed: pa.Table) -> pa.Array:
    return _words(reference, name, failed)[0]


def _source(reference: Reference, name: str, failed: pa.Table) -> pa.Array:
    return _words(reference, name, failed)[1]


def _words(reference: Reference, name: str, failed: pa.Table) -> tuple[pa.Array, pa.Array]:
    frame = frame_of(reference.pay, failed, reference.day_lines)
    required, source = reference.pay.words(frame, name)
    return required.slice(0, failed.num_rows), source.slice(0, failed.num_rows)


def _are_pairs(cells: pa.Table) -> pa.ChunkedArray:
    encoded = cells.column("hours_at").combine_chunks().dictionary_encode()
    read = pa.array([pairs_of(text) is not None for text in encoded.dictionary.to_pylist()], pa.bool_())
    return pa.chunked_array([pc.take(read, encoded.indices)])
