"""New entries: ledger entries from valid rows, and reversals from decisions.

Valid rows are expanded into components, converted and matched with the posted entries. Entries that a
decision reverses are negated, at their own rates.

A valid row has these columns, and may have more (a row of a kind of plan: see `plan_recording`):

- transaction_date (date32), row_key, content, delivery (text), arrival, record (int64),
- currency, vendor_code, vendor_name, description, series, location, set (text),
- flags (list of text), components (list of struct of component, account, union_category (text) and
  amount (decimal128(18, 4))), the field of its record kind that numbers the document, and the fields that
  its record kind gives for columns of the entries (`RecordKind.entry_fields`).

`posting` appends the entries; `showcost.validation` decides which rows are valid.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from showcost.config.record_kinds import ENTRY_FIELDS, FieldType
from showcost.core.errors import CheckFailedError, InputError
from showcost.core.file_ranges import view_ranges
from showcost.core.hashing import SHORT
from showcost.core.money import AMOUNT_DIGITS, AMOUNT_SCALE
from showcost.fx.conversion import AMOUNT_TYPE, IDENTITY_POLICY, conversion_sql, policy_stamp
from showcost.fx.pinned_snapshots import IDENTITY, active_snapshots, dense_rates
from showcost.ledger.active_entries import active_condition
from showcost.ledger.decisions import OUTDATED, REVERSIBLE
from showcost.ledger.documents import DOCUMENT_ID, join_numbers, register_numbers
from showcost.ledger.periods import decided_periods
from showcost.ledger.schema import LINE_VERSION
from showcost.values.column import NO, YES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    import duckdb

    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.config.record_kinds import RecordKind
    from showcost.core.file_ranges import FileRange


PAY_RULES: Final = "pay_rules"

NEW_ENTRIES: Final = "posting_new_entries"
"""The temporary view of the entries to be appended; `prepare` creates it."""

_AMOUNT: Final = pa.decimal128(AMOUNT_DIGITS, AMOUNT_SCALE)
_COMPONENT_TEXTS: Final = ("component", "account", "union_category")
_PLACE_TEXTS: Final = ("row_key", "content", "delivery")
_TEXTS: Final = (
    *(*_PLACE_TEXTS, "currency"),
    *("vendor_code", "vendor_name", "description", "series", "location", "set"),
)


@dataclass(frozen=True)
class PostingContext:
    """The properties that all rows of a posting share."""

    production: str
    base_currency: str
    feed: str
    record_kind: RecordKind
    jurisdictions: Mapping[str, str] = field(default_factory=dict)
    """Country or state per location, for rows that do not say where a service was performed."""
    configuration: str | None = None
    """The id of the recorded configuration that the posting uses."""
    document_rounding: str = "document"
    """`document` if a document's base total is its converted total, `line` if it is the sum of its lines."""

    @property
    def pay_rules(self) -> str:
        """The SQL expression for the pay rules of a valid row; null for record kinds without them."""
        return PAY_RULES if self.record_kind.has_pay_rules else "CAST(NULL AS VARCHAR)"

    @property
    def added(self) -> tuple[str, ...]:
        """The fields of entries that the record kind did not have from the beginning."""
        sources = self.record_kind.entry_fields.values()
        return tuple(name for name in sources if self.record_kind.by_name[name].added)

    @property
    def texts(self) -> tuple[str, ...]:
        """The text columns that valid rows must have."""
        if self.record_kind.is_plan:
            return (*_PLACE_TEXTS, *self.record_kind.of_type(FieldType.TEXT))
        own = (PAY_RULES,) if self.record_kind.has_pay_rules else ()
        return (*_TEXTS, self.record_kind.document, *own)


def posting_context(
    production: Production, feed: FeedSpec, configuration: str | None = None
) -> PostingContext:
    """Return the context for posting the rows of a feed; `configuration` is the recorded configuration."""
    return PostingContext(
        production.code,
        production.base_currency,
        feed.name,
        feed.kind,
        production.location_jurisdictions,
        configuration,
        production.fx.document_rounding,
    )


