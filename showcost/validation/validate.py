"""Split of raw rows into valid and quarantined rows, with no row lost.

First each chunk of rows is checked against the rules, then keys are claimed across all chunks, then each
chunk is split. The result does not depend on the order of the rows or the size of the chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements import packaged
from showcost.core.arrow import query, require_columns
from showcost.core.errors import IntegrityError
from showcost.core.ids import DOCUMENT_DIGITS, DOCUMENT_SQL
from showcost.validation.cells import RawRows, raw_rows
from showcost.validation.columns import RowTable, arrow_schema
from showcost.validation.duplicates import (
    CANDIDATES,
    CONFLICT,
    DOCUMENTS,
    POSTED,
    all_claims,
    key_claims,
    with_whole_documents,
)
from showcost.validation.person_days import day_lines
from showcost.validation.reference import Reference
from showcost.validation.row_outcomes import (
    DUPLICATED,
    PENDING,
    QUARANTINED,
    CheckedChunk,
    ChunkChecker,
    numbers_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from showcost.config.agreements import Agreements
    from showcost.config.chart import Chart
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.config.record_kinds import RecordKind
    from showcost.validation.decisions import DecisionEffects

CHUNK_ROWS: Final = 250_000
"""Default number of rows per chunk."""


@dataclass(frozen=True)
class RowCounts:
    """Counts of the rows received and of their results.

    `codes` counts quarantined rows per reason code (a row counts once for each of its codes), `flags` counts
    valid rows per flag.
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
    """The rows after validation, each in exactly one table, by transaction date, arrival and record.

    Raises IntegrityError unless both tables have exactly the columns of the record kind.
    """

    kind: RecordKind
    valid: pa.Table
    quarantine: pa.Table
    counts: RowCounts

    def __post_init__(self) -> None:
        require_columns(self.valid, arrow_schema(self.kind, RowTable.VALID), "valid rows")
        require_columns(self.quarantine, arrow_schema(self.kind, RowTable.QUARANTINE), "quarantined rows")


def validate(  # noqa: PLR0913 -- everything that determines a result is an argument
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
    unconfirmed: frozenset[str] = frozenset(),
    same_costs: pa.Table | None = None,
    day_rows: pa.Table | None = None,
) -> ValidationResult:
    """Split raw rows of a feed into valid and quarantined rows.

    `rows` and `same_key_rows` have the raw columns of the record kind. `same_key_rows` are all landed rows of
    the feed, in any partition, that share a key or a document with `rows`; rows also in `rows` are ignored.
    `posted` are the rows in the ledger with one of these keys (`duplicates.POSTED`). `fx_status` has the
    status of the rate for each date and currency of the rows (`reference.FX_STATUS`; further columns and rows
    are ignored); None leaves out the rules about rates. `decided` has the effects of decisions on rows of the
    feed; corrected rows are handed in as corrected. `agreements` are the union agreements for payroll rows,
    by default the package's. `same_costs` are the rows that repeat a cost of another feed or spelling
    (`same_costs.SAME_COSTS`). Rows of the deliveries `unconfirmed` are flagged: their control total is not
    confirmed. `day_rows` are all landed rows of the feed with the dates of `rows`, by default `rows` alone:
    the lines of a person's day are checked together.

    Raises IntegrityError when rows would be lost or duplicated, when the status of a rate is missing, or when
    a posted row can no longer be read; InputError for tables without the required columns.
    """
    raw, landed = raw_rows(rows, feed.kind), raw_rows(same_key_rows, feed.kind)
    effects = decided.effects if decided is not None else None
    terms = agreements or packaged()
    without_rates = Reference(feed, production, chart, None, terms)
    of_days = [raw, landed, *([raw_rows(day_rows, feed.kind)] if day_rows is not None else [])]
    without_rates = replace(without_rates, day_lines=day_lines(of_days, without_rates, posted, effects))
    reference = replace(without_rates, fx_status=fx_status, unconfirmed=unconfirmed)
    checker = ChunkChecker(reference, effects)
    checked = [checker.check(chunk, start) for start, chunk in _chunks(raw, _order(raw), chunk_rows)]
    chunks = _chunks(landed, _other_partition_rows(landed, raw), chunk_rows)
    candidates = [_candidates(ChunkChecker(without_rates, effects), chunks)]
    if decided is not None and decided.originals.num_rows:
        candidates.append(_originals(without_rates, raw_rows(decided.originals, feed.kind), raw))
    candidates += [chunk.candidates for chunk in checked]
    every = pa.concat_tables(candidates)
    claims = all_claims(key_claims(every, posted), every, same_costs, posted)
    claims = with_whole_documents(claims, every, _documents_of(raw, feed), posted, _accepted(effects))
    return _split_all(checker, checked, claims, raw.num_rows)


