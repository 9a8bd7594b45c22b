"""Layout of the table: preamble, header lines, width of its records, and marks of a footer.

It works on the cells of sample records as text, after the dialect is known.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from showcost.config.feed import normal_header
from showcost.readers.csv.cell_types import NAME_STARTS, TEXT, TYPED, cell_type, is_placeholder
from showcost.readers.csv.headers import (
    ColumnProfile,
    is_count,
    is_names,
    is_ruler,
    is_units,
    is_words,
    is_year,
    numbers_columns,
)
from showcost.readers.csv.widths import Widths, all_empty, are_names_in_place, find_widths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from showcost.readers.model import Hints

Row = tuple[str, ...]

_TYPED_SHARE: Final = 0.8
_TYPED_SHARE_WITH_HEADINGS: Final = 0.6
_DENSE_SHARE: Final = 0.8
_COUNTED_SHARE: Final = 0.05
_LONGEST_HEADER: Final = 4
_MOST_HEADINGS: Final = 50
_LOOK_AHEAD: Final = 10
_FULL: Final = 0.8
_FAIRLY_FULL: Final = 0.6
_SUM: Final = re.compile(
    r"(?:grand|sub|overall|report|page|net|gross)?[\s-]*totals?\b.*|sum(?:me|ma)?\b.*|gesamt.*|balance\b.*"
    r"|(?:number|count|no\.?) of .*|(?:record|row|line)s?\s*(?:count)?\s*[:=]?.*\d+.*|total(?![^\W\d_]).*",
    re.IGNORECASE,
)
_SUM_ALONE: Final = re.compile(
    r"(?:grand |sub[ -]?|overall )?totals?:?|sum:?|gesamt(?:summe)?:?", re.IGNORECASE
)
_NOTE: Final = re.compile(
    r"(?:\*|notes?\b|sources?\b|end of\b|disclaimer\b|generated\b|report (?:run|generated|date)|printed\b"
    r"|exported\b|prepared\b|page \d|©|\(c\)|this (?:report|file|data|table)\b|all (?:amounts|figures)\b"
    r"|--+|==+|#).*",
    re.IGNORECASE | re.DOTALL,
)
_LONG_NOTE: Final = 60
_PAIR: Final = 2
_LEAST_NAMES: Final = 3


@dataclass(frozen=True)
class Layout:
    """The shape of the table.

    `width` is the number of columns, `columns` are their names as in the header; `header_sure` is
    False when there are fewer or more names than columns, so that names cannot be matched with certainty.
    `widths` are the other numbers of cells of rows. `typed` is the type of each column.
    `values` are the columns in which rows have values, and `plain` the first two whose cells never begin as a
    name does. Record numbers are 1-based; `first_row` is the first record that can be a row.
    """

    width: int
    header_records: tuple[int, ...]
    columns: tuple[str, ...]
    header_sure: bool
    first_row: int
    widths: Widths = field(default_factory=Widths)
    typed: tuple[str, ...] = ()
    values: tuple[int, ...] = ()
    plain: tuple[int, ...] = ()
    assumptions: tuple[str, ...] = ()

    @property
    def header_differs(self) -> bool:
        """True if the header differs from every possible row.

        Rows have values where it has words, or its one line has three names or more and no two alike.
        """
        names = [name.strip() for name in self.columns if name.strip()]
        alone = len(self.header_records) == 1 and len(names) >= _LEAST_NAMES
        return any(kind in TYPED for kind in self.typed) or (alone and len(set(names)) == len(names))

    def fit(self, cells: Sequence[bytes], encoding: str) -> Sequence[bytes] | None:
        """Return the cells of a row, padded or cut to the width of the table; None for a ragged record."""
        count = len(cells)
        if count == self.width:
            return cells
        if count > self.width:
            if count - self.width in self.widths.surplus and not any(
                cell.strip(b" \t") for cell in cells[self.width :]
            ):
                return cells[: self.width]
            return None
        if self.width - count not in self.widths.deficit:
            return None
        completed = [*cells, *([b""] * (self.width - count))]
        texts = [cell.decode(encoding, "replace") for cell in completed]
        return completed if self.widths.short.allow(texts) else None

    def completed(self, row: Row) -> Row:
        """Return a record of the sample with the blank cells that it leaves out at the end."""
        missing = self.width - len(row)
        if missing not in self.widths.deficit:
            return row
        completed = (*row, *([""] * missing))
        return completed if self.widths.short.allow(completed) else row


def is_blank(cells: Iterable[str]) -> bool:
    """Return whether a record has no content at all."""
    return not any(map(str.strip, cells))


def find_layout(head: Sequence[Row], others: Sequence[Row], hints: Hints) -> Layout:
    """Find the table in the first records of a file, with the help of records from later in it.

    `head` holds every record from the first on, malformed ones as empty tuples; `others` are whole
    records from the middle and the end.
    """
    width = _usual_width(head, others, hints)
    head = [*(_respelled(row, width) for row in head[:_MOST_HEADINGS]), *head[_MOST_HEADINGS:]]
    rest = [*head[1:], *others] if len(head) + len(others) > 1 else head
    columns = _columns(rest, width, _TYPED_SHARE_WITH_HEADINGS)
    header = _find_header(head, width, columns, hints)
    first_row = _first_row(head, header, hints, columns)
    body = [row for row in (*head[first_row - 1 :], *others) if row and not is_blank(row)]
    naming = [row for row in (head[number - 1] for number in header) if not _names_nothing(row, columns)]
    names, sure, notes = _name_columns(naming, width, body)
    usual, width = width, _table_width(body, width, names)
    widths = find_widths(body, width)
    if naming and not _is_in_place(naming, body, widths, width):
        sure = False
    columns = [*_columns(body, usual), *([ColumnProfile()] * (width - usual))][:width]
    typed = tuple(column.kind for column in columns)
    layout = Layout(width, header, names, sure, first_row, widths, typed)
    values, plain = _value_columns([layout.completed(row) for row in body], width)
    return replace(layout, values=values, plain=plain, assumptions=(*notes, *widths.notes))


def _is_in_place(naming: Sequence[Row], body: Sequence[Row], widths: Widths, width: int) -> bool:
    """Return whether the rows have no more cells than the header, and some of them as many.

    Otherwise the header may lack a delimiter between two names, and other rows the one at their end.
    """
    if not body:
        return True
    wider = widths.surplus or (len(body[0]) > width and is_blank(body[0][width:]))
    return any(len(row) >= width for row in body) and not (wider and max(map(len, naming)) <= width)


def _value_columns(body: Sequence[Row], width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the columns in which rows have values, and those whose cells never begin as a name does."""
    rows = [row for row in body if len(row) == width and any(cell_type(cell) in TYPED for cell in row)]
    filled = list(map(count_filled, rows))
    full = max(filled, default=0)
    rows = [row for row, count in zip(rows, filled, strict=True) if count * 2 > full]
    least = max(1, _DENSE_SHARE * len(rows))
    columns = [Counter(cells) for cells in zip(*rows, strict=True)] or [Counter[str]()] * width
    values = tuple(n for n, cells in enumerate(columns) if _count_typed(cells) >= least)
    plain = tuple(n for n in values if not any(c and c.encode()[0] in NAME_STARTS for c in columns[n]))
    return values, plain[:_PAIR]  # two are evidence enough, and every row is compared with them


