"""From valid rows to the entries that they would be: expanded, converted, matched with what is posted.

A valid row has these columns, and may have more:

- transaction_date (date32), row_key, content, delivery (text), arrival, record (int64),
- currency, vendor_code, vendor_name, description, series, location, set (text),
- flags (list of text), components (list of struct of component, account, union_category (text) and
  amount (decimal128(18, 4))), and the field of its record kind that numbers the document.

Appending them is the business of `posting`; deciding that a row is valid is that of the validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from showcost.core.errors import CheckFailedError, InputError
from showcost.core.hashing import SHORT
from showcost.core.money import AMOUNT_DIGITS, AMOUNT_SCALE
from showcost.fx.conversion import AMOUNT_TYPE, conversion_sql, policy_stamp
from showcost.fx.store import dense_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import duckdb

DOCUMENT_FIELDS: Final = {
    "vendor_invoice": "invoice_no",
    "location_permit": "permit_id",
    "payroll": "payroll_invoice_no",
}
"""The field that numbers the document, by record kind."""

FRESH: Final = "posting_candidates WHERE posted_content IS NULL"
"""What is to be appended, as it follows FROM; the temporary table is made by `prepare`."""

_AMOUNT: Final = pa.decimal128(AMOUNT_DIGITS, AMOUNT_SCALE)
_TEXTS: Final = (
    *("row_key", "content", "delivery", "currency"),
    *("vendor_code", "vendor_name", "description", "series", "location", "set"),
)


@dataclass(frozen=True)
class Terms:
    """What all rows of a posting have in common."""

    production: str
    base_currency: str
    feed: str
    record_kind: str

    @property
    def document(self) -> str:
        """The column of the valid rows that numbers the document."""
        return DOCUMENT_FIELDS[self.record_kind]


@dataclass(frozen=True)
class ValidRows:
    """Valid rows as DuckDB can read them: an Arrow table, or Parquet files that the caller has verified."""

    rows: pa.Table | Sequence[Path]

    @property
    def is_empty(self) -> bool:
        """Whether there are no rows, or no files of rows, at all."""
        return len(self.rows) == 0

    def check_columns(self, document: str) -> None:
        """Raise InputError, naming file and column, unless every column is there in its type."""
        if isinstance(self.rows, pa.Table):
            _check_schema(self.rows.schema, document, "valid rows")
            return
        for path in self.rows:
            _check_schema(pq.read_schema(path), document, str(path))

    def as_view(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection see the rows as `valid_rows`."""
        if isinstance(self.rows, pa.Table):
            connection.register("valid_rows", self.rows)
        else:
            connection.read_parquet([str(path) for path in self.rows]).create_view("valid_rows")

    def counts(self, connection: duckdb.DuckDBPyConnection) -> dict[date, int]:
        """Return the rows per transaction date, in order."""
        found = "SELECT transaction_date, count(*) FROM valid_rows GROUP BY ALL ORDER BY ALL"
        return dict(connection.execute(found).fetchall())


def prepare(
    connection: duckdb.DuckDBPyConnection, terms: Terms, dates: Sequence[date], counts: Mapping[date, int]
) -> None:
    """Make the temporary table `posting_candidates` from the rows of `valid_rows` on `dates` (ascending).

    It has the content columns of `ledger_entries` and `posted_content`, which is null for what is not yet
    posted. `counts` are the rows per date. Raises CheckFailedError, and nothing may be posted then, if a
    row would be lost or doubled, has no pinned rate, or is posted already with other content.
    """
    rates = dense_rates(connection, list(dates), terms.base_currency)
    connection.register("posting_rates", rates)
    connection.register("posting_policies", _policies(connection, dates))
    connection.execute(
        _candidates_sql(terms),
        {
            "production": terms.production,
            "feed": terms.feed,
            "record_kind": terms.record_kind,
            "base_currency": terms.base_currency,
            "first": dates[0],
            "last": dates[-1],
        },
    )
    _refuse_faults(connection, terms.feed)
    _refuse_lost_rows(connection, terms.feed, {day: counts[day] for day in dates})


def _check_schema(schema: pa.Schema, document: str, shown_name: str) -> None:
    for name, expected, fits in _expectations(document):
        position = schema.get_field_index(name)
        if position < 0 or not fits(schema.field(position).type):
            found = "none" if position < 0 else str(schema.field(position).type)
            raise InputError(f"{shown_name}: the column {name} must be {expected}, found {found}")


def _expectations(document: str) -> Iterable[tuple[str, str, Callable[[pa.DataType], bool]]]:
    yield "transaction_date", "a date", pa.types.is_date32
    yield "components", "a list of (component, account, union_category, amount)", _is_components
    yield "flags", "a list of text", lambda kind: _is_list(kind) and _is_text(kind.value_type)
    for name in ("arrival", "record"):
        yield name, "an int64", pa.types.is_int64
    for name in (*_TEXTS, document):
        yield name, "text", _is_text


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_components(kind: pa.DataType) -> bool:
    if not (_is_list(kind) and pa.types.is_struct(kind.value_type)):
        return False
    fields = {field.name: field.type for field in kind.value_type.fields}
    texts = ("component", "account", "union_category")
    return fields.get("amount") == _AMOUNT and all(
        name in fields and _is_text(fields[name]) for name in texts
    )