def sound_rows(
    rows: pa.Table,
    *,
    feed: FeedSpec,
    production: Production,
    chart: Chart,
    decided: DecisionEffects | None = None,
    agreements: Agreements | None = None,
    day_rows: pa.Table | None = None,
) -> pa.Table:
    """Return delivery, record and `reversed` of the rows that pass every rule except those about rates.

    The arguments are those of `validate`. A reversed row counts as sound: it still holds its key.
    """
    raw = raw_rows(rows, feed.kind)
    reference = Reference(feed, production, chart, None, agreements or packaged())
    effects = decided.effects if decided is not None else None
    of_days = [raw, *([raw_rows(day_rows, feed.kind)] if day_rows is not None else [])]
    lines = day_lines(of_days, reference, POSTED.empty_table(), effects)
    checker = ChunkChecker(replace(reference, day_lines=lines), effects)
    candidates = _candidates(checker, _chunks(raw, _order(raw), CHUNK_ROWS))
    return candidates.filter(candidates.column("sound")).select(["delivery", "record", "reversed"])


def _candidates(checker: ChunkChecker, chunks: Iterator[tuple[int, pa.Table]]) -> pa.Table:
    """Return rows of other partitions as candidates without a row number; their rates do not matter."""
    tables = [CANDIDATES.empty_table()]
    for _, chunk in chunks:
        candidates = checker.check(chunk, 0).candidates
        tables.append(candidates.set_column(0, "row", pa.nulls(len(candidates), pa.int64())))
    return pa.concat_tables(tables)


def _originals(reference: Reference, delivered: RawRows, raw: RawRows) -> pa.Table:
    """Return corrected rows as delivered, as candidates that cannot hold a key."""
    documents = _documents(raw.column("row_key")).unique()
    keyed = delivered.table.filter(pc.is_in(_documents(delivered.column("row_key")), value_set=documents))
    chunks = iter([(0, keyed.combine_chunks())] if keyed.num_rows else [])
    candidates = _candidates(ChunkChecker(reference), chunks)
    place = CANDIDATES.get_field_index("original")
    return candidates.set_column(place, CANDIDATES.field(place), pa.repeat(True, len(candidates)))