def _count_typed(cells: Counter[str]) -> int:
    """Return how many cells have values; `cells` are the different ones and how often each is there."""
    return sum(count for cell, count in cells.items() if cell_type(cell) in TYPED)


def _table_width(body: Sequence[Row], usual: int, names: Row) -> int:
    """Return the number of cells of a row: as many as there are names, if the rows allow for it."""
    if len(names) > usual:
        return len(names) if any(len(row) == len(names) for row in body) or not body else usual
    return len(names) if all_empty(body, usual, range(len(names), usual)) else usual


def _respelled(row: Row, width: int) -> Row:
    """Split a line of one cell that is a header written with another delimiter than the rest."""
    if len(row) != 1 or width <= _PAIR:
        return row
    splits = [tuple(row[0].split(mark)) for mark in (";", "\t", "|", ",") if row[0].count(mark) == width - 1]
    return splits[0] if len(splits) == 1 and all(cell_type(cell) == TEXT for cell in splits[0]) else row


def _name_columns(lines: Sequence[Row], width: int, body: Sequence[Row]) -> tuple[Row, bool, list[str]]:
    """Return the names of the columns, whether each surely belongs to its column, and the assumptions."""
    if not lines:
        note = "the file has no header: the columns are numbered"
        return tuple(f"col_{number}" for number in range(width)), True, [note]
    names = _join(lines, width)
    notes = []
    if (joined := sum(not is_blank(line) for line in lines)) > 1:
        notes.append(f"{joined} header lines were joined")
    surplus = len(names) - width
    if surplus > 0:
        without = tuple(name for name in names if name.strip())
        if not any(map(str.strip, names[width:])):
            names = names[:width]
        elif len(without) == width:
            names = without
        if len(names) == width:
            sure = names is not without
            return names, sure, [*notes, f"{surplus} empty columns of the header are left out"]
        if are_names_in_place(body, width, len(names)):
            return names, True, notes
    if surplus == 0:
        return names, True, notes
    # Also if the last columns are empty: the header may lack a delimiter between two names.
    notes.append(f"the header has {len(names)} names for {width} columns: they may not belong to each other")
    return names, False, notes


