"""Checks of one chunk of rows against the rules, and its split into valid and quarantined rows.

The rules are in `rules`, the claims on keys in `duplicates`; this module turns their results into valid rows
and reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.errors import IntegrityError
from showcost.core.reason_catalogue import CATALOGUE, Severity
from showcost.readers.model import MAY_BE_TOTAL
from showcost.validation import reason_texts as explain
from showcost.validation.cells import comparables, contents, read_cells
from showcost.validation.columns import RowTable, arrow_schema, column_schema
from showcost.validation.components import components, derived_columns
from showcost.validation.decisions import DecisionStamps, decision_stamps
from showcost.validation.duplicates import CANDIDATES, DUPLICATE
from showcost.validation.reference import Reference, look_up
from showcost.validation.rules import rules_for
from showcost.validation.schemas import RowSchema
from showcost.values.column import NO, YES

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec

QUARANTINED: Final = "quarantined"
DUPLICATED: Final = "duplicate"
PENDING: Final = "pending"


@dataclass(frozen=True)
class CheckedChunk:
    """A chunk of rows, the first of which is number `start`, with its cells and failures.

    `failures` (`schemas.FAILURES`) number the rows from 0 within the chunk; `waived` marks the failures that
    a person accepted.
    """

    start: int
    rows: pa.Table
    cells: pa.Table
    failures: pa.Table
    waived: np.ndarray
    stamps: DecisionStamps
    candidates: pa.Table


class ChunkChecker:
    """Applies the rules to chunks of rows and splits them into valid and quarantined rows.

    `effects` are the effects of people's decisions on rows (`decisions.EFFECTS`).
    """

    def __init__(self, reference: Reference, effects: pa.Table | None = None) -> None:
        self._reference, self._effects = reference, effects
        self.kind = reference.feed.kind
        self._rules = rules_for(reference)
        self._schema = RowSchema(reference.feed.kind, self._rules)
        severities = [CATALOGUE[rule.code].severity for rule in self._rules]
        self._codes = pa.array([rule.code for rule in self._rules], pa.string())
        self._code_names = sorted({rule.code for rule in self._rules})
        self._code_of = np.array([self._code_names.index(rule.code) for rule in self._rules])
        self._blocks = np.array([severity is not Severity.WARNING for severity in severities])
        self._waits = np.array([severity is Severity.PENDING for severity in severities])
        self._about_row = np.array([CATALOGUE[rule.code].family != "FIL" for rule in self._rules])
        self._about_rates = np.array([CATALOGUE[rule.code].family == "FX" for rule in self._rules])

    def check(self, rows: pa.Table, start: int) -> CheckedChunk:
        """Apply the rules to a chunk of rows; `start` is the number of its first row."""
        feed = self._reference.feed
        cells = look_up(read_cells(rows, feed), self._reference)
        failures = self._schema.failures(cells)
        readable = _has_cells(rows)
        failures = failures.filter(pc.take(readable, failures.column("row")))
        stamps = decision_stamps(rows, self._effects, self._code_names)
        row, rule = numbers_of(failures, "row"), numbers_of(failures, "rule")
        waived = np.isin(row * len(self._code_names) + self._code_of[rule], stamps.waived)
        rejected = row[self._blocks[rule] & ~self._about_rates[rule] & ~waived]
        sound = (readable.to_numpy() & ~_mask(rejected, len(rows))) | stamps.reversed
        columns = {
            "row": pa.array(np.arange(start, start + len(rows))),
            **{name: rows.column(name) for name in ("row_key", "delivery", "arrival", "record")},
            "content": contents(cells, rows, feed.kind),
            "comparable": comparables(cells, rows, feed),
            "sound": pa.array(sound),
            "priority": pa.array(stamps.priority),
            "reversed": pa.array(stamps.reversed),
            "original": pa.array(np.zeros(len(rows), dtype=bool)),
        }
        candidates = pa.table(columns, schema=CANDIDATES)
        return CheckedChunk(start, rows, cells, failures, waived, stamps, candidates)

    def split(self, chunk: CheckedChunk, claims: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the valid and the quarantined rows of a chunk; `claims` are the claims of its rows."""
        size = len(chunk.rows)
        place = numbers_of(claims, "row") - chunk.start
        posted = _mask(place[claims.column("posted").to_numpy()], size)
        row, rule = numbers_of(chunk.failures, "row"), numbers_of(chunk.failures, "rule")
        unread = ~_has_cells(chunk.rows).to_numpy()
        taken = _mask(place[pc.is_valid(claims.column("code")).to_numpy()], size)
        rejecting = self._blocks[rule] & ~chunk.waived
        excluded = (_mask(row[rejecting], size) | unread | taken | chunk.stamps.withheld) & ~posted
        faults = _Faults(
            failures=chunk.failures.filter(pa.array(excluded[row] & ~chunk.waived & self._about_row[rule])),
            unread=np.flatnonzero(unread & excluded),
            withheld=np.flatnonzero(chunk.stamps.withheld & excluded),
            claims=claims.filter(pa.array(excluded[place])).filter(pc.is_valid(pc.field("code"))),
        )
        return self._valid(chunk, claims, ~excluded), self._quarantine(chunk, faults, excluded)

    def typed(self, rows: pa.Table) -> pa.Table:
        """Return rows as they are when valid, whatever their verdict, and without flags."""
        cells = look_up(read_cells(rows, self._reference.feed), self._reference)
        content = contents(cells, rows, self.kind)
        offsets = pa.array(np.zeros(len(rows) + 1, dtype=np.int32))
        return self._typed(cells, content, pa.ListArray.from_arrays(offsets, pa.array([], pa.string())))

    def _valid(self, chunk: CheckedChunk, claims: pa.Table, chosen: np.ndarray) -> pa.Table:
        mask = pa.array(chosen)
        content = chunk.candidates.column("content").filter(mask)
        table = self._typed(chunk.cells.filter(mask), content, self._flags(chunk, claims, chosen))
        _refuse_unreadable(table, self._reference.feed)
        return table

    def _typed(self, cells: pa.Table, content: pa.ChunkedArray, flags: pa.ListArray) -> pa.Table:
        kind = self._reference.feed.kind
        columns = dict(zip(cells.column_names, cells.columns, strict=True))
        columns |= {field.name: _with_words(cells, field.name) for field in kind.coded}
        columns |= derived_columns(cells, kind)
        columns |= {"content": content, "flags": flags}
        if not kind.is_plan:
            columns["components"] = components(cells, self._reference)
        schema = arrow_schema(kind, RowTable.VALID)
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def _flags(self, chunk: CheckedChunk, claims: pa.Table, chosen: np.ndarray) -> pa.ListArray:
        """Return the sorted flags of the chosen rows: codes that do not keep them from being posted."""
        coded = claims.filter(pc.is_valid(claims.column("code")))
        flags = pa.table(
            {
                "row": np.concatenate(
                    [numbers_of(chunk.failures, "row"), numbers_of(coded, "row") - chunk.start]
                ),
                "code": pa.chunked_array(
                    [
                        self._codes.take(chunk.failures.column("rule").combine_chunks()),
                        *coded.column("code").chunks,
                    ],
                    pa.string(),
                ),
            }
        )
        flags = (
            flags.filter(pa.array(chosen[numbers_of(flags, "row")])).group_by(["row", "code"]).aggregate([])
        )
        flags = flags.sort_by([("row", "ascending"), ("code", "ascending")])
        counts = np.bincount(numbers_of(flags, "row"), minlength=len(chosen))[chosen]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), flags.column("code").combine_chunks())

    def _quarantine(self, chunk: CheckedChunk, faults: _Faults, chosen: np.ndarray) -> pa.Table:
        feed, rows = self._reference.feed, chunk.rows
        place = numbers_of(faults.claims, "row") - chunk.start
        unread, taken = pa.array(faults.unread), pa.array(place)
        reasons = [
            explain.of_rules(faults.failures, self._rules, rows, chunk.cells, feed),
            explain.of_reading(rows.take(unread), unread),
            explain.of_claims(faults.claims, rows.take(taken), taken, feed),
            explain.of_decisions(faults.withheld, chunk.stamps.decision),
        ]
        texts = explain.reason_texts(pa.concat_tables(reasons))
        table = rows.filter(pa.array(chosen))
        if texts.num_rows != table.num_rows:
            raise IntegrityError(
                f"{table.num_rows - texts.num_rows} quarantined rows of feed {feed.name} have no reason"
            )
        disposition = self._disposition(faults, place, len(rows))[chosen]
        schema = arrow_schema(feed.kind, RowTable.QUARANTINE)
        added = [pa.array(disposition, pa.string()), texts.column("codes"), texts.column("reasons")]
        return pa.table([*table.columns, *added], schema=schema)

    def _disposition(self, faults: _Faults, place: np.ndarray, size: int) -> np.ndarray:
        """Return the disposition of each row that is not valid; the values of valid rows are meaningless.

        A row that a person withholds is quarantined. Otherwise a row with the same content as its key holder
        is a duplicate, whatever other faults it has: discarding it loses nothing. A row is pending only when
        all its reasons are.
        """
        row, rule = numbers_of(faults.failures, "row"), numbers_of(faults.failures, "rule")
        same = pc.equal(faults.claims.column("code"), DUPLICATE).to_numpy()
        rejected = _mask(row[self._blocks[rule] & ~self._waits[rule]], size) | _mask(faults.unread, size)
        rejected |= _mask(place[~same], size)
        disposition = np.where(rejected, QUARANTINED, PENDING).astype(object)
        disposition[place[same]] = DUPLICATED
        disposition[faults.withheld] = QUARANTINED
        return disposition


