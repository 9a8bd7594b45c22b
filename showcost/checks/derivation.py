"""The proof that entries follow from landed records: amount, account, date and text of each, derived again.

The records are read with people's corrections, typed, divided into components and compared with the entries,
by the configuration that was in force when they were posted. The posted values play no part in it.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from showcost.audit.log import CONFIGURATION, Discrepancy
from showcost.audit.transitions import AuditKind
from showcost.config.record_kinds import ENTRY_FIELDS
from showcost.core.chunks import chunks
from showcost.ledger.new_entries import entry_field
from showcost.pipeline.applied_decisions import decisions_of
from showcost.pipeline.configuration import configuration_of, configured_as
from showcost.pipeline.raw_rows import records_at
from showcost.validation.reference import Reference
from showcost.validation.row_outcomes import ChunkChecker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace

_SHOWN: Final = 20
_TOGETHER: Final = 100_000
"""Entries whose deliveries are read together."""


@dataclass(frozen=True)
class Derivation:
    """The number of entries that were derived again, those that differ, and how many were not derived.

    Not derived are entries without a landed record, or of a row that was corrected or read otherwise since.
    """

    derived: int
    discrepancies: list[Discrepancy]
    not_derived: int


def derive_entries(workspace: Workspace) -> Derivation:
    """Derive all posted entries again and compare them with the ledger."""
    differing: list[Discrepancy] = []
    derived = 0
    with workspace.ledger.read() as connection:
        connection.register("posted_with", _batches(workspace))
        connection.execute(_POSTED)
        groups = connection.execute(_GROUPS).fetchall()
        for configuration, feed in groups:
            with ExitStack() as stack:
                home, feeds = workspace, list(workspace.feeds)
                if configuration not in ("", configuration_of(workspace).id):
                    home, feeds = stack.enter_context(configured_as(workspace, configuration))
                spec = next((each for each in feeds if each.name == feed), None)
                if spec is None:
                    continue
                counted, found = _compare(workspace, connection, (home, spec), configuration)
                derived += counted
                differing += found
        total = connection.execute("SELECT count(*) FROM posted").fetchall()[0][0]
    return Derivation(derived, differing[:_SHOWN], total - derived)


def _batches(workspace: Workspace) -> pa.Table:
    """Return the configuration of each batch; empty for batches from before configurations were recorded."""
    used: dict[str, str] = {}
    for record in workspace.audit.records():
        if record.kind is AuditKind.INTENT:
            facts: Mapping[str, Any] = record.facts
            for batch in facts["batches"]:
                used[batch["batch_id"]] = facts.get(CONFIGURATION) or ""
    return pa.table(
        {
            "batch_id": pa.array(used, pa.string()),
            "configuration": pa.array(used.values(), pa.string()),
        }
    )


def _compare(
    workspace: Workspace,
    connection: duckdb.DuckDBPyConnection,
    configured: tuple[Workspace, FeedSpec],
    configuration: str,
) -> tuple[int, list[Discrepancy]]:
    """Return the number of entries of a feed that were derived, and the differences."""
    home, feed = configured
    group = {"configuration": configuration, "feed": feed.name}
    corrected = decisions_of(workspace, feed).corrected
    checker = ChunkChecker(Reference(feed, home.production, home.chart, None, home.agreements))
    derived, found = 0, defaultdict[str, list[str]](list)
    missing: list[Discrepancy] = []
    counts: list[tuple[str, int]] = connection.execute(_DELIVERIES, group).fetchall()
    for deliveries in chunks(counts, _TOGETHER):
        places = connection.sql(_PLACES, params={**group, "deliveries": deliveries}).to_arrow_table()
        for rows in records_at(workspace, feed, places, corrected):
            connection.register("typed_rows", checker.typed(rows))
            connection.execute(_lines(feed))
            derived += connection.execute(_DERIVED, group).fetchall()[0][0]
            for entry, column in connection.execute(_differing(), group).fetchall():
                found[entry].append(column)
            for delivery, record, component in connection.execute(_MISSING, group).fetchall():
                place = f"ledger.duckdb, record {record} of delivery {delivery}"
                missing.append(Discrepancy(place, f"its {component} has no entry"))
            connection.unregister("typed_rows")
    return derived, [*_named(found), *missing]


def _named(found: Mapping[str, Sequence[str]]) -> Iterator[Discrepancy]:
    for entry, columns in sorted(found.items()):
        yield Discrepancy(
            f"ledger.duckdb, entry {entry}",
            f"its {', '.join(columns)} cannot be derived from the landed record",
        )


_TEXTS: Final = (
    "transaction_date",
    "account",
    "currency",
    "amount",
    "vendor_code",
    "vendor_name",
    "document_no",
    "description",
    "series",
    "location",
    "set_code",
)
_LATER: Final = tuple(name for name in ENTRY_FIELDS if name != "jurisdiction")
"""Columns of line version 2. The jurisdiction may be that of the location, and is not compared."""


def _lines(feed: FeedSpec) -> str:
    fields = ", ".join(entry_field(feed.kind, name) for name in _LATER)
    return f"""