def _usual_width(head: Sequence[Row], others: Sequence[Row], hints: Hints) -> int:
    if hints.header_record and len(head) >= hints.header_record and head[hints.header_record - 1]:
        return len(head[hints.header_record - 1])
    start = hints.skip_records or 0
    rows = [row for row in (*head[start:], *others) if row and not is_blank(row)]
    counts = Counter(len(row) for row in rows)
    if not counts:
        return max((len(row) for row in head), default=1) or 1
    return max(counts.items(), key=lambda item: (item[1] * (1 if item[0] > 1 else 0.5), item[0]))[0]


def _columns(rows: Iterable[Row], width: int, share: float = _TYPED_SHARE) -> list[ColumnProfile]:
    fitting = [row for row in rows if len(row) == width and not is_blank(row)]
    total, counting = len(fitting), sum(map(is_count, fitting))
    # One of them may be the header itself.
    counted = counting > 1 and counting >= _COUNTED_SHARE * total
    columns = zip(*fitting, strict=True) if fitting else [()] * width
    return [_column(Counter(cells), total, share, counted=counted) for cells in columns]


def _column(cells: Counter[str], total: int, share: float, *, counted: bool) -> ColumnProfile:
    """Return the profile of a column; `cells` are its different cells and how often each is there."""
    types, years = Counter[str](), 0
    for cell, count in cells.items():
        if not is_placeholder(cell):
            types[cell_type(cell)] += count
            years += count * is_year(cell.strip())
    filled = sum(count for kind, count in types.items() if kind)
    kind = max((k for k in types if k), key=lambda k: types[k], default=TEXT)
    return ColumnProfile(
        kind if types[kind] >= share * filled else TEXT,
        dense=filled >= _DENSE_SHARE * total,
        years=years * 2 > filled,
        counted=counted,
    )


def count_filled(row: Row) -> int:
    """Return how many cells of a record have content."""
    return sum(map(bool, map(str.strip, row)))


def _find_header(
    head: Sequence[Row], width: int, columns: Sequence[ColumnProfile], hints: Hints
) -> tuple[int, ...]:
    """Return the 1-based numbers of the header lines; () when the first full record is a row."""
    if hints.header_record is not None:
        return (hints.header_record,) if 0 < hints.header_record <= len(head) else ()
    candidates = [i for i in _candidates(head, width, hints) if not _numbers_names_below(head, i, columns)]
    if not candidates:
        return ()
    data = next((i for i in candidates if _is_data(head[i], columns)), None)
    before = [i for i in candidates if data is None or i < data]
    share = _FULL if data is not None else _FAIRLY_FULL
    least = 1 if width == 1 else 2
    words = [i for i in before if count_filled(head[i]) >= least and is_names(head[i], columns)]
    anchor = next(
        (i for i in words if count_filled(head[i]) >= share * _fullest_after(head, candidates, i)), None
    )
    if anchor is None and data is not None:
        anchor = next(reversed(words), None)
    if anchor is None:
        return ()
    above = _lines_above(head, anchor, width, columns)
    below = _lines_below(head, anchor, width, columns)
    return tuple(number + 1 for number in (*above, anchor, *below))


def _fullest_after(head: Sequence[Row], candidates: Sequence[int], index: int) -> int:
    place = candidates.index(index)
    return max(count_filled(head[i]) for i in candidates[place : place + _LOOK_AHEAD])


