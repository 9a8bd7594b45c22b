"""The same cost in several feeds: the rows that a feed's rows may repeat, and which of them precede.

Only the fields that identify a cost are read from the records of other feeds, and all fields only of the few
rows that others may repeat. What repeats what is decided in `validation.same_costs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.ledger.queries import active_places
from showcost.pipeline.applied_decisions import decisions_of_feeds
from showcost.pipeline.identity_rows import feeds_of_costs, identity_rows
from showcost.pipeline.periods import current_production
from showcost.pipeline.raw_rows import chosen_records, rows_of_days
from showcost.validation.duplicates import CONFLICT, DUPLICATE
from showcost.validation.same_costs import ALIKE, PRECEDENCE, SAME_COSTS, related_documents
from showcost.validation.validate import sound_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.feed import FeedSpec
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.workspace import Workspace

_CODES: Final = frozenset({DUPLICATE, CONFLICT, ALIKE})


def same_costs(workspace: Workspace, feed: FeedSpec, rows: pa.Table, decisions: FeedDecisions) -> pa.Table:
    """Return the dated raw rows of a feed that repeat a row of any feed (`SAME_COSTS`), other than by key.

    A row that a person accepted in spite of it is left out.
    """
    if feed.kind.identity is None or not rows.num_rows:
        return SAME_COSTS.empty_table()
    others_than_own = [other for other in feeds_of_costs(workspace) if other.name != feed.name]
    feeds = [*others_than_own, feed]
    decided = {**decisions_of_feeds(workspace, others_than_own), feed.name: decisions}
    corrected = {name: decision.corrected for name, decision in decided.items()}
    lines = identity_rows(workspace, feeds, corrected, {feed.name: rows})
    if not lines.num_rows:
        return SAME_COSTS.empty_table()
    documents = related_documents(lines)
    others = documents.others
    if not others.num_rows:
        return SAME_COSTS.empty_table()
    precedence = _precedence(workspace, feeds, decided, others)
    claims = documents.claims(precedence, duplicate=DUPLICATE, conflict=CONFLICT)
    return _not_accepted(claims, decisions.effects)


def _not_accepted(claims: pa.Table, effects: pa.Table) -> pa.Table:
    """Return the claims of rows that no person accepted."""
    accepted = {
        (row["delivery"], row["record"])
        for row in effects.select(["delivery", "record", "codes"]).to_pylist()
        if _CODES & set(row["codes"])
    }
    if not accepted:
        return claims
    places = zip(claims.column("delivery").to_pylist(), claims.column("record").to_pylist(), strict=True)
    return claims.filter(pa.array([place not in accepted for place in places], pa.bool_()))


def _precedence(
    workspace: Workspace,
    feeds: Sequence[FeedSpec],
    decided: dict[str, FeedDecisions],
    others: pa.Table,
) -> pa.Table:
    """Return which of the other rows are posted, and which of the rest are sound (`PRECEDENCE`)."""
    with workspace.ledger.read() as connection:
        posted = active_places(connection, others)
    always = pa.repeat(pa.scalar(True), posted.num_rows)
    known = posted.append_column("posted", always).append_column("holds", always)
    parts = [PRECEDENCE.empty_table(), known.select(PRECEDENCE.names).cast(PRECEDENCE)]
    rest = others.join(posted, ["feed", "delivery", "record"], join_type="left anti")
    for feed in feeds:
        chosen = rest.filter(pc.equal(rest.column("feed"), feed.name))
        if not chosen.num_rows:
            continue
        places = list(
            zip(chosen.column("delivery").to_pylist(), chosen.column("record").to_pylist(), strict=True)
        )
        records = chosen_records(workspace, feed, places, decided[feed.name].corrected)
        days = sorted(set(records.column("transaction_date").drop_null().to_pylist()))
        sound = sound_rows(
            records,
            feed=feed,
            production=current_production(workspace),
            chart=workspace.chart,
            decided=decided[feed.name].for_validation,
            agreements=workspace.agreements,
            day_rows=rows_of_days(workspace, feed, days, decided[feed.name]),
        )
        parts.append(
            pa.table(
                {
                    "feed": pa.repeat(pa.scalar(feed.name), sound.num_rows),
                    "delivery": sound.column("delivery"),
                    "record": sound.column("record"),
                    "posted": pa.repeat(pa.scalar(False), sound.num_rows),
                    "holds": sound.column("reversed"),
                },
                schema=PRECEDENCE,
            )
        )
    return pa.concat_tables(parts)
