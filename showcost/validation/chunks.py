"""One chunk of rows: held against the rules, and divided once the keys are claimed.

What a rule says is in `rules`, what a claim is in `duplicates`; here they become valid rows and reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.errors import IntegrityError
from showcost.core.reasons import CATALOGUE, Severity
from showcost.validation import reasons as explain
from showcost.validation.cells import contents, read_cells
from showcost.validation.columns import RowTable, arrow_schema, column_schema
from showcost.validation.components import components, derived_columns
from showcost.validation.decisions import DecisionStamps, decision_stamps
from showcost.validation.duplicates import CANDIDATES, DUPLICATE
from showcost.validation.reference import Reference, look_up
from showcost.validation.rules import rules_for
from showcost.validation.schemas import RowSchema

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec

QUARANTINED: Final = "quarantined"
DUPLICATED: Final = "duplicate"
PENDING: Final = "pending"


@dataclass(frozen=True)
class CheckedChunk:
    """A chunk of rows, of which the first is number `start`; its cells; which rules its rows fail.

    `failures` number the rows from the chunk's first, `waived` are those of them that a person passes over.
    """

    start: int
    rows: pa.Table
    cells: pa.Table
    failures: pa.Table
    waived: np.ndarray
    marks: DecisionStamps
    candidates: pa.Table


class ChunkChecker:
    """Holds chunks of rows against the rules of a reference, and divides them.

    `effects` are what people decided about rows (`decided.EFFECTS`).
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
        self._about_rates = np.array([CATALOGUE[rule.code].family == "FX" for rule in self._rules])

    def examine(self, rows: pa.Table, start: int) -> CheckedChunk:
        """Hold a chunk of rows against the rules."""
        feed = self._reference.feed
        cells = look_up(read_cells(rows, feed), self._reference)
        failures = self._schema.failures(cells)
        readable = pc.is_null(rows.column("read_code"))
        failures = failures.filter(pc.take(readable, failures.column("row")))
        marks = decision_stamps(rows, self._effects, self._code_names)
        row, rule = numbers_of(failures, "row"), numbers_of(failures, "rule")
        waived = np.isin(row * len(self._code_names) + self._code_of[rule], marks.waived)
        faulty = row[self._blocks[rule] & ~self._about_rates[rule] & ~waived]
        sound = (readable.to_numpy() & ~_mask(faulty, len(rows))) | marks.withdrawn
        columns = {
            "row": pa.array(np.arange(start, start + len(rows))),
            **{name: rows.column(name) for name in ("row_key", "delivery", "arrival", "record")},
            "content": contents(cells, rows, feed.kind),
            "sound": pa.array(sound),
            "preference": pa.array(marks.preference),
            "withdrawn": pa.array(marks.withdrawn),
            "superseded": pa.array(np.zeros(len(rows), dtype=bool)),
        }
        candidates = pa.table(columns, schema=CANDIDATES)
        return CheckedChunk(start, rows, cells, failures, waived, marks, candidates)

    def divide(self, part: CheckedChunk, claimed: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the valid and the quarantined rows of a chunk; `claimed` are its claims."""
        size = len(part.rows)
        place = numbers_of(claimed, "row") - part.start
        posted = _mask(place[claimed.column("posted").to_numpy()], size)
        row, rule = numbers_of(part.failures, "row"), numbers_of(part.failures, "rule")
        unread = pc.is_valid(part.rows.column("read_code")).to_numpy()
        taken = _mask(place[pc.is_valid(claimed.column("code")).to_numpy()], size)
        held_back = self._blocks[rule] & ~part.waived
        kept_out = (_mask(row[held_back], size) | unread | taken | part.marks.withheld) & ~posted
        faults = _Faults(
            failures=part.failures.filter(pa.array(kept_out[row] & ~part.waived)),
            unread=np.flatnonzero(unread & kept_out),
            withheld=np.flatnonzero(part.marks.withheld & kept_out),
            claimed=claimed.filter(pa.array(kept_out[place])).filter(pc.is_valid(pc.field("code"))),
        )
        return self._valid(part, claimed, ~kept_out), self._quarantine(part, faults, kept_out)

    def _valid(self, part: CheckedChunk, claimed: pa.Table, chosen: np.ndarray) -> pa.Table:
        kind = self._reference.feed.kind
        kept = pa.array(chosen)
        cells = part.cells.filter(kept)
        columns = dict(zip(cells.column_names, cells.columns, strict=True))
        columns |= derived_columns(cells, kind)
        columns["content"] = part.candidates.column("content").filter(kept)
        columns["flags"] = self._flags(part, claimed, chosen)
        columns["components"] = components(cells, self._reference)
        schema = arrow_schema(kind, RowTable.VALID)
        table = pa.table([columns[name] for name in schema.names], schema=schema)
        _refuse_unreadable(table, self._reference.feed)
        return table

    def _flags(self, part: CheckedChunk, claimed: pa.Table, chosen: np.ndarray) -> pa.ListArray:
        """Return the sorted codes that the chosen rows carry although they are valid."""
        coded = claimed.filter(pc.is_valid(claimed.column("code")))
        flags = pa.table(
            {
                "row": np.concatenate(
                    [numbers_of(part.failures, "row"), numbers_of(coded, "row") - part.start]
                ),
                "code": pa.chunked_array(
                    [
                        self._codes.take(part.failures.column("rule").combine_chunks()),
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

    def _quarantine(self, part: CheckedChunk, faults: _Faults, chosen: np.ndarray) -> pa.Table:
        feed, rows = self._reference.feed, part.rows
        place = numbers_of(faults.claimed, "row") - part.start
        unread, taken = pa.array(faults.unread), pa.array(place)
        reasons = [
            explain.of_rules(faults.failures, self._rules, rows, part.cells, feed),
            explain.of_reading(rows.take(unread), unread),
            explain.of_claims(faults.claimed, rows.take(taken), taken, feed),
            explain.of_decisions(faults.withheld, part.marks.decision),
        ]
        told = explain.reason_texts(pa.concat_tables(reasons))
        table = rows.filter(pa.array(chosen))
        if told.num_rows != table.num_rows:
            raise IntegrityError(
                f"{table.num_rows - told.num_rows} quarantined rows of feed {feed.name} have no reason"
            )
        disposition = self._disposition(faults, place, len(rows))[chosen]
        schema = arrow_schema(feed.kind, RowTable.QUARANTINE)
        added = [pa.array(disposition, pa.string()), told.column("codes"), told.column("reasons")]
        return pa.table([*table.columns, *added], schema=schema)

    def _disposition(self, faults: _Faults, place: np.ndarray, size: int) -> np.ndarray:
        """Return what becomes of each row that is not valid; of the others it means nothing.

        A row that a person keeps out is quarantined. Else one with the content of the one that holds its key
        is a duplicate, whatever else is wrong with it: discarding it loses nothing. A row waits only when it
        does nothing but wait.
        """
        row, rule = numbers_of(faults.failures, "row"), numbers_of(faults.failures, "rule")
        same = pc.equal(faults.claimed.column("code"), DUPLICATE).to_numpy()
        rejected = _mask(row[self._blocks[rule] & ~self._waits[rule]], size) | _mask(faults.unread, size)
        rejected |= _mask(place[~same], size)
        disposition = np.where(rejected, QUARANTINED, PENDING).astype(object)
        disposition[place[same]] = DUPLICATED
        disposition[faults.withheld] = QUARANTINED
        return disposition


@dataclass(frozen=True)
class _Faults:
    """Why rows of a chunk are not valid.

    `failures` are of rules, `unread` the numbers of rows that the reader rejected, `withheld` of those that a
    person keeps out, `claimed` the claims of rows whose key another row holds. All but `claimed` number rows
    from the chunk's first.
    """

    failures: pa.Table
    unread: np.ndarray
    withheld: np.ndarray
    claimed: pa.Table


def _refuse_unreadable(valid: pa.Table, feed: FeedSpec) -> None:
    """Stop when a row that is posted has lost, as the feed is now described, what it was posted with."""
    needed = [column.name for column in column_schema(feed.kind, RowTable.VALID) if not column.nullable]
    lost = [name for name in needed if valid.column(name).null_count]
    if lost:
        raise IntegrityError(
            f"rows of feed {feed.name} that are posted, or would be, have no {', no '.join(lost)}: undo the"
            " change of the feed's description after which they cannot be read, or book corrections first"
        )


def numbers_of(table: pa.Table, column: str) -> np.ndarray:
    """Return a column without nulls as numbers."""
    return np.asarray(table.column(column))


def _mask(places: np.ndarray, size: int) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[places] = True
    return mask
