"""Rules about pay (PAY, MAP), as rules of validation; `showcost.pay` evaluates them.

They check each row alone. Checks across an employee's neighbouring days never change the result of a row:
they yield pay findings, which are separate records.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from showcost.pay.checker import CHECKS
from showcost.pay.frame import read_frame
from showcost.validation.rules.model import RowRule, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from showcost.validation.reference import Reference


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none unless the record kind has pay rules."""
    if not reference.feed.kind.has_pay_rules:
        return
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
    return reference.pay.words(read_frame(failed, reference.production), name)
