"""Collect what the book shows of every entry and row, as Parquet files that the pages are made from.

Everything goes through the engine in batches, so that a million entries need little memory. Rows are numbered
by feed, delivery and record, those of plan lines included; entries by account, date and id, so that those of
an account are together.
"""
# ruff: noqa: S608 - statements are put together from constants of this package and names of fields

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from showcost.core.engine import engine, view_files
from showcost.core.ids import ROW_ID_SQL
from showcost.core.national_ids import masked, masked_text
from showcost.ledger.plan import plan_lines_as_of
from showcost.reports.book.words import places_sql, words_of
from showcost.reports.cost.basis import reported_entries
from showcost.reports.personal_text import corrected_fields, masked_columns, personal_fields, without_column
from showcost.staging.assets import records_asset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from showcost.config.feed import FeedSpec
    from showcost.reports.scope import ReportScope
    from showcost.workspace import Workspace

_BATCH_ROWS: Final = 65_536

ENTRY_FACTS: Final = (
    *("entry_id", "entry_kind", "generation", "reverses", "component", "account", "transaction_date"),
    *("amount", "currency", "base_amount", "report_amount", "base_currency", "rate", "eur_rate_original"),
    "eur_rate_base",
    *("rate_date", "snapshot_id", "fx_policy", "flags", "batch_id", "vendor_code", "vendor_name"),
    *("vendor_country", "document_no", "description", "series", "location", "set_code", "po_no", "tax_code"),
    *("service_from", "service_to", "due_date", "jurisdiction", "earning_type", "union_category"),
    "pay_rules",
)
"""The columns of an entry that the book shows; `reversed_by` is derived."""

_OF_FEW_TEXTS: Final = (
    *("component", "currency", "base_currency", "rate", "eur_rate_original", "eur_rate_base", "rate_date"),
    *("snapshot_id", "fx_policy", "batch_id", "vendor_code", "vendor_name", "vendor_country", "description"),
    *("series", "location", "set_code", "po_no", "tax_code", "service_from", "service_to", "due_date"),
    *("jurisdiction", "earning_type", "union_category", "pay_rules"),
)
"""The columns that repeat a few texts in many entries, as a rule."""


@dataclass(frozen=True)
class CollectedFacts:
    """The collected facts: files with entries and rows, and tables that pages load as a whole.

    `entries_by_row` has the entries again, in the order of their rows, for the pages of rows. In both, the
    columns of `words` have the places of their texts there.
    `places` are feed and delivery in the order of their numbers; `accounts` are number, first entry, entries
    and base amount; `is_translated` says that the report is not in base, so that `report_amount` is another
    amount; `missing` counts the rows whose text is not in the data folder.
    """

    entries: Path
    entries_by_row: Path
    rows: Path
    entry_count: int
    row_count: int
    places: tuple[tuple[str, str], ...]
    accounts: tuple[tuple[Any, ...], ...]
    batches: tuple[tuple[Any, ...], ...]
    snapshots: tuple[tuple[Any, ...], ...]
    rates: tuple[tuple[Any, ...], ...]
    is_translated: bool
    missing: int
    words: Mapping[str, list[str]]


def collect(workspace: Workspace, scope: ReportScope, folder: Path) -> CollectedFacts:
    """Write the files of entries and rows to a folder, and return them with the small tables."""
    entries, by_row, bare, rows = (
        folder.joinpath(f"{name}.parquet") for name in ("entries", "entries_by_row", "bare", "rows")
    )
    with workspace.ledger.read() as connection:
        entries_then = reported_entries(workspace.production, scope.currency, scope.as_of)
        connection.execute(
            _PLACES.format(
                entries=entries_then, plan=plan_lines_as_of(scope.as_of), last=f"DATE '{scope.last}'"
            )
        )
        words = words_of(connection, "book_entries", _OF_FEW_TEXTS)
        statement = _entries_sql(places_sql(connection, words))
        _write_masked(connection.sql(statement).to_arrow_reader(_BATCH_ROWS), entries)
        connection.execute(_BARE_ROWS, {"path": str(bare)})
        places = tuple(connection.execute(_DELIVERIES).fetchall())
        batches, snapshots, rates = (
            tuple(connection.execute(statement).fetchall()) for statement in (_BATCHES, _SNAPSHOTS, _RATES)
        )
        decisions = _decisions(workspace, connection, scope.as_of)
    missing = _write_rows(workspace, bare, rows, decisions)
    with engine() as connection:
        view_files(connection, "entries", [entries])
        connection.execute(_BY_ROW, {"path": str(by_row)})
        accounts = tuple(connection.execute(_ACCOUNTS).fetchall())
    return CollectedFacts(
        entries=entries,
        entries_by_row=by_row,
        rows=rows,
        entry_count=pq.read_metadata(entries).num_rows,
        row_count=pq.read_metadata(bare).num_rows,
        places=places,
        accounts=accounts,
        batches=batches,
        snapshots=snapshots,
        rates=rates,
        is_translated=scope.is_translated,
        missing=missing,
        words={name: [masked_text(text) for text in texts] for name, texts in words.items()},
    )


