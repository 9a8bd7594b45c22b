"""The fields that identify a cost, of the rows of all feeds whose records are costs.

Only these fields are read from the records, and only of rows whose document number is like a given one.
"""
# ruff: noqa: S608 - statements are put together from names of feeds, fields and columns; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import FieldType
from showcost.core.documents import (
    alike_names,
    normal_codes,
    normal_names,
    normal_numbers,
    normal_tax_ids,
    similar_numbers,
)
from showcost.core.engine import engine
from showcost.core.ids import DOCUMENT_SQL
from showcost.ingest.landing import landed
from showcost.ingest.records import records_schema, stored_records
from showcost.readers.model import MAY_BE_TOTAL
from showcost.staging.assets import records_asset
from showcost.validation.same_costs import LINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from showcost.config.feed import FeedSpec
    from showcost.config.record_kinds import CostIdentity, RecordKind
    from showcost.workspace import Workspace

_DIGITS: Final = (
    """regexp_replace(translate({number}, 'Oo{wide}', '000123456789'), '([^0-9]+|^)0*', '', 'g')"""
)
_WIDE: Final = "".join(chr(ord("\uff10") + digit) for digit in range(10))
"""The full-width digits."""
_BLOCK: Final = f"""
CASE WHEN {_DIGITS} <> '' THEN {_DIGITS} ELSE upper(regexp_replace({{number}}, '[^\\pL\\pN]+', '', 'g')) END
"""
"""What similar numbers share: their digits without leading zeros, else their letters. Few others do."""


def identity_rows(
    workspace: Workspace,
    feeds: Sequence[FeedSpec],
    corrected: Mapping[str, pa.Table],
    mine: Mapping[str, pa.Table],
) -> pa.Table:
    """Return the rows of feeds (`LINES`) whose number is like one of `mine`, in several spellings or keys.

    `feeds` are those of `feeds_of_costs`. `corrected` has, per feed, the records that take the place of those
    with their delivery and record; `mine` the rows in question per feed, with raw columns. A row without a
    number is left out.
    """
    with engine() as connection:
        document_of = {feed.name: feed.kind.document for feed in feeds}
        for number, (name, rows) in enumerate(mine.items()):
            connection.register(f"mine_{number}", rows.select(["delivery", "record", document_of[name]]))
        chosen = " UNION ALL ".join(
            f"SELECT $name_{number} AS feed, delivery, record, {block_sql(document_of[name])} AS block"
            f" FROM mine_{number}"
            for number, name in enumerate(mine)
        )
        names = {f"name_{number}": name for number, name in enumerate(mine)}
        connection.execute(f"CREATE TEMP TABLE mine AS {chosen}", names)
        parts = []
        for number, feed in enumerate(feeds):
            if _read_feed(connection, workspace, feed, corrected[feed.name], number):
                parts.append(f"FROM feed_{number}")
        if not parts:
            return LINES.empty_table()
        rows = connection.sql(_SEVERAL.format(rows=" UNION ALL ".join(parts))).to_arrow_table()
    return _normalised(rows)


_SEVERAL: Final = """
SELECT *, (feed, delivery, record) IN (SELECT (feed, delivery, record) FROM mine) AS mine
FROM (
    SELECT *, hash(feed, spelled, style, sum(hash(key)) OVER (PARTITION BY feed, spelled, style, delivery))
        AS source FROM ({rows})
)
QUALIFY min(source) OVER (PARTITION BY block) <> max(source) OVER (PARTITION BY block)
"""


_FEED_ROWS: Final = """
CREATE TEMP TABLE feed_{number} AS
SELECT $record_kind AS record_kind, $yearly AS yearly, $by_total AS by_total,
    $feed AS feed, delivery, arrival, record, {document} AS key, $by_line AS by_line,
    CASE WHEN regexp_full_match(trim(line_text), '[0-9]{{1,9}}') THEN CAST(trim(line_text) AS BIGINT) END
        AS line,
    transaction_date,
    lower(concat_ws('|', code_text, document_number)) AS spelled,
    CASE WHEN NOT regexp_matches(coalesce(line_text, ''), '[^\\s\\p{{Zs}}]') THEN 'none'
        WHEN regexp_matches(line_text, '^\\s*(0|.*\\.0+\\s*$)') THEN 'padded'
        ELSE 'plain' END AS style,
    document_number, code_text, name_text, tax_text, part, day, $dated AS dated,
    upper(trim(currency)) AS currency, net, gross, block
FROM (
    SELECT *, {block} AS block FROM ({rows})
    WHERE transaction_date IS NOT NULL AND coalesce(read_code, '{may_be_total}') = '{may_be_total}'
) SEMI JOIN mine USING (block) WHERE block <> ''
"""


