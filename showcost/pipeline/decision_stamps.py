"""Stamps: the decisions with which each partition was made.

A decision may move a row to another date, and may change the outcome of other rows: of its key, and of its
cost in another feed. So each staged partition names the decisions that it was made with as *stamps*: one for
each decided row that is or was delivered in it (`<row id>:<audit record>`), and one for each of its other
rows with the key or the cost of a decided row (`<row id>:<audit record>+<id of the other row>`). A partition
whose stamps differ from the expected ones is due.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.engine import engine
from showcost.core.ids import DOCUMENT_DIGITS, ROW_ID_SQL
from showcost.ingest.landing import landed
from showcost.ledger.decisions import APPLIED, decision_effects
from showcost.pipeline.applied_decisions import decisions_of_feeds, key_places, places_table
from showcost.pipeline.identity_rows import feeds_of_costs, identity_rows, records_at
from showcost.staging import ALL
from showcost.validation.same_costs import related_documents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.workspace import Workspace

_STAMPS: Final = f"""
WITH decided AS (SELECT row_id, delivery, record, seq FROM effects),
placed AS (
    SELECT files.delivery, places.record, places.row_key, places.transaction_date
    FROM read_parquet($paths, filename = true) AS places JOIN files ON files.path = places.filename
    UNION ALL SELECT delivery, record, row_key, transaction_date FROM corrected
), own AS (
    SELECT decided.*, row_key, transaction_date FROM decided JOIN placed USING (delivery, record)
), related AS (
    SELECT own.row_id, own.seq, placed.transaction_date, placed.feed, placed.delivery, placed.record
    FROM own JOIN (SELECT *, $feed AS feed FROM placed) AS placed
        ON own.row_key[:{DOCUMENT_DIGITS}] = placed.row_key[:{DOCUMENT_DIGITS}]
    WHERE (own.delivery, own.record) <> (placed.delivery, placed.record)
        AND placed.transaction_date IS NOT NULL
)
SELECT DISTINCT transaction_date, row_id || ':' || seq AS stamp FROM own
UNION SELECT DISTINCT transaction_date, row_id || ':' || seq || '+' || {ROW_ID_SQL} FROM related
ORDER BY ALL
"""  # noqa: S608 - constants only


def stamps_by_partition(
    workspace: Workspace, feed: FeedSpec, decisions: FeedDecisions, of_feeds: pa.Table | None = None
) -> dict[str, list[str]]:
    """Return the stamps that each partition must have (a date, or `all` for the undated rows), sorted.

    `of_feeds` are the effects of all decisions on rows of any feed; None: they are read from the ledger.
    """
    stamps: dict[str, set[str]] = {}
    places = key_places(workspace, feed) if decisions.effects.num_rows else {}
    if places:
        with engine() as connection:
            connection.register("effects", decisions.effects)
            connection.register("corrected", decisions.corrected)
            connection.register("files", places_table(places))
            parameters = {"paths": [str(path) for path in places.values()], "feed": feed.name}
            for day, stamp in connection.execute(_STAMPS, parameters).fetchall():
                stamps.setdefault(day.isoformat() if day else ALL, set()).add(stamp)
    for part, others in _same_cost_stamps(workspace, feed, of_feeds).items():
        stamps.setdefault(part, set()).update(others)
    return {part: sorted(texts) for part, texts in stamps.items()}


class _Stamps(NamedTuple):
    """The stamps per feed and partition, and the landed records and decisions that they follow from."""

    inputs: tuple[str, ...]
    stamps: Mapping[str, Mapping[str, frozenset[str]]]


_LATEST: Final[dict[Path, _Stamps]] = {}
"""The stamps found last, by data folder: sensors and runs ask for those of every feed."""


def _same_cost_stamps(
    workspace: Workspace, feed: FeedSpec, effects: pa.Table | None
) -> Mapping[str, frozenset[str]]:
    """Return the stamps of rows whose cost a decided row has too, by partition."""
    if feed.kind.identity is None:
        return {}
    if effects is None:
        with workspace.ledger.read() as connection:
            effects = decision_effects(connection)
    feeds = feeds_of_costs(workspace)
    effects = effects.filter(pc.is_in(effects.column("feed"), pa.array([other.name for other in feeds])))
    if not effects.num_rows:
        return {}
    inputs = (
        *(delivery.records for other in feeds for delivery in landed(workspace, other)),
        *(f"{row['row_id']}:{row['seq']}" for row in effects.select(["row_id", "seq"]).to_pylist()),
    )
    known = _LATEST.get(workspace.path)
    if known is None or known.inputs != inputs:
        known = _Stamps(inputs, _related_stamps(workspace, feeds, effects))
        _LATEST[workspace.path] = known
    return known.stamps.get(feed.name, {})


def _related_stamps(
    workspace: Workspace, feeds: Sequence[FeedSpec], effects: pa.Table
) -> dict[str, dict[str, frozenset[str]]]:
    """Return the stamps of all rows that share a cost with decided rows, as delivered and as corrected."""
    decisions = decisions_of_feeds(workspace, feeds)
    found: dict[str, dict[str, set[str]]] = {}
    for corrected in (
        {name: decided.corrected for name, decided in decisions.items()},
        {name: decided.superseded for name, decided in decisions.items()},
    ):
        mine = {}
        for feed in feeds:
            own = effects.filter(pc.equal(effects.column("feed"), feed.name))
            if own.num_rows:
                places = list(
                    zip(own.column("delivery").to_pylist(), own.column("record").to_pylist(), strict=True)
                )
                mine[feed.name] = records_at(workspace, feed, places, corrected[feed.name])
        lines = identity_rows(workspace, feeds, corrected, mine)
        for feed_name, day, stamp in related_documents(lines).stamps(effects):
            found.setdefault(feed_name, {}).setdefault(day.isoformat(), set()).add(stamp)
    return {name: {day: frozenset(texts) for day, texts in days.items()} for name, days in found.items()}


def replay_stamps(staged: Sequence[str], expected: Sequence[str], row_ids: set[str]) -> list[str]:
    """Return a partition's stamps after a replay: the expected ones for replayed rows, else as staged."""
    kept = [stamp for stamp in staged if stamped_row(stamp) not in row_ids]
    return sorted([*kept, *(stamp for stamp in expected if stamped_row(stamp) in row_ids)])


def applied_decisions(stamps: Mapping[str, Sequence[str]]) -> pa.Table:
    """Return the decisions on rows that dates were made with (`ledger.decisions.APPLIED`); stamps by date."""
    own = [
        (date.fromisoformat(part), *stamp.split(":"))
        for part, texts in stamps.items()
        for stamp in texts
        if "+" not in stamp
    ]
    days, rows, seqs = zip(*own, strict=True) if own else ((), (), ())
    return pa.table([days, rows, [int(seq) for seq in seqs]], schema=APPLIED)


def stamped_row(stamp: str) -> str:
    """Return the id of the row of the partition that a stamp is about."""
    decided, _, other = stamp.partition("+")
    return other or decided.partition(":")[0]