def _candidates(head: Sequence[Row], width: int, hints: Hints) -> list[int]:
    """Return the indexes of the records that may be the header or the first row of the table."""
    used = max((len(_trimmed(row)) for row in head if len(row) == width), default=width)
    return [
        index
        for index in range(hints.skip_records or 0, len(head))
        if not is_blank(head[index]) and (_about(head[index], width) or len(head[index]) == used)
    ]


def _about(row: Row, width: int) -> bool:
    """Return whether a row has about the width of the table."""
    return len(row) == width or len(_trimmed(row)) == width or len(row) * 2 > width > 1


def _trimmed(row: Row) -> Row:
    end = len(row)
    while end and not row[end - 1].strip():
        end -= 1
    return row[:end]


def _has_values(row: Row, columns: Sequence[ColumnProfile]) -> bool:
    """Return whether the row has values where the table has values."""
    pairs = [(cell, c) for cell, c in zip(row, columns, strict=False) if c.kind in TYPED]
    filled = [(cell, c) for cell, c in pairs if cell.strip()]
    fitting = [(cell, c) for cell, c in filled if cell_type(cell) == c.kind]
    dense = sum(c.dense for _, c in pairs)
    return len(fitting) * 2 > len(filled) and sum(c.dense for _, c in fitting) * 2 >= dense


def _is_data(row: Row, columns: Sequence[ColumnProfile]) -> bool:
    return _has_values(row, columns) and not is_names(row, columns)


def _numbers_names_below(head: Sequence[Row], index: int, columns: Sequence[ColumnProfile]) -> bool:
    """Return whether a line numbers the columns, whose names come next."""
    return numbers_columns(head[index]) and index + 1 < len(head) and is_names(head[index + 1], columns)


def _lines_above(head: Sequence[Row], anchor: int, width: int, columns: Sequence[ColumnProfile]) -> list[int]:
    """Header lines above the fullest one: headings that it needs, to be complete or unambiguous."""
    lines: list[int] = []
    names = [cell.strip() for cell in head[anchor]]
    needed = {c for c, name in enumerate(names) if not name or names.count(name) > 1}
    index = anchor - 1
    while index >= 0 and len(lines) < _LONGEST_HEADER:
        row = head[index]
        here = {column for column, cell in enumerate(row) if cell.strip()}
        if len(row) != width or len(here) < _PAIR or not is_names(row, columns) or not here & needed:
            break
        lines.insert(0, index)
        index -= 1
    return lines


def _lines_below(head: Sequence[Row], anchor: int, width: int, columns: Sequence[ColumnProfile]) -> list[int]:
    """Header lines below the first: words where the table has values, or where the line above is empty."""
    lines: list[int] = []
    filled = {column for column, cell in enumerate(head[anchor]) if cell.strip()}
    valued = {number for number, column in enumerate(columns) if column.kind in TYPED}
    index = anchor + 1
    while index < len(head) and len(lines) < _LONGEST_HEADER:
        row = head[index]
        if is_blank(row) and len(row) == width and not lines and index == anchor + 1:
            index += 1
            continue
        if _names_nothing(row, columns) or (len(row) == width and is_units(row, columns)):
            lines.extend(range(anchor + 1 + len(lines), index + 1))
            index += 1
            continue
        if len(row) != width or not is_words(row) or _has_values(row, columns):
            break
        here = {column for column, cell in enumerate(row) if cell.strip()}
        divided = all(column + 1 in here - filled for column in here & filled)
        completes = len(here) > 1 and here - filled and divided and here & valued
        names_values = len(here & valued) > 1 and valued <= here and len(here) >= len(filled)
        if not completes and not names_values:
            break
        lines.extend(range(anchor + 1 + len(lines), index + 1))
        filled |= here
        index += 1
    return lines


def _names_nothing(row: Row, columns: Sequence[ColumnProfile]) -> bool:
    """Return whether a line below names is drawn, or numbers the columns, where most have words."""
    words = sum(column.kind == TEXT for column in columns)
    return is_ruler(row) or (numbers_columns(row) and words * 2 > len(columns))


