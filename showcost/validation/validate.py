"""The split of raw rows into valid rows and quarantined ones, with nothing lost.

First every chunk of rows is held against the rules, then the keys are claimed over all of them, then each
chunk is divided. The outcome is the same for every order of the rows and every size of the chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements import packaged
from showcost.core.arrow import query
from showcost.core.errors import IntegrityError
from showcost.validation.cells import check_raw
from showcost.validation.chunks import (
    DUPLICATED,
    PENDING,
    QUARANTINED,
    CheckedChunk,
    ChunkChecker,
    numbers_of,
)
from showcost.validation.columns import RowTable, arrow_schema
from showcost.validation.duplicates import CANDIDATES, key_claims
from showcost.validation.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from showcost.config.agreements import Agreements
    from showcost.config.chart import Chart
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.validation.decisions import DecisionEffects

CHUNK_ROWS: Final = 250_000
"""Rows that are held against the rules at a time, by default."""


@dataclass(frozen=True)
class RowCounts:
    """How many rows there were and what became of them.

    `codes` counts the quarantine's rows per reason code (a row counts for each of its codes), `flags` those
    of valid rows.
    """

    received: int
    valid: int
    quarantined: int
    duplicate: int
    pending: int
    codes: Mapping[str, int]
    flags: Mapping[str, int]


@dataclass(frozen=True)
class ValidationResult:
    """The rows after validation, each in exactly one table, by transaction date, arrival and record."""

    valid: pa.Table
    quarantine: pa.Table
    counts: RowCounts


def validate(  # noqa: PLR0913 -- what decides about a row is handed in, each by name
    rows: pa.Table,
    *,
    feed: FeedSpec,
    production: Production,
    chart: Chart,
    fx_status: pa.Table | None,
    posted: pa.Table,
    same_key_rows: pa.Table,
    decided: DecisionEffects | None = None,
    chunk_rows: int = CHUNK_ROWS,
    agreements: Agreements | None = None,
) -> ValidationResult:
    """Divide raw rows of a feed into valid and quarantined ones.

    `rows` and `same_key_rows` have the raw columns of the record kind. `same_key_rows` are all landed
    rows of the feed that share a key with `rows`, of whatever partition; `rows` among them are passed
    over. `posted` are the rows in the ledger that have one of these keys (`duplicates.POSTED`),
    `fx_status` says of each date and currency of the rows what is known of its rate
    (`reference.FX_STATUS`; more columns and rows do no harm); None leaves the rules about rates out.
    `decided` is what people decided about rows of the feed; corrected rows come as corrected.
    `agreements` are those that payroll rows are held against, by default the package's.

    Raises IntegrityError when rows would be lost or doubled, when a rate's status is not given, or when a row
    that is posted can no longer be read; ValueError for tables without the columns that they must have.
    """
    raw, landed = check_raw(rows, feed.kind), check_raw(same_key_rows, feed.kind)
    effects = decided.effects if decided is not None else None
    terms = agreements or packaged()
    examiner = ChunkChecker(Reference(feed, production, chart, fx_status, terms), effects)
    examined = [examiner.examine(chunk, start) for start, chunk in _chunks(raw, _order(raw), chunk_rows)]
    without_rates = Reference(feed, production, chart, None, terms)
    chunks = _chunks(landed, _strangers(landed, raw), chunk_rows)
    candidates = [_candidates(ChunkChecker(without_rates, effects), chunks)]
    if decided is not None and decided.superseded.num_rows:
        candidates.append(_superseded(without_rates, check_raw(decided.superseded, feed.kind), raw))
    candidates += [part.candidates for part in examined]
    return _gather(examiner, examined, key_claims(pa.concat_tables(candidates), posted), raw.num_rows)


def _candidates(examiner: ChunkChecker, chunks: Iterator[tuple[int, pa.Table]]) -> pa.Table:
    """Return rows of other partitions as candidates, which only take part; their rates do not matter."""
    tables = [CANDIDATES.empty_table()]
    for _, chunk in chunks:
        seen = examiner.examine(chunk, 0).candidates
        tables.append(seen.set_column(0, "row", pa.nulls(len(seen), pa.int64())))
    return pa.concat_tables(tables)


def _superseded(reference: Reference, former: pa.Table, raw: pa.Table) -> pa.Table:
    """Return corrected rows, as first delivered, as candidates that hold nothing."""
    keyed = former.filter(pc.is_in(former.column("row_key"), value_set=raw.column("row_key").unique()))
    seen = _candidates(ChunkChecker(reference), iter([(0, keyed.combine_chunks())] if keyed.num_rows else []))
    place = CANDIDATES.get_field_index("superseded")
    return seen.set_column(place, CANDIDATES.field(place), pa.repeat(True, len(seen)))


def _gather(
    examiner: ChunkChecker, examined: list[CheckedChunk], claimed: pa.Table, received: int
) -> ValidationResult:
    """Divide the chunks one after the other, letting go of each, and prove that no row was lost."""
    kind = examiner.kind
    valid = [arrow_schema(kind, RowTable.VALID).empty_table()]
    quarantine = [arrow_schema(kind, RowTable.QUARANTINE).empty_table()]
    numbers = numbers_of(claimed, "row")
    examined.reverse()
    while examined:
        part = examined.pop()
        first, last = np.searchsorted(numbers, [part.start, part.start + len(part.rows)])
        kept, held = examiner.divide(part, claimed.slice(int(first), int(last - first)))
        valid.append(kept)
        quarantine.append(held)
    outcome = _outcome(pa.concat_tables(valid), pa.concat_tables(quarantine), received)
    counts = outcome.counts
    if received != counts.valid + counts.quarantined + counts.duplicate + counts.pending:
        raise IntegrityError(
            f"{received} rows were to be validated, but {counts.valid} valid, {counts.quarantined}"
            f" quarantined, {counts.duplicate} duplicate and {counts.pending} pending ones came out"
        )
    return outcome


def _outcome(valid: pa.Table, quarantine: pa.Table, received: int) -> ValidationResult:
    dispositions = _counted(quarantine.column("disposition"))
    counts = RowCounts(
        received=received,
        valid=valid.num_rows,
        quarantined=dispositions.get(QUARANTINED, 0),
        duplicate=dispositions.get(DUPLICATED, 0),
        pending=dispositions.get(PENDING, 0),
        codes=_counted(pc.list_flatten(quarantine.column("codes"))),
        flags=_counted(pc.list_flatten(valid.column("flags"))),
    )
    return ValidationResult(valid, quarantine, counts)


def _counted(texts: pa.ChunkedArray) -> dict[str, int]:
    counts = pc.value_counts(texts)
    found = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    return dict(sorted(found))


def _order(rows: pa.Table) -> np.ndarray:
    """Return the row numbers by transaction date (undated last), arrival and record."""
    keys = [(name, "ascending") for name in ("transaction_date", "arrival", "record")]
    return np.asarray(pc.sort_indices(rows.select([name for name, _ in keys]), sort_keys=keys))


def _chunks(rows: pa.Table, order: np.ndarray, size: int) -> Iterator[tuple[int, pa.Table]]:
    """Yield the chosen rows in that order, in chunks, each with the number of its first row."""
    in_place = len(order) == len(rows) and bool((order == np.arange(len(rows))).all())
    for start in range(0, len(order), size):
        chunk = rows.slice(start, size) if in_place else rows.take(pa.array(order[start : start + size]))
        yield start, chunk.combine_chunks()


_STRANGERS_SQL: Final = """
SELECT place FROM landed SEMI JOIN raw USING (row_key) ANTI JOIN raw AS own USING (delivery, record)
ORDER BY place
"""


def _strangers(landed: pa.Table, raw: pa.Table) -> np.ndarray:
    """Return the numbers of the landed rows that share a key with `raw` rows and are none of them."""
    names = ["row_key", "delivery", "record"]
    numbered = landed.select(names).append_column("place", pa.array(np.arange(len(landed))))
    return numbers_of(query(_STRANGERS_SQL, landed=numbered, raw=raw.select(names)), "place")
