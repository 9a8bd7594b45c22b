"""Control totals: compare the sum of a delivery's rows with the total that its sender states after them.

The reader separates footer records from rows, and landing refuses a delivery whose total differs.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.feed import normal_header
from showcost.core.money import EXACT_DIGITS
from showcost.ingest import totals
from showcost.readers.csv.layout import label_of
from showcost.values.amounts import infer_amounts, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from showcost.config.feed import FeedSpec

_BLANK = "blank"

CONTRADICTED: Final = "the total below the rows says "
"""The beginning of the note on a total that is not the sum of the rows."""


class RunningTotal:
    """The sum of the field of a feed's control total, accumulated while rows are read.

    The sum is exact; `whole` is false if a row or an amount is unreadable, which makes the sum meaningless.
    """

    def __init__(self, field: str, *, whole: bool) -> None:
        """Start at zero."""
        self.field, self.whole, self.total = field, whole, Decimal(0)

    def add(self, records: pa.Table) -> None:
        """Add rows with their typed amounts."""
        problems = records.column(f"{self.field}__problem")
        doubts = records.column("read_code")
        self.whole = self.whole and doubts.null_count == len(doubts)
        self.whole = self.whole and not pc.any(pc.not_equal(problems, _BLANK), min_count=0).as_py()
        with localcontext() as context:
            context.prec = EXACT_DIGITS
            self.total += _total(records.column(f"{self.field}__value"))


def mismatch(
    feed: FeedSpec, sums: RunningTotal | None, footer: Sequence[Sequence[str]], column: int | None
) -> str | None:
    """Return the difference from the feed's control total; None if it agrees or none is declared.

    `column` is the place of the summed field's column. The sum is not compared if rows or amounts are
    unreadable; those have reasons of their own. A missing total is reported in any case.
    """
    control = feed.control_total
    if control is None or sums is None:
        return None
    stated = _stated(feed, footer, column)
    if not stated:
        return f"no line with the total of {control.field}: the file may be cut short"
    if None in stated:
        return f"the total that the file states for {control.field} is no amount"
    if not sums.whole:
        return None
    wrong = next((text for text in stated if text is not None and Decimal(text) != sums.total), None)
    return (
        None
        if wrong is None
        else f"{control.field} comes to {sums.total:f} over the rows, the file states {wrong}"
    )


def unchecked_totals(
    feed: FeedSpec, sums: RunningTotal | None, footer: Sequence[Sequence[str]], column: int | None
) -> tuple[str, ...]:
    """Return the stated totals that `mismatch` did not compare, because rows or amounts are unreadable."""
    if feed.control_total is None or sums is None or sums.whole:
        return ()
    return tuple(text for text in _stated(feed, footer, column) if text is not None)


def contradicted(
    feed: FeedSpec,
    sums: Sequence[RunningTotal],
    footer: Sequence[Sequence[str]],
    columns: Mapping[str, int],
) -> Iterator[str]:
    """Yield a sentence for each amount of the last total below the rows that is not the sum of its column.

    For a feed without a control total; otherwise `mismatch` compares them.
    """
    lines = [cells for cells in footer if _names_total(cells)]
    if feed.control_total is not None or not lines:
        return
    for running in sums:
        place = columns.get(running.field)
        text = lines[-1][place] if place is not None and place < len(lines[-1]) else ""
        amounts = infer_amounts(pa.array([text]), decimal_mark=feed.decimal_mark)
        stated = scaled(amounts, feed.scale).values[0].as_py()
        if stated is None:
            continue
        if not running.whole:
            yield f"{CONTRADICTED}{running.field} {stated}, which is not compared: some rows are unreadable"
        elif Decimal(stated) != running.total:
            yield f"{CONTRADICTED}{running.field} {stated}, but the rows come to {running.total:f}"


def _names_total(cells: Sequence[str]) -> bool:
    return any(totals.label_of(cell.strip()) is not None for cell in cells if cell.strip())


def _stated(feed: FeedSpec, footer: Sequence[Sequence[str]], column: int | None) -> list[str | None]:
    """Return the totals that the file states, as decimal text; None for one that is not an amount."""
    control = feed.control_total
    if control is None or column is None:
        return []
    labels = {normal_header(label) for label in control.labels}
    lines = [cells for cells in footer if label_of(cells) in labels]
    texts = [cells[column] if column < len(cells) else "" for cells in lines]
    amounts = infer_amounts(pa.array(texts, pa.string()), decimal_mark=feed.decimal_mark)
    if control.field in feed.money_fields:
        amounts = scaled(amounts, feed.scale)
    stated: list[str | None] = amounts.values.to_pylist()
    return stated


def _total(values: pa.ChunkedArray) -> Decimal:
    """Return the exact sum of canonical decimal texts; each distinct text is parsed once."""
    counts = pc.value_counts(values.drop_null())
    texts, times = (counts.field(name).to_pylist() for name in ("values", "counts"))
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return sum((Decimal(text) * count for text, count in zip(texts, times, strict=True)), Decimal(0))
