"""Every rule checked for every row, with its result: the evidence that a guild's auditor asks for.

It includes the rules that a row meets, and those that could not be applied to it with the reason, beside the
failures that `findings` records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.pay.employees import EmployeeBatch
from showcost.pay.findings import PayContext, pay_hits

if TYPE_CHECKING:
    from showcost.pay.checker import PayChecker
    from showcost.pay.findings import PayHit
    from showcost.pay.verdict import Unchecked

NOT_CHECKED: Final = "not checked"

APPLIED: Final = pa.schema(
    [
        ("row_key", pa.string()),
        ("field", pa.string()),
        ("check", pa.string()),
        ("rules", pa.string()),
        ("result", pa.string()),
        ("told", pa.string()),
    ]
)
"""A check of a row: `check` is the reason code of a failure, `rules` cite clause and certainty, `result` is
holds, fails, look (a rule of low certainty fails), or not checked, with the reason in `told`."""


def applied_checks(checker: PayChecker, cells: pa.Table, valid: pa.Table) -> pa.Table:
    """Return every check of valid payroll rows, with the columns of `APPLIED`.

    `cells` and `valid` are as in `findings`. Sorted by row key, check and field.
    """
    batch = EmployeeBatch.of_all(cells, valid)
    tables = [APPLIED.empty_table()]
    for hit in pay_hits(checker, PayContext.of(checker, batch)):
        tables.append(_checks_of(hit, valid))
        tables += [_unchecked(hit, unchecked, valid) for unchecked in hit.verdict.unchecked]
    return pa.concat_tables(tables).sort_by(
        [(name, "ascending") for name in ("row_key", "check", "field", "rules", "told")]
    )


def _checks_of(hit: PayHit, valid: pa.Table) -> pa.Table:
    verdict = hit.verdict
    rows = np.flatnonzero(verdict.checked)
    hard, soft = verdict.hard[rows], verdict.soft[rows]
    result = np.where(hard, "fails", np.where(soft, "look", "holds"))
    picked = pa.array(rows)
    words = pc.if_else(pa.array(hard), verdict.words(True).take(picked), verdict.words(False).take(picked))
    return pa.table(
        {
            "row_key": valid.column("row_key").take(pa.array(hit.rows[rows])),
            "field": pa.repeat(verdict.field, len(rows)),
            "check": pa.repeat(verdict.code, len(rows)),
            "rules": verdict.source(hit.terms, hard=False).take(picked),
            "result": pa.array(result, pa.string()),
            "told": words,
        },
        schema=APPLIED,
    )


def _unchecked(hit: PayHit, unchecked: Unchecked, valid: pa.Table) -> pa.Table:
    rows = np.flatnonzero(unchecked.rows)
    return pa.table(
        {
            "row_key": valid.column("row_key").take(pa.array(hit.rows[rows])),
            "field": pa.repeat(hit.verdict.field, len(rows)),
            "check": pa.repeat(hit.verdict.code, len(rows)),
            "rules": pa.repeat(hit.terms.agreement.label, len(rows)),
            "result": pa.repeat(NOT_CHECKED, len(rows)),
            "told": unchecked.reasons(rows),
        },
        schema=APPLIED,
    )