def _write_masked(reader: pa.RecordBatchReader, path: Path) -> None:
    """Write batches to a file, national identifiers in their texts masked."""
    with pq.ParquetWriter(path, reader.schema, compression="zstd", compression_level=1) as writer:
        for batch in reader:
            writer.write_table(masked_columns(pa.Table.from_batches([batch])))


def _decisions(workspace: Workspace, connection: duckdb.DuckDBPyConnection, as_of: int) -> pa.Table:
    """Return the decisions on rows with entries as JSON, one text per row; personal fields are masked."""
    feeds = {feed.name: feed for feed in workspace.feeds}
    of_rows: dict[int, list[Any]] = {}
    for number, feed, at, decision, fields, codes, who, why in connection.execute(
        _DECISIONS, {"as_of": as_of}
    ).fetchall():
        corrected = corrected_fields(feeds[feed], json.loads(fields)) if feed in feeds else {}
        shown = [
            f"{at:%Y-%m-%d %H:%M:%S} UTC",
            decision,
            corrected,
            codes,
            masked_text(who),
            masked_text(why),
        ]
        of_rows.setdefault(number, []).append(shown)
    documents = [json.dumps(decisions, ensure_ascii=False) for decisions in of_rows.values()]
    return pa.table({"r": pa.array(of_rows, pa.int64()), "decisions": pa.array(documents, pa.string())})


def _write_rows(workspace: Workspace, bare: Path, target: Path, decisions: pa.Table) -> int:
    """Write the rows with their text and decisions, in order; return the number of rows without text."""
    feeds = {feed.name: feed for feed in workspace.feeds}
    missing = 0
    with (
        engine() as connection,
        pq.ParquetWriter(target, _ROW_SCHEMA, compression="zstd", compression_level=1) as writer,
    ):
        view_files(connection, "bare", [bare])
        connection.register("row_decisions", decisions)
        for (name,) in connection.execute("SELECT DISTINCT feed FROM bare ORDER BY feed").fetchall():
            sources = _staged(workspace, name, connection)
            for batch in _texts(connection, feeds.get(name), name, sources):
                writer.write_table(batch)
                missing += batch.column("raw").null_count
    return missing


def _staged(workspace: Workspace, feed: str, connection: duckdb.DuckDBPyConnection) -> list[Path]:
    """Return the verified files with the records of a feed's deliveries that are in the folder."""
    statement = "SELECT DISTINCT delivery FROM bare WHERE feed = $feed ORDER BY delivery"
    deliveries = [delivery for (delivery,) in connection.execute(statement, {"feed": feed}).fetchall()]
    asset = records_asset(feed)
    present = [name for name in deliveries if workspace.staging.metadata(asset, name) is not None]
    return workspace.staging.verified_paths(asset, present)


def _texts(
    connection: duckdb.DuckDBPyConnection, feed: FeedSpec | None, name: str, sources: Sequence[Path]
) -> Iterator[pa.Table]:
    """Yield the rows of a feed with their raw text, personal cells and national identifiers masked."""
    personal = personal_fields(feed) if feed is not None and sources else ()
    if feed is not None and sources:
        view_files(connection, "records", sources)
    else:
        connection.execute(_NO_RECORDS)
    cells = "".join(f', records."{field}" AS "{field}"' for field in personal)
    reader = connection.sql(_ROWS.format(cells=cells), params={"feed": name}).to_arrow_reader(_BATCH_ROWS)
    for batch in reader:
        table = pa.Table.from_batches([batch])
        raw = table.column("raw")
        for field in personal:
            raw = without_column(raw, table.column(field))
        place = table.schema.get_field_index("raw")
        yield table.set_column(place, "raw", masked(raw)).select(_ROW_SCHEMA.names).cast(_ROW_SCHEMA)


