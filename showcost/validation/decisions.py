"""What was decided about rows, as validation sees it: who is withheld, preferred, waived, or was corrected.

Decisions are made and kept elsewhere; here they only meet the rows that they are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from showcost.core.arrow import query

if TYPE_CHECKING:
    from collections.abc import Sequence

WITHHELD: Final = "SC-COR-001"
"""The code of a row that a person keeps out of the ledger."""

EFFECTS: Final = pa.schema(
    [
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("decision", pa.string()),
        ("codes", pa.list_(pa.string())),
        ("withheld", pa.bool_()),
        ("preferred", pa.bool_()),
        ("seq", pa.int64()),
    ]
)
"""The effect of all decisions on a row: `decision` is the last one, `seq` its number, `codes` are waived."""

_WITHDRAW: Final = "withdraw"


@dataclass(frozen=True)
class DecisionEffects:
    """What was decided: `effects` has the columns of `EFFECTS`, each row once.

    `superseded` are the corrected rows as they were delivered, with the raw columns of the record kind; a
    later row that repeats one of them word for word is a duplicate of it.
    """

    effects: pa.Table
    superseded: pa.Table


@dataclass(frozen=True)
class DecisionStamps:
    """What was decided about the rows of a chunk, by their place in it.

    `preference` is negative for a preferred row, the more so the later that was decided; `waived` has a
    number per row and code, `row * number of codes + code`.
    """

    withheld: np.ndarray
    withdrawn: np.ndarray
    preference: np.ndarray
    decision: np.ndarray
    waived: np.ndarray


_SQL: Final = """
SELECT place, decision, effects.codes AS waived, withheld,
    CASE WHEN preferred AND NOT withheld THEN -seq ELSE 0 END AS preference
FROM numbered JOIN effects USING (delivery, record) ORDER BY place
"""


def decision_stamps(rows: pa.Table, effects: pa.Table | None, codes: Sequence[str]) -> DecisionStamps:
    """Return what was decided about rows; `codes` number the reason codes."""
    size = len(rows)
    marks = DecisionStamps(
        withheld=np.zeros(size, dtype=bool),
        withdrawn=np.zeros(size, dtype=bool),
        preference=np.zeros(size, dtype=np.int64),
        decision=np.full(size, None, dtype=object),
        waived=np.zeros(0, dtype=np.int64),
    )
    if effects is None or not effects.num_rows:
        return marks
    numbered = rows.select(["delivery", "record"]).append_column("place", pa.array(np.arange(size)))
    number = {code: place for place, code in enumerate(codes)}
    waived: list[int] = []
    for one in query(_SQL, numbered=numbered, effects=effects).to_pylist():
        place = one["place"]
        marks.withheld[place] = one["withheld"]
        marks.withdrawn[place] = one["withheld"] and one["decision"] == _WITHDRAW
        marks.preference[place] = one["preference"]
        marks.decision[place] = one["decision"]
        waived += [place * len(codes) + number[code] for code in one["waived"] if code in number]
    return DecisionStamps(
        marks.withheld,
        marks.withdrawn,
        marks.preference,
        marks.decision,
        np.array(waived, dtype=np.int64),
    )
