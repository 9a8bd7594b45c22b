"""Rivals: unposted rows that a partition's rows repeat, with the records that they were read from.

A feed's settings may change, and its deliveries are read again. A row that was a repetition of one of them
may be none any more, in another partition or feed, whose own records are as before. So each validated
partition names its rivals and the sha256 of their records; it is due when these change. But a rival that was
posted as something else stays what was posted, until its entries are corrected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.arrow import query
from showcost.core.engine import engine
from showcost.ingest.landing import landed
from showcost.ledger.queries import active_places, posted_keys
from showcost.pipeline.identity_rows import feeds_of_costs
from showcost.staging.assets import records_asset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.workspace import Workspace

_BY_DATE: Final = """
SELECT DISTINCT transaction_date, holder_feed, holder_delivery, holder_record
FROM same JOIN rows USING (delivery, record) WHERE NOT holder_posted ORDER BY ALL
"""


def rivals_by_date(workspace: Workspace, same: pa.Table, rows: pa.Table) -> dict[date, list[str]]:
    """Return the rivals of rows per date, as text; `same` has the columns of `same_costs.SAME_COSTS`."""
    rivals: dict[date, list[str]] = {}
    if not same.num_rows:
        return rivals
    records = _records(workspace)
    places = rows.select(["transaction_date", "delivery", "record"])
    for row in query(_BY_DATE, same=same, rows=places).to_pylist():
        feed, delivery, record = (row[f"holder_{name}"] for name in ("feed", "delivery", "record"))
        text = f"{feed} {delivery} {record} {records.get((feed, delivery), '')}"
        rivals.setdefault(row["transaction_date"], []).append(text)
    return rivals


def are_outdated(workspace: Workspace, rivals: Sequence[str]) -> bool:
    """Return whether one of these rivals was read again with other records, and is not posted as before."""
    if not rivals:
        return False
    records = _records(workspace)
    changed: dict[str, set[tuple[str, int]]] = {}
    for text in rivals:
        feed, delivery, record, sha256 = text.split(" ")
        if records.get((feed, delivery), "") != sha256:
            changed.setdefault(feed, set()).add((delivery, int(record)))
    return any(_is_another(workspace, feed, places) for feed, places in sorted(changed.items()))


def _is_another(workspace: Workspace, feed: str, places: set[tuple[str, int]]) -> bool:
    """Return whether a row of a feed (delivery, record) is not posted, or by the key that it has now."""
    table = pa.table(
        {
            "feed": pa.repeat(pa.scalar(feed), len(places)),
            "delivery": pa.array([delivery for delivery, _ in places], pa.string()),
            "record": pa.array([record for _, record in places], pa.int64()),
        }
    )
    keys = _keys(workspace, feed, table)
    with workspace.ledger.read() as connection:
        posted = _places(active_places(connection, table))
        as_now = _places(posted_keys(connection, feed, keys))
    return any(place not in posted or place in as_now for place in places)


def _keys(workspace: Workspace, feed: str, places: pa.Table) -> pa.ChunkedArray:
    """Return the keys that rows have in the records as they are read now."""
    store, asset = workspace.staging, records_asset(feed)
    present = [name for name in set(places.column("delivery").to_pylist()) if store.metadata(asset, name)]
    if not present:
        return pa.chunked_array([], pa.string())
    with engine() as connection:
        connection.register("places", places)
        found = connection.sql(
            "SELECT row_key FROM read_parquet($paths) SEMI JOIN places USING (delivery, record)",
            params={"paths": [str(path) for path in store.verified_paths(asset, present)]},
        ).to_arrow_table()
    return found.column("row_key")


def _places(rows: pa.Table) -> set[tuple[str, int]]:
    return {(row["delivery"], row["record"]) for row in rows.select(["delivery", "record"]).to_pylist()}


def _records(workspace: Workspace) -> dict[tuple[str, str], str]:
    """Return the sha256 of the records of each delivery of a feed of costs."""
    return {
        (feed.name, delivery.arrival.delivery): delivery.records
        for feed in feeds_of_costs(workspace)
        for delivery in landed(workspace, feed)
    }
