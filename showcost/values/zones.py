"""Moments with a zone, as the wall time of a place.

`2026-10-05T23:30:00-07:00` is 6 October in Berlin. The offset stands in the cell, the place comes from the
feed, the location or the production; without a place, a moment has no date.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MICROS_A_MINUTE: Final = 60_000_000
_QUARTER: Final = 15 * 60
"""Seconds: clocks are changed at full quarters of an hour."""
_MOST_HOURS: Final = 15
_OFFSET: Final = r"^(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-5][0-9])$"


def offset_micros(zones: pa.Array) -> pa.Array:
    """Return the microseconds east of UTC (int64) of zone texts in lower case, null for any other text."""
    groups = pc.extract_regex(zones, _OFFSET)
    hours, minutes = (pc.struct_field(groups, part).cast(pa.int64()) for part in ("hours", "minutes"))
    size = pc.multiply(pc.add(pc.multiply(hours, 60), minutes), _MICROS_A_MINUTE)
    size = pc.if_else(pc.less(hours, _MOST_HOURS), size, pa.scalar(None, pa.int64()))
    signed = pc.if_else(pc.equal(pc.struct_field(groups, "sign"), "-"), pc.negate(size), size)
    return pc.if_else(pc.is_in(zones, value_set=pa.array(["z", "utc", "gmt"])), 0, signed)


def local_stamps(stamps: pa.Array, offsets: pa.Array, places: pa.Array | str) -> pa.Array:
    """Return the wall time (timestamp[us]) at each place of stamps with an offset from UTC.

    `places` are names of the IANA database, for each row or for all; null where a place is null or unknown,
    and where the stamp or the offset is null.
    """
    moments = pc.subtract(stamps.cast(pa.int64()), offsets)
    result = pa.nulls(len(stamps), pa.timestamp("us"))
    names = [places] if isinstance(places, str) else pc.unique(places).drop_null().to_pylist()
    for name in names:
        local = pc.add(moments, _utc_offsets(moments, name)).cast(pa.timestamp("us"))
        here = pa.scalar(True) if isinstance(places, str) else pc.fill_null(pc.equal(places, name), False)
        result = pc.if_else(here, local, result)
    return result


def known_places(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the texts that are names of the IANA database, and null for the others."""
    names = pa.array([name for name in pc.unique(texts).drop_null().to_pylist() if _zone(name)], pa.string())
    return pc.if_else(pc.is_in(texts, value_set=names), texts, pa.scalar(None, pa.string()))


@lru_cache(256)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name.strip())
    except (KeyError, ValueError, OSError):
        return None


def _utc_offsets(moments: pa.Array, name: str) -> pa.Array:
    """Return the microseconds that a place is ahead of UTC at each moment; null for an unknown place."""
    zone = _zone(name)
    if zone is None:
        return pa.nulls(len(moments), pa.int64())
    valid = np.asarray(pc.is_valid(moments))
    numbers = np.asarray(pc.fill_null(moments, 0))
    quarters, places = np.unique(numbers // (_QUARTER * 1_000_000), return_inverse=True)
    ahead = np.array([_ahead(quarter, zone) for quarter in quarters.tolist()], np.int64)
    return pa.array(ahead[places] if len(quarters) else ahead, pa.int64(), mask=~valid)


def _ahead(quarter: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * 1_000_000