_ROW_SCHEMA: Final = pa.schema(
    [
        ("r", pa.int64()),
        ("d", pa.int64()),
        ("record", pa.int64()),
        ("row_id", pa.string()),
        ("byte_start", pa.int64()),
        ("byte_end", pa.int64()),
        ("raw", pa.string()),
        ("decisions", pa.string()),
    ]
)

_PLACES: Final = """
CREATE TEMP VIEW book_entries AS SELECT * FROM {entries} WHERE transaction_date <= {last};
CREATE TEMP TABLE book_places AS
SELECT feed, delivery, record FROM book_entries
UNION SELECT feed, delivery, record FROM {plan} WHERE stated_on <= {last};
CREATE TEMP TABLE book_deliveries AS
SELECT feed, delivery, row_number() OVER (ORDER BY feed, delivery) - 1 AS d
FROM (SELECT DISTINCT feed, delivery FROM book_places);
CREATE TEMP TABLE book_rows AS
SELECT feed, delivery, record, d, row_number() OVER (ORDER BY d, record) - 1 AS r
FROM book_places JOIN book_deliveries USING (feed, delivery);
"""

_DELIVERIES: Final = "SELECT feed, delivery FROM book_deliveries ORDER BY d"

_BARE_ROWS: Final = f"""
COPY (SELECT r, d, feed, delivery, record, {ROW_ID_SQL} AS row_id FROM book_rows ORDER BY r)
TO $path (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
"""


def _entries_sql(places: Mapping[str, str]) -> str:
    columns = (f"{places[name]} AS {name}" if name in places else name for name in ENTRY_FACTS)
    return f"""
SELECT row_number() OVER () - 1 AS n, * FROM (
    SELECT r, {", ".join(columns)}, CAST(entry_kind = 'reversal' AS TINYINT) AS is_reversal, reversed_by
    FROM book_entries JOIN book_rows USING (feed, delivery, record)
    LEFT JOIN (SELECT reverses AS entry_id, entry_id AS reversed_by FROM book_entries
        WHERE reverses IS NOT NULL) USING (entry_id)
    ORDER BY account, transaction_date, entry_id)
"""


_BATCHES: Final = """
SELECT batch_id, seq, strftime(posted_at, '%Y-%m-%d %H:%M:%S') || ' UTC', run_id, entry_count, digest
FROM batches WHERE batch_id IN (SELECT batch_id FROM book_entries) ORDER BY batch_id
"""

_SNAPSHOTS: Final = """
SELECT snapshot_id, CAST(snapshot_date AS VARCHAR), hash, source, source_sha256, carry_days,
    strftime(pinned_at, '%Y-%m-%d %H:%M:%S') || ' UTC'
FROM fx_snapshots WHERE snapshot_id IN (SELECT snapshot_id FROM book_entries) ORDER BY snapshot_id
"""

_RATES: Final = """
SELECT snapshot_id, currency, CAST(rate AS VARCHAR), CAST(publication_date AS VARCHAR)
FROM fx_rates WHERE (snapshot_id, currency) IN (
    SELECT (snapshot_id, currency) FROM book_entries
    UNION SELECT (snapshot_id, base_currency) FROM book_entries)
ORDER BY snapshot_id, currency
"""

_DECISIONS: Final = """
SELECT r, feed, decided_at, decision, fields, codes, who, why
FROM row_decisions JOIN book_rows USING (feed, delivery, record)
WHERE seq <= $as_of ORDER BY r, seq, number
"""

_BY_ROW: Final = """
COPY (FROM entries ORDER BY r, n) TO $path (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
"""

_ACCOUNTS: Final = """
SELECT account, min(n), count(*), CAST(sum(base_amount) AS VARCHAR) FROM entries
GROUP BY account ORDER BY account
"""

_NO_RECORDS: Final = """
CREATE OR REPLACE TEMP VIEW records AS SELECT '' AS delivery, CAST(0 AS BIGINT) AS record,
    CAST(0 AS BIGINT) AS byte_start, CAST(0 AS BIGINT) AS byte_end, '' AS raw WHERE false
"""

_ROWS: Final = """
SELECT bare.r, bare.d, bare.record, bare.row_id, records.byte_start, records.byte_end, records.raw,
    row_decisions.decisions{cells}
FROM bare LEFT JOIN records USING (delivery, record) LEFT JOIN row_decisions USING (r)
WHERE bare.feed = $feed ORDER BY bare.r
"""
