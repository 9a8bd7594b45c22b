"""The measures of the Pollock benchmark as published, and the two counts that matter more to a ledger.

Published: success, and precision, recall and F1 of header, records and cells; a file scores at most 10.
Blanks around a cell do not count: the clean files of the survey leave them out. A record is compared by
its concatenated cells, a cell by its content alone, so a shifted column costs nothing there. `Tally`
therefore counts also the records that were accepted but are not in the file, and the records that are neither
accepted nor kept as raw text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A header and its rows."""

    header: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Tally:
    """Records accepted wrongly, records lost silently, records rejected with their raw text."""

    wrong: int
    lost: int
    rejected: int


def precision_recall_f1(true: Iterable[Hashable], loaded: Iterable[Hashable]) -> tuple[float, float, float]:
    """Compare two multisets; two empty ones agree."""
    expected, actual = Counter(true), Counter(loaded)
    common = (expected & actual).total()
    if not expected and not actual:
        return 1.0, 1.0, 1.0
    if not common:
        return 0.0, 0.0, 0.0
    precision, recall = common / actual.total(), common / expected.total()
    return precision, recall, 2 * precision * recall / (precision + recall)


def score(true: Table, loaded: Table | None) -> float:
    """Return the score of one file, from 0 to 10; None means that the reader failed."""
    if loaded is None:
        return 0.0
    header = precision_recall_f1(map(str.strip, true.header), map(str.strip, loaded.header))
    records = precision_recall_f1(map(_concatenated, true.rows), map(_concatenated, loaded.rows))
    cells = precision_recall_f1(
        (cell.strip() for row in true.rows for cell in row),
        (cell.strip() for row in loaded.rows for cell in row),
    )
    return 1.0 + sum(header) + sum(records) + sum(cells)


def _concatenated(row: Row) -> str:
    return "".join(map(str.strip, row))


def tally(true: Table, loaded: Table, raw: Sequence[str]) -> Tally:
    """Count the errors that a ledger must not have: invented rows and lost rows.

    A true row is kept when a rejected raw text has all its cells in it.
    """
    missing = Counter(true.rows)
    wrong = 0
    for row in loaded.rows:
        if missing[row]:
            missing[row] -= 1
        else:
            wrong += 1
    left = list(raw)
    lost = 0
    for row in missing.elements():
        kept = next(
            (text for text in left if all(cell.replace('"', "") in text.replace('"', "") for cell in row)),
            None,
        )
        if kept is None:
            lost += 1
        elif "\n" not in kept:
            left.remove(kept)
    return Tally(wrong, lost, len(raw))
