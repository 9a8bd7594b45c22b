"""Posting: the valid rows of a feed's partitions become entries of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from showcost.ledger.candidates import Terms
from showcost.ledger.digest import partition_hashes
from showcost.ledger.posting import CHUNK_ROWS, post
from showcost.ledger.queries import balances
from showcost.ledger.store import Ledger
from showcost.stages.names import valid_asset
from showcost.staging import StagingStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home


@dataclass(frozen=True)
class PostedDay:
    """The entries of a feed on one date: all there are, how many were appended now, and their sums.

    `totals` are (currency, amount, base amount); `digest` covers this feed's entries of the date.
    """

    entries: int
    appended: int
    base_currency: str
    totals: tuple[tuple[str, Decimal, Decimal], ...]
    digest: str


def terms_of(home: Home, feed: FeedSpec) -> Terms:
    """Return what all rows of a feed's postings have in common."""
    production = home.production
    return Terms(production.code, production.base_currency, feed.name, feed.record_kind)


def stage_posted(
    home: Home, feed: FeedSpec, dates: Sequence[date], run_id: str, chunk_rows: int = CHUNK_ROWS
) -> dict[date, PostedDay]:
    """Post the valid rows of the partitions and return what the ledger then has of each."""
    ledger = Ledger(home.ledger)
    store = StagingStore(home.path)
    keys = [day.isoformat() for day in dates]
    filled = [key for key in keys if (staged := store.metadata(valid_asset(feed.name), key)) and staged.rows]
    results = post(
        ledger,
        terms_of(home, feed),
        store.verified_paths(valid_asset(feed.name), filled),
        partition_dates=dates,
        run_id=run_id,
        clock=lambda: datetime.now(UTC),
        chunk_rows=chunk_rows,
    )
    appended = {result.partition_date: result.appended_entries for result in results}
    ledger.create()
    with ledger.read() as connection:
        sums = balances(connection, dates[0], dates[-1], feed.name).to_pylist()
        hashes = partition_hashes(
            connection,
            f"ledger_entries WHERE feed = '{feed.name}' "
            f"AND transaction_date BETWEEN DATE '{dates[0]}' AND DATE '{dates[-1]}'",
        )
    totals: dict[date, list[tuple[str, Decimal, Decimal]]] = {day: [] for day in dates}
    for row in sums:
        totals[row["transaction_date"]].append((row["currency"], row["amount"], row["base_amount"]))
    base = home.production.base_currency
    none = (0, "")
    return {
        day: PostedDay(
            entries=hashes.get(day, none)[0],
            appended=appended.get(day, 0),
            base_currency=base,
            totals=tuple(totals[day]),
            digest=hashes.get(day, none)[1],
        )
        for day in dates
    }