def _documents(keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what the keys of a document's lines without numbers share."""
    return pc.utf8_slice_codeunits(keys, 0, DOCUMENT_DIGITS)


def _documents_of(raw: RawRows, feed: FeedSpec) -> pa.Table:
    """Return the documents whose lines wait together (`DOCUMENTS`): those of a kind with numbers of lines.

    A permit's events and an employee's days are costs of their own. A feed that replaces line by line by its
    policy has none.
    """
    kind = feed.kind
    if kind.line is None or kind.identity is None or feed.corrected_documents != "quarantine":
        return DOCUMENTS.empty_table()
    sql = f"""
        SELECT delivery, record, lower(concat_ws('|', {kind.identity.code}, {kind.document})) AS document
        FROM raw WHERE trim(coalesce({kind.document}, '')) <> ''
    """  # noqa: S608 -- names of ours
    names = ["delivery", "record", kind.identity.code, kind.document]
    return query(sql, raw=raw.table.select(names)).cast(DOCUMENTS)


def _accepted(effects: pa.Table | None) -> pa.Table:
    """Return the rows that a person lets pass in spite of a conflict."""
    if effects is None:
        return DOCUMENTS.empty_table()
    sql = "SELECT delivery, record, '' AS document FROM effects WHERE list_contains(codes, $conflict)"
    return query(sql, {"conflict": CONFLICT}, effects=effects).cast(DOCUMENTS)


def _split_all(
    checker: ChunkChecker, checked: list[CheckedChunk], claims: pa.Table, received: int
) -> ValidationResult:
    """Split the chunks one after the other, releasing each, and check that no row was lost."""
    kind = checker.kind
    valid = [arrow_schema(kind, RowTable.VALID).empty_table()]
    quarantine = [arrow_schema(kind, RowTable.QUARANTINE).empty_table()]
    numbers = numbers_of(claims, "row")
    checked.reverse()
    while checked:
        chunk = checked.pop()
        first, last = np.searchsorted(numbers, [chunk.start, chunk.start + len(chunk.rows)])
        accepted, rejected = checker.split(chunk, claims.slice(int(first), int(last - first)))
        valid.append(accepted)
        quarantine.append(rejected)
    result = _result(kind, pa.concat_tables(valid), pa.concat_tables(quarantine), received)
    counts = result.counts
    if received != counts.valid + counts.quarantined + counts.duplicate + counts.pending:
        raise IntegrityError(
            f"{received} rows were validated, but the result has {counts.valid} valid, {counts.quarantined}"
            f" quarantined, {counts.duplicate} duplicate and {counts.pending} pending rows"
        )
    return result


def _result(kind: RecordKind, valid: pa.Table, quarantine: pa.Table, received: int) -> ValidationResult:
    dispositions = _value_counts(quarantine.column("disposition"))
    counts = RowCounts(
        received=received,
        valid=valid.num_rows,
        quarantined=dispositions.get(QUARANTINED, 0),
        duplicate=dispositions.get(DUPLICATED, 0),
        pending=dispositions.get(PENDING, 0),
        codes=_value_counts(pc.list_flatten(quarantine.column("codes"))),
        flags=_value_counts(pc.list_flatten(valid.column("flags"))),
    )
    return ValidationResult(kind, valid, quarantine, counts)


def _value_counts(texts: pa.ChunkedArray) -> dict[str, int]:
    counts = pc.value_counts(texts)
    pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    return dict(sorted(pairs))


def _order(rows: RawRows) -> np.ndarray:
    """Return the row numbers by transaction date (undated last), arrival and record."""
    keys = [(name, "ascending") for name in ("transaction_date", "arrival", "record")]
    return np.asarray(pc.sort_indices(rows.table.select([name for name, _ in keys]), sort_keys=keys))


def _chunks(rows: RawRows, order: np.ndarray, size: int) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows in the given order, in chunks, each with the number of its first row."""
    table = rows.table
    in_place = len(order) == len(table) and bool((order == np.arange(len(table))).all())
    for start in range(0, len(order), size):
        chunk = table.slice(start, size) if in_place else table.take(pa.array(order[start : start + size]))
        yield start, chunk.combine_chunks()


_OTHER_PARTITION_SQL: Final = f"""
WITH documents AS (SELECT DISTINCT {DOCUMENT_SQL} AS document FROM raw)
SELECT place FROM landed SEMI JOIN documents ON document = {DOCUMENT_SQL}
ANTI JOIN raw AS own USING (delivery, record)
ORDER BY place
"""  # noqa: S608 -- constants only


def _other_partition_rows(landed: RawRows, raw: RawRows) -> np.ndarray:
    """Return the numbers of landed rows that share a key with `raw` rows but are not among them."""
    names = ["row_key", "delivery", "record"]
    numbered = landed.table.select(names).append_column("place", pa.array(np.arange(landed.num_rows)))
    return numbers_of(query(_OTHER_PARTITION_SQL, landed=numbered, raw=raw.table.select(names)), "place")
