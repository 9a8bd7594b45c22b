"""The rows that stand in the ledger: posted and not reversed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.ledger.moments import known_entries, stands
from showcost.ledger.store import Ledger

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home

_STANDING: Final = f"""
WITH known AS (FROM {{entries}})
SELECT DISTINCT delivery, record FROM known
WHERE feed = $feed AND {stands("known")}
"""  # noqa: S608 - a condition of our own

_ROWS: Final = pa.schema([("delivery", pa.string()), ("record", pa.int64())])


def standing_rows(home: Home, feed: FeedSpec, as_of: int | None = None) -> pa.Table:
    """Return delivery and record of a feed's rows that stand, as known after an audit record, or now."""
    ledger = Ledger(home.ledger)
    if not ledger.exists():
        return _ROWS.empty_table()
    with ledger.read() as connection:
        found = connection.sql(
            _STANDING.format(entries=known_entries(as_of)), params={"feed": feed.name}
        ).to_arrow_table()
    return found.cast(_ROWS)
