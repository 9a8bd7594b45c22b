"""Lines with a total that look like rows: a number, a date, and an amount that the rows above add up to.

Such a line would post every cost above it once more, so a person decides (SC-TOT-001). Two things make one: a
cell has a word for a total or a balance, and an amount is the sum of rows next to it, above or below, of the
same currency, account or vendor. TOTAL is also a vendor, so a row with such a word alone is a row like any
other, unless the word is one that nobody has for a name (`Subtotal`, `Carried forward`). A line that lacks
its number or payee counts as one with such a word: it may be a total that nobody labelled.

The sum of one row is its amount. So a line with the amount of the row right above is a total if its label
says nothing else (`Total`, `Summe Oktober`), or names that row (`Total ACME`), or totals elsewhere in the
delivery have the same word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from showcost.config.record_kinds import FieldType
from showcost.ingest.records import amounts_of, normal_text
from showcost.readers.model import MAY_BE_TOTAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import Accepted, FormatEvidence

    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_LETTER: Final = r"[^\W\d_]"
_BEFORE, _AFTER = rf"(?<!{_LETTER})", rf"(?!{_LETTER})"
_FIRM: Final = re.compile(
    r"\W(?:ltd|limited|inc|llc|llp|plc|corp|company|co|gmbh|ag|kg|ug|sa|sas|sarl|srl|spa|bv|nv|ab|as|oy)\W*$",
    re.IGNORECASE,
)
_LONGEST: Final = 80
_SHORT: Final = 4
_PLACES: Final = 4
"""Decimals in which amounts are added up."""
_HALF_CENT: Final = 10 ** (_PLACES - 2) // 2
_NEAR: Final = 10 * _HALF_CENT
"""By how much a total may differ from its rows, where these were rounded: five hundredths."""
_SEVERAL, _ROUNDED = 2, 3
_FAR: Final = 0x1E3779B97F4A7C15
"""A large odd number, whose multiples in 64 bits are far from each other."""
_NONE: Final = pa.scalar(Decimal(0), pa.decimal128(38, _PLACES))
_MOST_GROUPS: Final = 100_000
_MOST_BLANK: Final = 1000
_MOST_NEAR: Final = 16
_EXACT: Final = pa.decimal128(38, 20)
_NAMED_TOTAL: Final = "named a total"
_UNNAMED: Final = "without number or payee"
_UNSURE: Final = f"{_NAMED_TOTAL}, below rows that could not be read"
_NAMED: Final = "named a subtotal or a carried balance"


class _Patterns:
    """The patterns of `total_words.yaml`."""

    def __init__(self) -> None:
        text = files("showcost.ingest").joinpath("total_words.yaml").read_text(encoding="utf-8")
        languages: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
        words, labels, beside = (
            "|".join(
                re.escape(word).replace(r"\*", f"{_LETTER}*").replace(r"\ ", r"\s+")
                for language in languages.values()
                for word in language.get(kind, ())
            )
            for kind in ("words", "labels", "beside")
        )
        self.words = sorted(
            {
                word.replace("*", "")
                for language in languages.values()
                for word in (*language.get("words", ()), *language.get("parts", ()))
            }
        )
        parts = "|".join(part for language in languages.values() for part in language.get("parts", ()))
        word = rf"{_BEFORE}(?:{words}){_AFTER}|{parts}"
        self.word = re.compile(word, re.IGNORECASE)
        self.label = re.compile(rf"\W*(?:{labels}){_AFTER}", re.IGNORECASE)
        self.alone = re.compile(rf"(?:{word}|{_BEFORE}(?:{beside}){_AFTER}|[\W\d_])+", re.IGNORECASE)
        # What RE2 searches whole rows for, fast: with the boundaries above it takes a hundred times as long.
        short = [word for word in self.words if len(word) <= _SHORT and word.isascii()]
        long = [re.escape(word).replace(r"\ ", r"\s+") for word in self.words if word not in short]
        self.rough = rf"(?i){'|'.join(long)}|\b(?:{'|'.join(short)})\b"


patterns: Final = cache(_Patterns)


_WORD: Final = re.compile(r"\w+")
_OTHER: Final = re.compile(r"balance sheet|total station|sum insured|lump sums?", re.IGNORECASE)
"""Terms with a word for a total that name none."""


class Level(IntEnum):
    """Grades of a label: number or payee are blank, it has a word for a total, nothing else, or no name."""

    BLANK = 0
    WORD = 1
    ALONE = 2
    CERTAIN = 3


class Label(NamedTuple):
    """The label of a line: its level, its word in lower case, and the words beside it."""

    level: Level
    word: str
    others: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LabelledLines:
    """The records with a label, in their order: their numbers, levels, and words.

    `named` says that the record right above has all words beside the word for a total, and there are some.
    """

    numbers: Integers
    levels: Integers
    words: tuple[str, ...]
    named: Flags

    def __len__(self) -> int:
        return len(self.numbers)


def labelled_lines(chunks: Iterable[LabelledLines]) -> LabelledLines:
    """Join the labelled records of the chunks of a delivery."""
    parts = list(chunks)
    empty = np.zeros(0, np.int64)
    return LabelledLines(
        np.concatenate([empty, *(part.numbers for part in parts)]),
        np.concatenate([empty, *(part.levels for part in parts)]),
        tuple(word for part in parts for word in part.words),
        np.concatenate([np.zeros(0, np.bool_), *(part.named for part in parts)]),
    )


def labels_in(feed: FeedSpec, accepted: Accepted, before: str = "") -> LabelledLines:
    """Return the records of a chunk that have a word for a total in a cell, or lack their number or payee.

    `before` is the raw text of the record before the chunk.
    """
    rows = np.flatnonzero(pc.match_substring_regex(accepted.place.column("raw"), patterns().rough))
    blank = _without_key(feed, accepted)
    best: dict[int, Label] = dict.fromkeys(blank.tolist(), Label(Level.BLANK, ""))
    rows = np.union1d(rows, blank)
    best = {int(np.searchsorted(rows, row)): label for row, label in best.items()}
    chosen = pa.array(rows)
    for column in accepted.columns if len(rows) else ():
        cells = column.take(chosen)
        short = pc.less_equal(pc.utf8_length(cells), _LONGEST)
        places = np.flatnonzero(pc.and_(short, pc.match_substring_regex(cells, patterns().rough)))
        for place, text in zip(places.tolist(), cells.take(pa.array(places)).to_pylist(), strict=True):
            label = label_of(text)
            if label is not None and (place not in best or label.level > best[place].level):
                best[place] = label
    found = sorted(best)
    numbers = accepted.place.column("record").take(pa.array(rows[found], pa.int64()))
    levels = np.array([best[place].level for place in found], np.int64)
    words = tuple(best[place].word for place in found)
    named = _names_row_above(accepted, before, rows[found].tolist(), [best[place].others for place in found])
    return LabelledLines(np.asarray(numbers), levels, words, named)


def _without_key(feed: FeedSpec, accepted: Accepted) -> Integers:
    """Return the rows that leave their document's number blank, or every name of its payee."""
    identity, columns = feed.kind.identity, accepted.match.columns
    payee = {identity.tax_id, identity.code, identity.name} if identity else set()
    blank = np.zeros(accepted.place.num_rows, np.bool_)
    for fields in ({feed.kind.document}, payee if payee.isdisjoint(feed.constants) else set()):
        places = [columns[field] for field in fields if field is not None and field in columns]
        if places:
            cells = [pc.fill_null(accepted.columns[place], "") for place in places]
            empty = [np.asarray(pc.equal(pc.utf8_trim_whitespace(texts), "")) for texts in cells]
            blank |= np.logical_and.reduce(empty)
    chosen = np.flatnonzero(blank)
    # Where many rows lack a key, its blanks tell nothing.
    return chosen if len(chosen) <= max(_MOST_BLANK, len(blank) // 100) else np.zeros(0, np.int64)


def _names_row_above(
    accepted: Accepted, before: str, rows: Sequence[int], words: Sequence[frozenset[str]]
) -> Flags:
    """Return which rows have `words` beside their label, all of which the row above has too."""
    named = np.zeros(len(rows), np.bool_)
    raw = accepted.place.column("raw")
    for place, (row, others) in enumerate(zip(rows, words, strict=True)):
        if others:
            named[place] = others <= _words_of(raw[row - 1].as_py() if row else before)
    return named


def _words_of(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


@lru_cache(2**12)
def label_of(text: str) -> Label | None:
    """Return the label that a cell is, or contains; None for any other cell."""
    word = patterns().word.search(_OTHER.sub("", text))
    if word is None:
        return None
    if patterns().label.match(text) and not _FIRM.search(text):
        return Label(Level.CERTAIN, word[0].lower())
    if patterns().alone.fullmatch(text):
        return Label(Level.ALONE, word[0].lower())
    others = _words_of(patterns().word.sub(" ", text))
    beside = patterns().alone
    others = frozenset(other for other in others if not beside.fullmatch(other))
    return Label(Level.WORD, word[0].lower(), others)


def total_lines(
    feed: FeedSpec,
    chunks: Iterable[Accepted],
    evidence: FormatEvidence,
    labelled: LabelledLines,
    rejected: Sequence[int],
) -> dict[int, str]:
    """Return the numbers of the records that may be totals, each with what speaks for it.

    `chunks` are all accepted records of a delivery; they are iterated several times. `rejected` are the
    numbers of its records that could not be read.
    """
    if not len(labelled):
        return {}
    return _Amounts(feed, chunks, evidence).totals(labelled, rejected)


def with_doubts(records: pa.Table, doubts: Mapping[int, str]) -> pa.Table:
    """Return records with a code and a detail for those of them that may be totals."""
    if not doubts:
        return records
    place = pc.index_in(records.column("record"), value_set=pa.array(doubts, pa.int64()))
    details = pc.take(pa.array(doubts.values(), pa.string()), place)
    codes = pc.if_else(pc.is_valid(details), MAY_BE_TOTAL, pa.scalar(None, pa.string()))
    for name, texts in (("read_code", codes), ("read_detail", details)):
        records = records.set_column(records.schema.get_field_index(name), records.schema.field(name), texts)
    return records


class _Amounts:
    """The amounts of a delivery, in whole numbers of 10^-4, and which of them are readable."""

    def __init__(self, feed: FeedSpec, chunks: Iterable[Accepted], evidence: FormatEvidence) -> None:
        self._feed, self._chunks = feed, chunks
        parts: dict[str, list[_Values]] = {name: [] for name in feed.money_fields}
        numbers: list[Integers] = []
        for chunk in chunks:
            numbers.append(np.asarray(chunk.place.column("record")))
            for name, values in parts.items():
                values.append(_whole(amounts_of(feed, chunk, evidence, name).values))
        self._numbers = np.concatenate(numbers)
        joined = {
            name: _Values(*(np.concatenate(arrays) for arrays in zip(*values, strict=True)))
            for name, values in parts.items()
        }
        self._primary = joined[feed.kind.primary.field]
        self._columns = [values for values in joined.values() if values.known.any()]

    def totals(self, labelled: LabelledLines, rejected: Sequence[int]) -> dict[int, str]:
        """Return the records that may be totals; see `total_lines`."""
        places = np.searchsorted(self._numbers, labelled.numbers)
        is_label = np.zeros(len(self._numbers), np.bool_)
        is_label[places[labelled.levels > Level.BLANK]] = True
        above, below = self._rows_above(places, labelled.levels, is_label)
        # A section of one row: a label alone, or one that names the row; else where other sections have one.
        sums = (above > 0) | (below > 0)
        known = {word for word, is_sum in zip(labelled.words, sums.tolist(), strict=True) if is_sum}
        alike = np.array([word in known for word in labelled.words], np.bool_)
        alike |= (labelled.levels >= Level.ALONE) | labelled.named
        single = alike & ~sums & self._repeats_row_above(places, is_label)
        unsure = self._is_unsure(places, labelled.levels, is_label, rejected)
        why = np.where(labelled.levels == Level.BLANK, _UNNAMED, _NAMED_TOTAL)
        doubts: dict[int, str] = {}
        for text, chosen in (
            (_NAMED, labelled.levels == Level.CERTAIN),
            (_UNSURE, unsure),
        ):
            doubts |= dict.fromkeys(labelled.numbers[chosen].tolist(), text)
        for place in np.flatnonzero(single).tolist():
            doubts[int(labelled.numbers[place])] = f"{why[place]}, and the sum of the row above"
        for counts, where in ((below, "below"), (above, "above")):
            for place in np.flatnonzero(counts).tolist():
                doubts[int(labelled.numbers[place])] = (
                    f"{why[place]}, and the sum of {counts[place]} rows {where}"
                )
        return doubts

    def _rows_above(self, places: Integers, levels: Integers, is_label: Flags) -> tuple[Integers, Integers]:
        """Return of how many rows above, or below, each labelled row has the sum; 0 for none.

        Other labelled rows are left out, or count as the carried totals that they may be, or are all that
        counts, as under a total of subtotals.
        """
        alone = levels >= Level.ALONE
        above, below = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64)
        for values in self._columns:
            for chosen in (~is_label, np.ones(len(is_label), np.bool_), is_label):
                _note(above, _Sums(values, chosen), places, self._amounts_at(places), alone)
            upwards = _Values(values.amounts[::-1], values.known[::-1])
            from_end = len(is_label) - 1 - places
            _note(below, _Sums(upwards, ~is_label[::-1]), from_end, self._amounts_at(places), alone)
        for groups in self._groups() if not above.all() else ():
            for values in self._columns:
                _note(above, _Sums(values, ~is_label, groups), places, self._amounts_at(places))
        return above, below

    def _amounts_at(self, places: Integers) -> list[Integers]:
        """Return the amounts of rows, 0 for none, by column; a total of credits may have no sign."""
        amounts = [np.where(column.known, column.amounts, 0)[places] for column in self._columns]
        return [signed for values in amounts for signed in (values, -values)]

    def _groups(self) -> Iterator[Integers]:
        """Yield the rows divided by each text field with few texts, such as currency or account."""
        for field in self._feed.kind.fields:
            if field.type is FieldType.TEXT and field.name not in self._feed.constants:
                groups, count = self._divided(field.name)
                if 1 < count < min(_MOST_GROUPS, len(self._numbers)):
                    yield groups

    def _divided(self, field: str) -> tuple[Integers, int]:
        """Return for each row the number of its text in a field, and the number of texts."""
        codes: dict[str, int] = {}
        parts = [np.zeros(0, np.int64)]
        for chunk in self._chunks:
            place = chunk.match.columns.get(field)
            if place is None or len(codes) > _MOST_GROUPS:
                return parts[0], 0
            cells = pc.fill_null(chunk.columns[place], "").combine_chunks().dictionary_encode()
            texts = [normal_text(text) for text in cells.dictionary.to_pylist()]
            numbered = np.array([codes.setdefault(text, len(codes)) for text in texts], np.int64)
            parts.append(numbered[np.asarray(cells.indices)])
        return np.concatenate(parts), len(codes)

    def _repeats_row_above(self, places: Integers, is_label: Flags) -> Flags:
        """Return which labelled rows have an amount of the row right above, which has no label.

        With either sign: the primary amount, or that of another column, such as the amount with tax.
        """
        amounts, known = self._primary
        above = np.maximum(places - 1, 0)
        equal = np.zeros(len(places), np.bool_)
        for values in self._columns:
            equal |= values.known[above] & (np.abs(values.amounts[above]) == np.abs(amounts[places]))
        single: Flags = (places > 0) & ~is_label[above] & known[places] & (amounts[places] != 0) & equal
        return single

    def _is_unsure(
        self, places: Integers, levels: Integers, is_label: Flags, rejected: Sequence[int]
    ) -> Flags:
        """Return which rows are named a total where a row since the last such row is not readable."""
        unread = np.searchsorted(np.array(sorted(rejected), np.int64), self._numbers)
        unknown = np.cumsum(~self._primary.known)
        labels = np.flatnonzero(is_label)
        order = np.searchsorted(labels, places)
        previous = np.append(0, labels)[order]
        missing = unread + unknown
        since = missing[places] - np.where(order > 0, missing[previous], 0) - ~self._primary.known[places]
        is_unsure: Flags = (levels >= Level.ALONE) & (since > 0)
        return is_unsure


class _Values(NamedTuple):
    """A column of amounts in whole numbers of 10^-4, and which of them are known."""

    amounts: Integers
    known: Flags


def _whole(texts: pa.Array) -> _Values:
    """Return canonical amounts in whole numbers; further decimals, which spreadsheets make, are rounded."""
    rounded = pc.round(texts.cast(_EXACT), ndigits=_PLACES, round_mode="half_towards_infinity")
    scaled = pc.fill_null(rounded.cast(pa.decimal128(38, _PLACES)), _NONE)
    if isinstance(scaled, pa.ChunkedArray):
        scaled = scaled.combine_chunks()
    # The lower half of each number of 128 bits: what does not fit into 64 is no amount of money.
    halves = np.frombuffer(scaled.buffers()[1], np.int64)[
        2 * scaled.offset : 2 * (scaled.offset + len(scaled))
    ]
    return _Values(halves[::2], np.asarray(pc.is_valid(texts)))


class _Sums:
    """A column of amounts as running sums, to find rows next to another that add up to an amount.

    With `groups`, the rows of one group alone are next to each other.
    """

    def __init__(self, values: _Values, chosen: Flags, groups: Integers | None = None) -> None:
        size = len(values.amounts)
        order = np.arange(size) if groups is None else np.argsort(groups, kind="stable")
        self._place = np.empty(size, np.int64)
        self._place[order] = np.arange(size)
        chosen = (chosen & values.known)[order]
        amounts = np.where(chosen, values.amounts[order], 0)
        # Of all chosen rows before each row.
        self._sums: Integers = np.cumsum(amounts) - amounts
        self._counts: Integers = np.cumsum(chosen) - chosen
        # A sum begins with the first row, or after one with an amount; rows of zero add to the count alone.
        begins = np.append(0, np.flatnonzero(amounts[:-1]) + 1)
        if groups is not None:
            first = np.searchsorted(groups[order], groups[order])
            begins = np.unique(np.append(begins, first))
            # No sum begins in one group and ends in another: those of each are far from all others.
            self._sums = self._sums - self._sums[first] + groups[order] * _FAR
        self._begins = begins[np.lexsort((begins, self._sums[begins]))]
        self._sorted = self._sums[self._begins]

    def count(self, rows: Integers, amounts: Integers, tolerance: int = 0) -> Integers:
        """Return how many rows above each of some rows add up to an amount; 0 if no two or more do.

        With a tolerance, sums of three rows or more differ by no more than half a hundredth per row.
        """
        ends = self._place[rows]
        wanted = self._sums[ends] - amounts
        lowest = np.searchsorted(self._sorted, wanted - tolerance)
        beyond = np.searchsorted(self._sorted, wanted + tolerance, side="right")
        counts = np.zeros(len(rows), np.int64)
        for step in range(_MOST_NEAR):
            places = lowest + step
            within = places < beyond
            if not within.any():
                break
            places = np.minimum(places, len(self._sorted) - 1)
            begins = self._begins[places]
            size: Integers = self._counts[ends] - self._counts[begins]
            fits = within & (begins < ends) & (size >= (_ROUNDED if tolerance else _SEVERAL))
            if tolerance:
                fits &= np.abs(self._sorted[places] - wanted) <= _HALF_CENT * size
            counts = np.where(fits & (counts == 0), size, counts)
        return np.where(amounts == 0, 0, counts)


def _note(
    counts: Integers, sums: _Sums, rows: Integers, amounts: Sequence[Integers], alone: Flags | None = None
) -> None:
    """Note the number of rows of each sum that was not found before; `alone` marks labels that say enough."""
    for values in amounts:
        found = sums.count(rows, values)
        if alone is not None:
            found = np.where((found == 0) & alone, sums.count(rows, values, _NEAR), found)
        counts += np.where(counts == 0, found, 0)