def _join(lines: Sequence[Row], width: int) -> Row:
    """Join the header lines into column names; a group heading extends over the empty cells after it."""
    count = max(width, *(len(line) for line in lines)) if len(lines) > 1 else len(lines[0])
    cells = [[line[c] if c < len(line) else "" for c in range(count)] for line in lines]
    parts: list[list[str]] = [[] for _ in range(count)]
    for level, line in enumerate(cells):
        heading = ""
        for column, own in enumerate(line):
            below = any(other[column].strip() for other in cells[level + 1 :])
            if own.strip():
                heading = own
            elif not below or any(upper[column].strip() for upper in cells[:level]):
                heading = ""
            if own.strip() or (heading and count_filled(tuple(line)) > 1):
                parts[column].append(heading)
    return tuple(part[0] if len(part) == 1 else " ".join(map(str.strip, part)) for part in parts)


def _first_row(
    head: Sequence[Row], header: Sequence[int], hints: Hints, columns: Sequence[ColumnProfile]
) -> int:
    """Return the number of the first record that can be a row; without a header, earlier lines are sparse."""
    if header:
        return header[-1] + 1
    skip = hints.skip_records or 0
    if hints.header_record == 0 or hints.skip_records is not None:
        return skip + 1
    candidates = _candidates(head, len(columns), hints)
    data = next((i for i in candidates if _has_values(head[i], columns)), None)
    if data is None:
        return candidates[0] + 1 if candidates else len(head) + 1
    full = count_filled(head[data])
    return next((i for i in candidates if count_filled(head[i]) * 2 > full), data) + 1


def begins_table(cells: Sequence[str], layout: Layout) -> bool:
    """Return whether a record within the table can only be the header of another table.

    It has three names or more, from the first column on, all words and no two alike; one of them at least
    is where the rows have values, or where this table has the same name.
    """
    names = {column: cell.strip() for column, cell in enumerate(cells) if cell.strip()}
    return (
        len(names) >= _LEAST_NAMES
        and 0 in names
        and all(cell_type(name) == TEXT and not is_placeholder(name) for name in names.values())
        and len(set(names.values())) == len(names)
        and any(
            kind in TYPED or normal_header(own) == normal_header(names[column])
            for column, (kind, own) in enumerate(zip(layout.typed, layout.columns, strict=False))
            if column in names
        )
    )


def names_total(label: str) -> bool:
    """Return whether a text is a label of a total or of a balance."""
    return _SUM.fullmatch(label) is not None or "balance" in label.lower()


def label_of(cells: Sequence[str]) -> str:
    """Return the label of a total: the first filled cell, in normal form."""
    return normal_header(next((cell for cell in cells if cell.strip()), ""))


def is_total(cells: Sequence[str], layout: Layout, *, full: int, repeats: bool) -> bool:
    """Return whether one of the last records is a total rather than a row.

    `full` is the usual number of filled cells of a row; with `repeats`, rows of the table itself
    have the same filled cells, so that only an unmistakable total is not a row.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or layout.width == 1:
        return False
    labels = [cell for cell in filled if cell_type(cell) == TEXT]
    if labels:
        sparse = len(filled) * 2 <= full
        alone = _SUM_ALONE.fullmatch(filled[0]) is not None and _lacks_cells(filled, layout, full)
        return any(_SUM.fullmatch(label) for label in labels[:2]) and (sparse or alone)
    return (
        len(filled) * 3 <= full
        and not repeats
        and len(cells) == layout.width
        and _under_values(cells, layout)
    )


def is_note(cells: Sequence[str], layout: Layout, *, repeats: bool) -> bool:
    """Return whether one of the last records is a note rather than a row; `repeats` as for a total."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len(filled) != 1 or layout.width <= _PAIR or repeats:
        return False
    if cell_type(filled[0]) != TEXT:
        return False
    return _NOTE.fullmatch(filled[0]) is not None or (
        len(cells) == layout.width and len(filled[0]) > _LONG_NOTE
    )


def _lacks_cells(filled: Sequence[str], layout: Layout, full: int) -> bool:
    return layout.width == _PAIR or len(filled) < full


def _under_values(cells: Sequence[str], layout: Layout) -> bool:
    """Return whether the filled cells are values in columns of values, as the sums under them are."""
    return all(
        cell_type(cell) == kind and kind in TYPED
        for cell, kind in zip(cells, layout.typed, strict=False)
        if cell.strip()
    )