def _read_feed(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    feed: FeedSpec,
    corrected: pa.Table,
    number: int,
) -> bool:
    """Make the table of a feed's rows with a number like those of `mine`; return whether it has records."""
    sources = [delivery.arrival.delivery for delivery in landed(workspace, feed) if delivery.summary.dates]
    paths = workspace.staging.verified_paths(records_asset(feed.name), sources)
    if not paths and not corrected.num_rows:
        return False
    identity = _identity(feed.kind)
    columns = _columns(feed.kind)
    connection.register(f"corrected_{number}", corrected)
    parts = [f"SELECT {columns} FROM corrected_{number}"]
    parameters: dict[str, object] = {
        "record_kind": feed.record_kind,
        "yearly": feed.kind.numbered_yearly,
        "by_total": identity.by_total,
        "feed": feed.name,
        "dated": _is_dated(feed),
        "by_line": feed.kind.line is not None,
    }
    if paths:
        anti = f" ANTI JOIN corrected_{number} USING (delivery, record)" if corrected.num_rows else ""
        stored = stored_records(records_schema(feed), paths)
        parts.append(f"SELECT {columns} FROM ({stored}){anti}")
        parameters["paths"] = [str(path) for path in paths]
    sql = _FEED_ROWS.format(
        number=number,
        block=block_sql("document_number"),
        may_be_total=MAY_BE_TOTAL,
        document=DOCUMENT_SQL,
        rows=" UNION ALL ".join(parts),
    )
    connection.execute(sql, parameters)
    return True


def _columns(kind: RecordKind) -> str:
    """Return the columns of records that identify a cost, under the names of `_feed_rows`."""
    identity = _identity(kind)
    net = f"TRY_CAST({kind.primary.field}__value AS DECIMAL(18, 4))"
    tax = f"coalesce(TRY_CAST({identity.tax}__value AS DECIMAL(18, 4)), 0)" if identity.tax else "0"
    gross = f"TRY_CAST({identity.gross}__value AS DECIMAL(18, 4))" if identity.gross else "NULL"
    within = ", ".join(_within(kind, name) for name in identity.within)
    return f"""delivery, arrival, record, row_key, transaction_date, read_code,
        {kind.document} AS document_number,
        {identity.code} AS code_text, {identity.name} AS name_text,
        {identity.tax_id or "NULL::VARCHAR"} AS tax_text,
        {kind.line or "'-'"} AS line_text, {f"concat_ws('|', {within})" if within else "''"} AS part,
        {kind.transaction_date}__value AS day, currency, {net} AS net,
        coalesce({gross}, CAST({net} + {tax} AS DECIMAL(18, 4))) AS gross"""


def _identity(kind: RecordKind) -> CostIdentity:
    if kind.identity is None:
        raise ValueError(kind.name)
    return kind.identity


def feeds_of_costs(workspace: Workspace) -> list[FeedSpec]:
    """Return the feeds whose records are costs, which may come in another feed too."""
    return [feed for feed in workspace.feeds if feed.kind.identity is not None]


def block_sql(number: str) -> str:
    """Return the expression for what similar document numbers share (`core.documents.similar_numbers`)."""
    return _BLOCK.format(number=number, wide=_WIDE)


def _within(kind: RecordKind, name: str) -> str:
    if kind.by_name[name].type is FieldType.TEXT:
        return f"lower(trim(coalesce({name}, '')))"
    return f"coalesce(CAST({name}__value AS VARCHAR), '')"


def _is_dated(feed: FeedSpec) -> bool:
    """Return whether the feed's own key tells documents of one number apart by date."""
    return bool(feed.key) and any(
        feed.kind.by_name[name].type in {FieldType.DATE, FieldType.TIMESTAMP} for name in feed.key
    )


def _normalised(found: pa.Table) -> pa.Table:
    """Return rows with the normal forms of what names payee and document, each distinct text once."""
    columns = {name: found.column(name) for name in LINES.names if name in found.column_names}
    for name, source, normal in (
        ("number", "document_number", normal_numbers),
        ("loose", "document_number", similar_numbers),
        ("tax_id", "tax_text", normal_tax_ids),
        ("code", "code_text", normal_codes),
        ("name", "name_text", normal_names),
        ("alike", "name_text", alike_names),
    ):
        encoded = (
            pc.fill_null(found.column(source).cast(pa.string()), "").combine_chunks().dictionary_encode()
        )
        columns[name] = pc.take(normal(encoded.dictionary), encoded.indices)
    table = pa.table({name: columns[name] for name in LINES.names})
    table = table.cast(LINES)
    return table.filter(pc.not_equal(table.column("number"), ""))


def records_at(
    workspace: Workspace, feed: FeedSpec, places: Sequence[tuple[str, int]], corrected: pa.Table
) -> pa.Table:
    """Return the number of the document at (delivery, record) places, with `corrected` records in place."""
    wanted = pa.table(
        {
            "delivery": pa.array([delivery for delivery, _ in places], pa.string()),
            "record": pa.array([record for _, record in places], pa.int64()),
        }
    )
    paths = workspace.staging.verified_paths(
        records_asset(feed.name), sorted({delivery for delivery, _ in places})
    )
    columns = f"delivery, record, {feed.kind.document}"
    with engine() as connection:
        connection.register("wanted", wanted)
        connection.register("corrected", corrected)
        return connection.sql(
            f"SELECT {columns} FROM corrected SEMI JOIN wanted USING (delivery, record) UNION ALL"
            f" SELECT {columns} FROM read_parquet($paths) SEMI JOIN wanted USING (delivery, record)"
            " ANTI JOIN corrected USING (delivery, record)",
            params={"paths": [str(path) for path in paths]},
        ).to_arrow_table()