@dataclass(frozen=True)
class ValidRows:
    """Valid rows that DuckDB can read: an Arrow table, or ranges of files that the caller has verified.

    The columns are checked when it is made. Raises InputError, naming file and column, if a column is missing
    or has another type; rows are checked only if there are any.
    """

    rows: pa.Table | Sequence[FileRange]
    context: PostingContext

    def __post_init__(self) -> None:
        if self.is_empty:
            return
        if isinstance(self.rows, pa.Table):
            _check_schema(self._completed(self.rows).schema, self.context, "valid rows")
        else:
            for path in sorted({part.path for part in self.rows}):
                schema = pq.read_schema(path)
                for name in self.context.added:
                    if name not in schema.names:
                        schema = schema.append(pa.field(name, pa.string()))
                _check_schema(schema, self.context, str(path))

    @property
    def is_empty(self) -> bool:
        """True if there are no rows, or no files of rows."""
        return len(self.rows) == 0

    def as_view(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register the rows with a connection as `valid_rows`; without rows, an empty table."""
        if self.is_empty:
            connection.register("valid_rows", _no_rows(self.context))
        elif isinstance(self.rows, pa.Table):
            connection.register("valid_rows", self._completed(self.rows))
        else:
            self._view(connection, self.rows)

    def _completed(self, rows: pa.Table) -> pa.Table:
        """Return rows with the fields that were added after they were validated, null."""
        for name in self.context.added:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        return rows

    def _view(self, connection: duckdb.DuckDBPyConnection, ranges: Sequence[FileRange]) -> None:
        """View ranges of files; a field that was added after some of them were written is null in these."""
        added = self.context.added
        written = [set(pq.read_schema(path).names) for path in sorted({part.path for part in ranges})]
        if all(names.issuperset(added) for names in written):
            view_ranges(connection, "valid_rows", ranges)
            return
        view_ranges(connection, "written_valid_rows", ranges, union_by_name=True)
        missing = [name for name in added if not any(name in names for names in written)]
        nulls = "".join(f", CAST(NULL AS VARCHAR) AS {name}" for name in missing)
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW valid_rows AS SELECT *{nulls} FROM written_valid_rows"
        )

    def counts(self, connection: duckdb.DuckDBPyConnection) -> dict[date, int]:
        """Return the rows per transaction date, in order."""
        query = "SELECT transaction_date, count(*) FROM valid_rows GROUP BY ALL ORDER BY ALL"
        return dict(connection.execute(query).fetchall())


def prepare(
    connection: duckdb.DuckDBPyConnection,
    context: PostingContext,
    dates: Sequence[date],
    counts: Mapping[date, int],
) -> None:
    """Create the temporary view `NEW_ENTRIES` for the rows of `valid_rows` on `dates` (ascending).

    It has the content columns of `ledger_entries`, and `arrival`. `counts` are the valid rows per date,
    without the outdated ones of `decisions.leave_out_outdated`, which comes before.
    Raises CheckFailedError, and nothing may be posted then, if a row would be lost or duplicated, has no
    pinned rate or is already posted with other content or by another key, or an entry would be posted to a
    closed period.
    """
    rates = dense_rates(connection, list(dates), context.base_currency)
    connection.register("posting_rates", rates.table)
    connection.register("posting_policies", _policies(connection, dates, context.document_rounding))
    register_numbers(connection, "valid_rows", context.record_kind.document)
    connection.register("posting_jurisdictions", _jurisdictions(context.jurisdictions))
    between = {"first": dates[0], "last": dates[-1]}
    connection.execute(_REVERSIBLE, {"feed": context.feed, "as_of": None})
    connection.execute(_REVERSALS, {"dates": list(dates)})
    connection.execute(_HOLDERS, {"feed": context.feed})
    connection.execute(_PLACES, {"feed": context.feed} | between)
    connection.execute(
        _candidates_sql(context),
        {
            "production": context.production,
            "feed": context.feed,
            "record_kind": context.record_kind.name,
            "base_currency": context.base_currency,
        }
        | between,
    )
    connection.execute(_NEW_ENTRIES)
    _refuse_faults(connection, context.feed)
    _refuse_lost_rows(connection, context.feed, {day: counts.get(day, 0) for day in dates})
    refuse_closed(connection, context.feed, NEW_ENTRIES, "entries")


def _check_schema(schema: pa.Schema, context: PostingContext, shown_name: str) -> None:
    for name, expected, fits in _expectations(context):
        position = schema.get_field_index(name)
        if position < 0 or not fits(schema.field(position).type):
            actual = "none" if position < 0 else str(schema.field(position).type)
            raise InputError(f"{shown_name}: the column {name} must be {expected}, found {actual}")


def _expectations(context: PostingContext) -> Iterable[tuple[str, str, Callable[[pa.DataType], bool]]]:
    yield "transaction_date", "a date", pa.types.is_date32
    yield "flags", "a list of text", lambda kind: _is_list(kind) and _is_text(kind.value_type)
    for name in ("arrival", "record"):
        yield name, "an int64", pa.types.is_int64
    for name in context.texts:
        yield name, "text", _is_text
    if context.record_kind.is_plan:
        for name in context.record_kind.of_type(FieldType.DATE):
            yield name, "a date", pa.types.is_date32
        yield context.record_kind.primary.field, "an amount of money", _AMOUNT.equals
        return
    yield "components", "a list of (component, account, union_category, amount)", _is_components
    for column, source in context.record_kind.entry_fields.items():
        if ENTRY_FIELDS[column] == "DATE":
            yield source, "a date or a timestamp", pa.types.is_temporal
        else:
            yield source, "text", _is_text


def _no_rows(context: PostingContext) -> pa.Table:
    component = pa.struct([*((name, pa.string()) for name in _COMPONENT_TEXTS), ("amount", _AMOUNT)])
    columns = {
        "transaction_date": pa.date32(),
        "components": pa.list_(component),
        context.record_kind.primary.field: _AMOUNT,
        "flags": pa.list_(pa.string()),
        "arrival": pa.int64(),
        "record": pa.int64(),
    } | dict.fromkeys(context.texts, pa.string())
    columns |= {
        source: pa.date32() if ENTRY_FIELDS[column] == "DATE" else pa.string()
        for column, source in context.record_kind.entry_fields.items()
    }
    columns |= dict.fromkeys(context.record_kind.of_type(FieldType.DATE), pa.date32())
    return pa.schema(columns).empty_table()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_components(kind: pa.DataType) -> bool:
    if not (_is_list(kind) and pa.types.is_struct(kind.value_type)):
        return False
    fields = {field.name: field.type for field in kind.value_type.fields}
    return fields.get("amount") == _AMOUNT and all(
        name in fields and _is_text(fields[name]) for name in _COMPONENT_TEXTS
    )


def _policies(connection: duckdb.DuckDBPyConnection, dates: Sequence[date], rounding: str) -> pa.Table:
    """Return the policy stamp of each pinned snapshot of the dates, and of the base currency."""
    snapshots = connection.execute(
        f"SELECT snapshot_id, carry_days FROM {active_snapshots()}"
        " WHERE snapshot_date BETWEEN $first AND $last",
        {"first": dates[0], "last": dates[-1]},
    ).fetchall()
    return pa.table(
        {
            "snapshot_id": pa.array([*(snapshot for snapshot, _ in snapshots), IDENTITY], pa.string()),
            "fx_policy": pa.array(
                [*(policy_stamp(days, rounding) for _, days in snapshots), IDENTITY_POLICY], pa.string()
            ),
        }
    )


def _jurisdictions(jurisdictions: Mapping[str, str]) -> pa.Table:
    return pa.table(
        {
            "location": pa.array(jurisdictions.keys(), pa.string()),
            "located_in": pa.array(jurisdictions.values(), pa.string()),
        }
    )


def _refuse_faults(connection: duckdb.DuckDBPyConnection, feed: str) -> None:
    for fault, condition in _FAULTS.items():
        entries, first = connection.execute(
            f"SELECT count(*), min(transaction_date) FROM posting_candidates WHERE {condition}"
        ).fetchall()[0]
        if entries:
            raise CheckFailedError(f"{feed}, from {first}: {entries} entries {fault}; nothing was posted")


def _refuse_lost_rows(connection: duckdb.DuckDBPyConnection, feed: str, counts: Mapping[date, int]) -> None:
    """Raise CheckFailedError unless, per date, valid rows and distinct keys of their entries are equal."""
    keys: dict[date, tuple[int, int]] = {
        day: (rows, repeated) for day, rows, repeated in connection.execute(_KEYS).fetchall()
    }
    for day, rows in counts.items():
        distinct, repeated = keys.get(day, (0, 0))
        if distinct != rows or repeated:
            raise CheckFailedError(
                f"{feed}, {day}: {rows} valid rows yield entries for {distinct} keys, with {repeated}"
                " duplicate entries; nothing was posted"
            )


def refuse_closed(connection: duckdb.DuckDBPyConnection, feed: str, view: str, rows: str) -> None:
    """Raise CheckFailedError for new rows in a period that was closed since they were validated.

    `view` has them with their `transaction_date`, `rows` is the word for them.
    """
    for period in decided_periods(connection):
        if not period.closed:
            continue
        count, first = connection.execute(
            f"SELECT count(*), min(transaction_date) FROM {view}"
            " WHERE transaction_date BETWEEN $first AND $last",
            {"first": period.first, "last": period.last},
        ).fetchall()[0]
        if count:
            raise CheckFailedError(
                f"{feed}, from {first}: {count} {rows} would be posted to {period.name}, which is closed;"
                " reopen it, or validate the partition again; nothing was posted"
            )


def _candidates_sql(context: PostingContext) -> str:
    base_amount = conversion_sql(
        "keyed.amount", "keyed.currency", "micro_original", "micro_base", context.base_currency
    )
    return _CANDIDATES.format(
        document=context.record_kind.document,
        pay_rules=context.pay_rules,
        base_amount=base_amount,
        entry_id=_ENTRY_ID,
        entry_fields=", ".join(entry_field(context.record_kind, name) for name in ENTRY_FIELDS),
        document_id=DOCUMENT_ID,
        numbers=join_numbers("numbered"),
        line_version=LINE_VERSION,
        outdated=OUTDATED,
    )


def entry_field(kind: RecordKind, name: str) -> str:
    """Return the expression of an optional column of the entries over the valid rows of a kind."""
    source = kind.entry_fields.get(name)
    if source is None:
        return f"CAST(NULL AS {ENTRY_FIELDS[name]}) AS {name}"
    if ENTRY_FIELDS[name] == "BOOLEAN":
        return f"{yes_or_no(source)} AS {name}"
    return f"CAST({source} AS {ENTRY_FIELDS[name]}) AS {name}"


def yes_or_no(column: str, yes: Iterable[str] = YES, no: Iterable[str] = NO) -> str:
    """Return the expression that turns a yes/no field into a BOOLEAN; null where it says neither."""
    said = f"lower(trim({column}))"
    return f"CASE WHEN {said} IN ({_texts(yes)}) THEN true WHEN {said} IN ({_texts(no)}) THEN false END"


def _texts(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


_ENTRY_ID: Final = f"""
sha256(CAST(json_array(production, feed, row_key, component, version) AS VARCHAR))[:{SHORT}]
"""
"""`showcost.core.ids.entry_id` as a DuckDB expression over columns of these names."""

_REVERSIBLE: Final = f"""
CREATE TEMP TABLE posting_reversible AS
{REVERSIBLE} SELECT * FROM reversible
"""

# Posting a row also reverses the former posting of its key, on any date: a key has one active posting.
_REVERSALS: Final = f"""
CREATE TEMP TABLE posting_reversals AS
WITH reversal AS (
    SELECT *, 'reversal' || CASE WHEN generation > 1 THEN ' ' || generation ELSE '' END AS version
    FROM posting_reversible
    WHERE list_contains(CAST($dates AS DATE[]), transaction_date)
        OR row_key IN (
            SELECT row_key FROM valid_rows WHERE list_contains(CAST($dates AS DATE[]), transaction_date)))
SELECT * EXCLUDE (version, posted_seq, batch_id) REPLACE (
    {_ENTRY_ID} AS entry_id, 'reversal' AS entry_kind, entry_id AS reverses, {LINE_VERSION} AS line_version,
    CAST(-amount AS {AMOUNT_TYPE}) AS amount, CAST(-base_amount AS {AMOUNT_TYPE}) AS base_amount)
FROM reversal
"""

# For each key that was ever posted: its latest revision, and whether that is active. A posting that is about
# to be reversed, on any date, is not active.
_HOLDERS: Final = f"""
CREATE TEMP TABLE posting_holders AS
SELECT row_key, max(generation) AS latest,
    bool_or({active_condition()} AND entry_id NOT IN (SELECT entry_id FROM posting_reversible)) AS is_active
FROM ledger_entries WHERE feed = $feed AND entry_kind = 'posting'
    AND row_key IN (SELECT row_key FROM valid_rows)
GROUP BY row_key
"""

# Rows that are posted by another key than they have now, because their feed was changed.
_PLACES: Final = f"""
CREATE TEMP TABLE posting_places AS
SELECT delivery, record, min(ledger_entries.row_key) AS posted_key
FROM ledger_entries JOIN valid_rows USING (delivery, record)
WHERE feed = $feed AND {active_condition()} AND ledger_entries.row_key <> valid_rows.row_key
    AND entry_id NOT IN (SELECT entry_id FROM posting_reversible)
    AND valid_rows.transaction_date BETWEEN $first AND $last
GROUP BY ALL
"""

# TRY turns an amount that does not fit into null, which _refuse_faults reports.
_CANDIDATES: Final = """
CREATE TEMP TABLE posting_candidates AS
WITH lines AS (
    SELECT transaction_date, row_key, content, delivery, arrival, record, currency, flags, vendor_code,
        vendor_name, description, series, location, "set" AS set_code, {document} AS document_no,
        {pay_rules} AS pay_rules, {entry_fields}, unnest(
            CASE WHEN len(list_filter(components, lambda part: part.amount IS DISTINCT FROM 0)) > 0
            THEN list_filter(components, lambda part: part.amount IS DISTINCT FROM 0)
            ELSE components[:1] END) AS line
    FROM valid_rows ANTI JOIN {outdated} USING (delivery, record)
    WHERE transaction_date BETWEEN $first AND $last),
numbered AS (
    SELECT lines.*,
        CASE WHEN latest IS NULL THEN 1 WHEN is_active THEN latest ELSE latest + 1 END AS generation,
        line.component AS component, line.account AS account, line.amount AS amount,
        line.union_category AS union_category,
        CAST($production AS VARCHAR) AS production, CAST($feed AS VARCHAR) AS feed,
        CAST($record_kind AS VARCHAR) AS record_kind,
        'posting' || CASE WHEN generation > 1 THEN ' ' || generation ELSE '' END AS version
    FROM lines LEFT JOIN posting_holders USING (row_key)),
keyed AS (
    SELECT numbered.*, {entry_id} AS entry_id, {document_id} AS document_id, located_in
    FROM numbered {numbers}
    LEFT JOIN posting_jurisdictions USING (location))
SELECT keyed.* EXCLUDE (line, version, located_in) REPLACE (
        coalesce(list_sort(flags), []) AS flags, coalesce(jurisdiction, located_in) AS jurisdiction),
    {line_version} AS line_version,
    'posting' AS entry_kind,
    CAST(NULL AS VARCHAR) AS reverses,
    CAST($base_currency AS VARCHAR) AS base_currency,
    TRY({base_amount}) AS base_amount,
    eur_rate_original, eur_rate_base, rate, rate_date, snapshot_id, fx_policy,
    posted_content, posted_delivery, posted_record, posted_key
FROM keyed
LEFT JOIN (
    SELECT entry_id, content AS posted_content, delivery AS posted_delivery, record AS posted_record
    FROM ledger_entries) USING (entry_id)
LEFT JOIN posting_rates ON posting_rates.date = keyed.transaction_date
    AND posting_rates.currency = keyed.currency
LEFT JOIN posting_policies USING (snapshot_id)
LEFT JOIN posting_places USING (delivery, record)
"""

_NEW_ENTRIES: Final = f"""
CREATE TEMP VIEW {NEW_ENTRIES} AS
SELECT * EXCLUDE (posted_content, posted_delivery, posted_record, posted_key)
FROM posting_candidates WHERE posted_content IS NULL
UNION ALL BY NAME FROM posting_reversals
"""

_FAULTS: Final = {
    "lack a component, an account, an amount or their source": (
        "component IS NULL OR account IS NULL OR amount IS NULL"
        " OR content IS NULL OR delivery IS NULL OR arrival IS NULL OR record IS NULL"
    ),
    "are already posted with other content; validate the partition again": (
        "posted_content <> content AND (posted_delivery, posted_record) <> (delivery, record)"
    ),
    "of rows that are posted by the key that they had before the feed was changed; revert its change, or"
    " reverse these rows first": "posted_content IS NULL AND posted_key IS NOT NULL",
    "have no pinned FX rate; pin the snapshots of their dates": (
        "posted_content IS NULL AND snapshot_id IS NULL"
    ),
    f"do not fit {AMOUNT_TYPE} in the base currency": "snapshot_id IS NOT NULL AND base_amount IS NULL",
}
"""Faults of candidates, each with its SQL condition; a condition may rely on the conditions before it."""

_KEYS: Final = """
SELECT transaction_date, count(DISTINCT row_key), count(*) - count(DISTINCT entry_id)
FROM posting_candidates GROUP BY ALL
"""
