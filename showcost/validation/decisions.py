"""Effects of people's decisions on rows: withheld, rebooked, waived or corrected.

Decisions are made in `showcost.reconciliation` and stored in the ledger; this module matches their effects
with the rows of a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from showcost.core.arrow import query

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

WITHHELD: Final = "SC-COR-001"
"""The reason code of a row that a person keeps out of the ledger."""

DISCARDED: Final = "discarded"
"""The disposition of a row that a person keeps out of the ledger: it was discarded, or posted and reversed.

Staging and audit segments store such a row as quarantined with the code `WITHHELD`; `disposition_of` and
`DISPOSITION_SQL` derive the disposition when it is read, so that folders of every age are counted alike.
"""

DISPOSITION_SQL: Final = (
    f"CASE WHEN list_contains(codes, '{WITHHELD}') THEN '{DISCARDED}' ELSE disposition END"
)
"""The disposition of a row with the columns `disposition` and `codes`, as an expression in SQL."""


def disposition_of(stored: str, codes: Collection[str]) -> str:
    """Return the disposition of a row from the stored one and its reason codes."""
    return DISCARDED if WITHHELD in codes else stored


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
"""The effect of all decisions on a row: `decision` is the last one, `seq` its number.

`codes` are waived reason codes; `preferred` marks a row to be rebooked in place of the key holder.
"""

_REVERSE: Final = "withdraw"
"""The stored name of the decision `reverse`."""


@dataclass(frozen=True)
class DecisionEffects:
    """Effects of decisions on rows of a feed: `effects` has the columns of `EFFECTS`, each row once.

    `originals` are the corrected rows as delivered, with the raw columns of the record kind; a later row with
    the same content as one of them is a duplicate of it.
    """

    effects: pa.Table
    originals: pa.Table


@dataclass(frozen=True)
class DecisionStamps:
    """The effects of decisions on the rows of a chunk, by their place in it.

    `priority` is negative for a rebooked row, lower for a later decision, else 0; `waived` has a number per
    row and code, `row * number of codes + code`.
    """

    withheld: np.ndarray
    reversed: np.ndarray
    priority: np.ndarray
    decision: np.ndarray
    waived: np.ndarray


_SQL: Final = """
SELECT place, decision, effects.codes AS waived, withheld,
    CASE WHEN preferred AND NOT withheld THEN -seq ELSE 0 END AS priority
FROM numbered JOIN effects USING (delivery, record) ORDER BY place
"""


def decision_stamps(rows: pa.Table, effects: pa.Table | None, codes: Sequence[str]) -> DecisionStamps:
    """Return the effects of decisions on rows; `codes` are the reason codes in the order of their numbers."""
    size = len(rows)
    stamps = DecisionStamps(
        withheld=np.zeros(size, dtype=bool),
        reversed=np.zeros(size, dtype=bool),
        priority=np.zeros(size, dtype=np.int64),
        decision=np.full(size, None, dtype=object),
        waived=np.zeros(0, dtype=np.int64),
    )
    if effects is None or not effects.num_rows:
        return stamps
    numbered = rows.select(["delivery", "record"]).append_column("place", pa.array(np.arange(size)))
    number = {code: place for place, code in enumerate(codes)}
    waived: list[int] = []
    for effect in query(_SQL, numbered=numbered, effects=effects).to_pylist():
        place = effect["place"]
        stamps.withheld[place] = effect["withheld"]
        stamps.reversed[place] = effect["withheld"] and effect["decision"] == _REVERSE
        stamps.priority[place] = effect["priority"]
        stamps.decision[place] = effect["decision"]
        waived += [place * len(codes) + number[code] for code in effect["waived"] if code in number]
    return DecisionStamps(
        stamps.withheld,
        stamps.reversed,
        stamps.priority,
        stamps.decision,
        np.array(waived, dtype=np.int64),
    )