CREATE OR REPLACE TEMP TABLE derived AS
SELECT delivery, record, content, transaction_date, currency, vendor_code, vendor_name, description, series,
    location, "set" AS set_code, {feed.kind.document} AS document_no, {fields},
    line.component AS component, line.account AS account, line.amount AS amount
FROM (SELECT *, unnest(components) AS line FROM typed_rows)
"""  # noqa: S608 - names of our own columns


_POSTED: Final = """
CREATE TEMP VIEW posted AS
SELECT entries.*, coalesce(posted_with.configuration, '') AS configuration
FROM ledger_entries AS entries LEFT JOIN posted_with USING (batch_id) WHERE entry_kind = 'posting'
"""

_GROUPS: Final = "SELECT configuration, feed FROM posted GROUP BY ALL ORDER BY ALL"

_DELIVERIES: Final = """
SELECT delivery, count(*) FROM posted WHERE configuration = $configuration AND feed = $feed
GROUP BY ALL ORDER BY ALL
"""

_PLACES: Final = """
SELECT DISTINCT delivery, record FROM posted WHERE configuration = $configuration AND feed = $feed
    AND list_contains(CAST($deliveries AS VARCHAR[]), delivery)
"""

# A row that was corrected, or read otherwise, since it was posted has another content: it cannot be derived.
_OF_GROUP: Final = """
posted SEMI JOIN derived USING (delivery, record, content)
WHERE configuration = $configuration AND feed = $feed
"""

_MISSING: Final = """
SELECT delivery, record, component FROM derived
SEMI JOIN (
    SELECT delivery, record, content FROM posted WHERE configuration = $configuration AND feed = $feed
) USING (delivery, record, content)
ANTI JOIN posted USING (delivery, record, content, component)
WHERE amount <> 0 ORDER BY ALL
"""

_DERIVED: Final = f"SELECT count(*) FROM {_OF_GROUP}"  # noqa: S608 - constants only


def _differing() -> str:
    same = [f"entry.{name} IS NOT DISTINCT FROM derived.{name}" for name in _TEXTS]
    same += [
        f"(entry.line_version < 2 OR entry.{name} IS NOT DISTINCT FROM derived.{name})" for name in _LATER
    ]
    names = (*_TEXTS, *_LATER)
    cases = ", ".join(
        f"CASE WHEN NOT ({condition}) THEN '{name}' END" for name, condition in zip(names, same, strict=True)
    )
    return f"""
SELECT entry_id, unnest(columns) AS differs FROM (
    SELECT entry.entry_id, CASE WHEN derived.component IS NULL THEN ['component']
        ELSE list_filter([{cases}], lambda name: name IS NOT NULL) END AS columns
    FROM (FROM {_OF_GROUP}) AS entry
    LEFT JOIN derived ON derived.delivery = entry.delivery AND derived.record = entry.record
        AND derived.content = entry.content AND derived.component = entry.component)
ORDER BY ALL
"""  # noqa: S608 - names of our own columns
