"""Times of day, alone in a cell or after a date.

`9:05`, `09:05:30`, `09:05:30.250`, `9:05 PM`; hours 0 to 23, or 1 to 12 with AM or PM. Neither `24:00`
nor a leap second is a time of day here. All are wall time: the text does not give the zone.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from showcost.values.column import DistinctTexts

_FORM = r"[0-9]{1,2}:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?(?: ?[ap]\.?m\.?)?"
_ZONE = r"z|utc|gmt|[+-][0-9]{2}:?[0-9]{2}"
_AFTER_DATE = rf"^(?P<date>.*?)(?:(?:t|,? +)(?P<time>{_FORM})(?: ?(?P<zone>{_ZONE}))?)?$"
_PARTS = (
    r"^(?P<hour>[0-9]{1,2}):(?P<minute>[0-5][0-9])"
    r"(?::(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]{1,9}))?)?(?: ?(?P<half>[ap])\.?m\.?)?$"
)
_MICROS_A_SECOND = 1_000_000
_MICRO_DIGITS = 6
_NOON = 12
_HOURS = 24


@dataclass(frozen=True)
class TimeColumn:
    """The times of a column.

    `values` is time64[us], digits beyond the microsecond dropped; `problem` is null, "blank" or "invalid".
    """

    values: pa.Array
    problem: pa.Array


def parse_times(column: pa.Array | pa.ChunkedArray) -> TimeColumn:
    """Parse a column of times of day; each cell is unambiguous, so no evidence is needed."""
    cells = DistinctTexts.of(column)
    micros = micros_of_day(pc.utf8_lower(cells.texts))
    problem = pc.if_else(pc.is_valid(micros), pa.scalar(None, pa.string()), "invalid")
    problem = pc.if_else(pc.equal(cells.texts, ""), "blank", problem)
    return TimeColumn(values=cells.spread(micros.cast(pa.time64("us"))), problem=cells.spread(problem))


def split_after_date(texts: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Split texts in lower case into the date, the time and the zone after it, each empty where absent."""
    groups = pc.extract_regex(texts, _AFTER_DATE)
    date, time, zone = (pc.fill_null(pc.struct_field(groups, name), "") for name in ("date", "time", "zone"))
    return pc.if_else(pc.is_valid(groups), date, texts), time, zone


def micros_of_day(texts: pa.Array) -> pa.Array:
    """Return the microseconds since midnight (int64) of texts in lower case, null for any other text."""
    groups = pc.extract_regex(texts, _PARTS)
    hour, half = _number(groups, "hour"), pc.struct_field(groups, "half")
    in_half = pc.and_(pc.greater_equal(hour, 1), pc.less_equal(hour, _NOON))
    of_half = pc.add(pc.if_else(pc.equal(hour, _NOON), 0, hour), pc.if_else(pc.equal(half, "p"), _NOON, 0))
    whole_day = pc.equal(half, "")
    valid = pc.if_else(whole_day, pc.less(hour, _HOURS), in_half)
    hour = pc.if_else(valid, pc.if_else(whole_day, hour, of_half), pa.scalar(None, pa.int64()))
    seconds = pc.add(
        pc.multiply(pc.add(pc.multiply(hour, 60), _number(groups, "minute")), 60), _number(groups, "second")
    )
    padded = pc.utf8_rpad(pc.struct_field(groups, "fraction"), width=_MICRO_DIGITS, padding="0")
    fraction = pc.utf8_slice_codeunits(padded, 0, _MICRO_DIGITS).cast(pa.int64())
    return pc.add(pc.multiply(seconds, _MICROS_A_SECOND), fraction)


def _number(groups: pa.Array, group: str) -> pa.Array:
    """Return a group as int64; an absent group counts as zero."""
    digits = pc.struct_field(groups, group)
    return pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64())
