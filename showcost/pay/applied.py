"""Which rules were held against which rows, and with what result: what an auditor of a guild asks for.

Beside the failures, of which `findings` makes records, the rules that a row holds to are told too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.pay.employees import Share
from showcost.pay.findings import Scene, all_found

if TYPE_CHECKING:
    from showcost.pay.findings import Found
    from showcost.pay.judge import PayJudge

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
"""A check of a row: `check` is the reason code of a failure, `rules` say clause and certainty, `result` is
holds, fails, or look (a rule of low certainty does not hold, or could not be held against the row)."""


def applied(judge: PayJudge, cells: pa.Table, valid: pa.Table) -> pa.Table:
    """Return every check that rules made of valid payroll rows, with the columns of `APPLIED`.

    `cells` and `valid` are as `findings` takes them. By row key, check and field.
    """
    share = Share.of_all(cells, valid)
    parts = [APPLIED.empty_table()]
    parts += [_of(one, valid) for one in all_found(judge, Scene.of(judge, share))]
    return pa.concat_tables(parts).sort_by(
        [(name, "ascending") for name in ("row_key", "check", "field", "rules", "told")]
    )


def _of(one: Found, valid: pa.Table) -> pa.Table:
    verdict = one.verdict
    rows = np.flatnonzero(verdict.judged)
    hard, soft = verdict.hard[rows], verdict.soft[rows]
    result = np.where(hard, "fails", np.where(soft, "look", "holds"))
    picked = pa.array(rows)
    words = pc.if_else(pa.array(hard), verdict.words(True).take(picked), verdict.words(False).take(picked))
    return pa.table(
        {
            "row_key": valid.column("row_key").take(pa.array(one.rows[rows])),
            "field": pa.repeat(verdict.field, len(rows)),
            "check": pa.repeat(verdict.code, len(rows)),
            "rules": verdict.source(one.terms, hard=False).take(picked),
            "result": pa.array(result, pa.string()),
            "told": words,
        },
        schema=APPLIED,
    )