def _policies(connection: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> pa.Table:
    """Return the policy stamp of each pinned snapshot of the dates."""
    found = connection.execute(
        "SELECT snapshot_id, carry_days FROM fx_snapshots WHERE snapshot_date BETWEEN $first AND $last",
        {"first": dates[0], "last": dates[-1]},
    ).fetchall()
    return pa.table(
        {
            "snapshot_id": pa.array([snapshot for snapshot, _ in found], pa.string()),
            "fx_policy": pa.array([policy_stamp(days) for _, days in found], pa.string()),
        }
    )


def _refuse_faults(connection: duckdb.DuckDBPyConnection, feed: str) -> None:
    for fault, condition in _FAULTS.items():
        entries, first = connection.execute(
            f"SELECT count(*), min(transaction_date) FROM posting_candidates WHERE {condition}"  # noqa: S608
        ).fetchall()[0]
        if entries:
            raise CheckFailedError(f"{feed}, from {first}: {entries} entries {fault}; nothing was posted")


def _refuse_lost_rows(connection: duckdb.DuckDBPyConnection, feed: str, counts: Mapping[date, int]) -> None:
    """Compare, per date, the valid rows with the distinct keys among the entries that came of them."""
    keys: dict[date, tuple[int, int]] = {
        day: (rows, repeated) for day, rows, repeated in connection.execute(_KEYS).fetchall()
    }
    for day, rows in counts.items():
        distinct, repeated = keys.get(day, (0, 0))
        if distinct != rows or repeated:
            raise CheckFailedError(
                f"{feed}, {day}: {rows} valid rows give entries for {distinct} keys and {repeated} entries"
                " twice; nothing was posted"
            )


def _candidates_sql(terms: Terms) -> str:
    base_amount = conversion_sql(
        "keyed.amount", "keyed.currency", "micro_original", "micro_base", terms.base_currency
    )
    return _CANDIDATES.format(document=terms.document, base_amount=base_amount, id_digits=SHORT)


# The entry id is that of showcost.core.ids.entry_id. TRY turns an amount that does not fit into null,
# which _refuse_faults names.
_CANDIDATES: Final = """
CREATE TEMP TABLE posting_candidates AS
WITH lines AS (
    SELECT transaction_date, row_key, content, delivery, arrival, record, currency, flags, vendor_code,
        vendor_name, description, series, location, "set" AS set_code, {document} AS document_no,
        unnest(components) AS line
    FROM valid_rows WHERE transaction_date BETWEEN $first AND $last),
keyed AS (
    SELECT *, line.component AS component, line.account AS account, line.amount AS amount,
        line.union_category AS union_category,
        sha256(CAST(json_array(CAST($production AS VARCHAR), CAST($feed AS VARCHAR), row_key, line.component,
            'posting') AS VARCHAR))[:{id_digits}] AS entry_id
    FROM lines)
SELECT keyed.* EXCLUDE (line) REPLACE (coalesce(list_sort(flags), []) AS flags),
    'posting' AS entry_kind,
    CAST($production AS VARCHAR) AS production,
    CAST($feed AS VARCHAR) AS feed,
    CAST($record_kind AS VARCHAR) AS record_kind,
    CAST($base_currency AS VARCHAR) AS base_currency,
    TRY({base_amount}) AS base_amount,
    eur_rate_original, eur_rate_base, rate, rate_date, snapshot_id, fx_policy,
    posted_content, posted_delivery, posted_record
FROM keyed
LEFT JOIN (
    SELECT entry_id, content AS posted_content, delivery AS posted_delivery, record AS posted_record
    FROM ledger_entries) USING (entry_id)
LEFT JOIN posting_rates ON posting_rates.date = keyed.transaction_date
    AND posting_rates.currency = keyed.currency
LEFT JOIN posting_policies USING (snapshot_id)
"""

_FAULTS: Final = {
    "lack a component, an account, an amount or their source": (
        "component IS NULL OR account IS NULL OR amount IS NULL"
        " OR content IS NULL OR delivery IS NULL OR arrival IS NULL OR record IS NULL"
    ),
    "are posted already with other content; validate the partition again": (
        "posted_content <> content AND (posted_delivery, posted_record) <> (delivery, record)"
    ),
    "have no pinned FX rate; pin the snapshots of their dates": (
        "posted_content IS NULL AND snapshot_id IS NULL"
    ),
    f"do not fit {AMOUNT_TYPE} in the base currency": "snapshot_id IS NOT NULL AND base_amount IS NULL",
}
"""What must not be, with the condition that finds it; a condition may rely on those before it."""

_KEYS: Final = """
SELECT transaction_date, count(DISTINCT row_key), count(*) - count(DISTINCT entry_id)
FROM posting_candidates GROUP BY ALL
"""
