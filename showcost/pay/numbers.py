"""Exact whole numbers for pay: amounts, rates and hours in millionths, times in minutes of UTC.

Decimals of Arrow become int64 without a copy of a digit; a product that int64 cannot hold is computed
with Python's integers instead. No floating point number is used anywhere.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from showcost.values.times import parse_times

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

ONE: Final = 1_000_000
"""The whole number for 1: an hour, a dollar, a unit of the rate."""

TENTHS: Final = 10
"""Multiples of the rate are counted in tenths."""

MOST: Final = int(np.iinfo(np.int64).max)

NO_DAY: Final = int(np.iinfo(np.int32).min)
"""The day of a row whose date is blank or cannot be read."""

_PLACES: Final = 6
_LOW, _WORDS_PER_VALUE = 0, 2
MINUTES_A_DAY: Final = 1_440
_MICROS_A_MINUTE: Final = 60_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


def whole(value: Decimal) -> int:
    """Return a decimal in millionths; ValueError when it has more than six decimals."""
    scaled = value.scaleb(_PLACES)
    if scaled != int(scaled):
        raise ValueError(f"at most {_PLACES} decimals, not {value}")
    return int(scaled)


def millionths(column: pa.ChunkedArray, most: int = MOST // 1_000) -> Ints:
    """Return a decimal column in millionths, 0 where null.

    Values beyond `most` (about nine thousand million by default) are reduced to it, so that sums and
    multiples stay exact; no pay or hours of a row are that large.
    """
    array = _one_chunk(column)
    words = np.frombuffer(array.buffers()[1] or b"", dtype="<i8")
    words = words[array.offset * _WORDS_PER_VALUE : (array.offset + len(array)) * _WORDS_PER_VALUE]
    low, high = words[_LOW::_WORDS_PER_VALUE], words[1::_WORDS_PER_VALUE]
    factor = 10 ** (_PLACES - array.type.scale)
    fits = (high == low >> 63) & (np.abs(low) <= MOST // factor)
    value: Ints = np.where(fits, low, np.where(high < 0, -(MOST // factor), MOST // factor)) * factor
    value = np.clip(value, -most, most)
    if not array.null_count:
        return value
    given: Ints = np.where(np.asarray(pc.is_valid(array)), value, 0)
    return given


def product(left: Ints, right: Ints) -> Ints:
    """Return an exact product, in Python's integers where int64 would overflow."""
    beyond = np.abs(left) > MOST // np.maximum(np.abs(right), 1)
    if beyond.any():
        exact: Ints = left.astype(object) * right.astype(object)
        return exact
    return left * right


def days_of(column: pa.ChunkedArray) -> Ints:
    """Return dates as days since 1970-01-01; `NO_DAY` for a null."""
    return np.asarray(pc.fill_null(column.cast(pa.int32()), NO_DAY)).astype(np.int64)


def day_number(day: date) -> int:
    """Return a date as days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def last_day(end: date | None) -> int:
    """Return an end date as days since 1970-01-01; the largest number for none."""
    return MOST if end is None else day_number(end)


def minutes_of(column: pa.ChunkedArray) -> Ints:
    """Return times of day in minutes since midnight; -1 for a blank or invalid one."""
    micros = parse_times(column).values.cast(pa.int64())
    return np.asarray(pc.fill_null(pc.divide(micros, _MICROS_A_MINUTE), -1)).astype(np.int64)


def utc_minutes(days: Ints, minutes: Ints, zones: Ints, names: list[str]) -> Ints:
    """Return the UTC minutes since 1970 of wall times: a day, minutes after its midnight, and a zone.

    `zones` number `names`. Minutes may run into the next days. A wall time that a clock change repeats
    is the first of the two, one that it skips is the time after the gap. Each zone and day is looked up
    once, and each time of a day on which the clocks change.
    """
    day, minute = days + minutes // MINUTES_A_DAY, minutes % MINUTES_A_DAY
    wall = day * MINUTES_A_DAY + minute
    before = _looked_up(zones, day * MINUTES_A_DAY, names)
    after = _looked_up(zones, (day + 1) * MINUTES_A_DAY, names)
    offset = before
    changing = np.flatnonzero(before != after)
    if len(changing):
        offset = before.copy()
        offset[changing] = _looked_up(zones[changing], wall[changing], names)
    return wall - offset


def _looked_up(zones: Ints, walls: Ints, names: list[str]) -> Ints:
    """Return the offsets from UTC, in minutes, of wall times; each distinct one is looked up once."""
    if not len(zones):
        return np.zeros(0, np.int64)
    keys = walls * len(names) + zones
    distinct, places = distinct_of(keys)
    offsets = [_offset(ZoneInfo(names[key % len(names)]), key // len(names)) for key in distinct.tolist()]
    return np.array(offsets, np.int64)[places]


def _offset(zone: ZoneInfo, wall: int) -> int:
    day, minute = divmod(wall, MINUTES_A_DAY)
    moment = datetime.fromordinal(day + _EPOCH).replace(tzinfo=zone) + timedelta(minutes=minute)
    return (moment.utcoffset() or timedelta()) // timedelta(minutes=1)


def as_slice(rows: Ints) -> Ints | slice:
    """Return ascending places as a slice where they are contiguous, so that columns are not copied."""
    beside = len(rows) and rows[-1] - rows[0] + 1 == len(rows)
    return slice(int(rows[0]), int(rows[-1]) + 1) if beside else rows


def distinct_of(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values and the place of each value among them."""
    encoded = pa.array(values).dictionary_encode()
    return np.asarray(encoded.dictionary), np.asarray(encoded.indices).astype(np.int64)


def per_distinct(values: Ints, tell: Callable[[int], str]) -> pa.Array:
    """Return a text for each value, made once per distinct value."""
    encoded = pa.array(values, pa.int64() if values.dtype != object else None).dictionary_encode()
    texts = pa.array([tell(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pc.take(texts, encoded.indices)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