@dataclass(frozen=True)
class _Faults:
    """The faults of rows of a chunk that are not valid.

    `failures` are failed rules, `unread` the numbers of rows that the reader rejected, `withheld` of rows
    that a person withholds, `claims` the claims of rows whose key another row holds. All but `claims` number
    the rows from 0 within the chunk.
    """

    failures: pa.Table
    unread: np.ndarray
    withheld: np.ndarray
    claims: pa.Table


def _with_words(cells: pa.Table, field: str) -> pa.ChunkedArray:
    """Return a coded field of valid rows: yes and no as delivered, other texts as the word they stand for."""
    texts, words = cells.column(field), cells.column(f"{field}__word")
    plain = pc.fill_null(pc.is_in(pc.utf8_lower(texts), value_set=pa.array([*YES, *NO])), False)
    return pc.if_else(plain, texts, pc.coalesce(words, texts))


def _refuse_unreadable(valid: pa.Table, feed: FeedSpec) -> None:
    """Raise IntegrityError when a posted row lacks a column that must not be null.

    A changed feed description can make a value unreadable that the row was posted with.
    """
    needed = [column.name for column in column_schema(feed.kind, RowTable.VALID) if not column.nullable]
    missing = [name for name in needed if valid.column(name).null_count]
    if missing:
        raise IntegrityError(
            f"rows of feed {feed.name} that are posted, or would be, have no {', no '.join(missing)}: revert"
            " the feed change that made them unreadable, or post corrections first"
        )


def _has_cells(rows: pa.Table) -> pa.ChunkedArray:
    """Return which rows the reader accepted: also those that may be totals, on which a rule says so."""
    code = rows.column("read_code")
    return pc.or_kleene(pc.is_null(code), pc.equal(code, MAY_BE_TOTAL))


def numbers_of(table: pa.Table, column: str) -> np.ndarray:
    """Return a column of integers without nulls as an array."""
    return np.asarray(table.column(column))


def _mask(places: np.ndarray, size: int) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[places] = True
    return mask
