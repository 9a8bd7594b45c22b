"""The tables of the ledger database, the triggers that keep them append-only, and their check.

The tables of the pinned rates are in `showcost.fx.pinned_snapshots`. Nothing here reads or writes rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from showcost.config.record_kinds import ENTRY_FIELDS
from showcost.core.engine import config
from showcost.fx.conversion import AMOUNT_TYPE, CROSS_RATE_TYPE
from showcost.fx.pinned_snapshots import DDL as FX_DDL
from showcost.fx.pinned_snapshots import append_only
from showcost.fx.snapshot_plan import RATE_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 9
"""Raised with every change of a table; a ledger of another version is not opened."""


@dataclass(frozen=True)
class Column:
    """A column: name, type in DuckDB's notation, description, and if it may be null.

    The digest covers the `content` columns, from line version `since` on; the other columns depend on the
    order of landing and posting.
    """

    name: str
    type: str
    description: str
    nullable: bool = False
    content: bool = True
    since: int = 1
    default: str | None = None

    @property
    def type_name(self) -> str:
        """The type as DuckDB writes it."""
        return self.type

    @property
    def definition(self) -> str:
        """The column as CREATE TABLE has it."""
        default = f" DEFAULT {self.default}" if self.default is not None else ""
        return f'"{self.name}" {self.type}{default}{"" if self.nullable else " NOT NULL"}'


LINE_VERSION: Final = 2
"""The version of the canonical line of entries that are posted now."""

FIRST_LINE_VERSION: Final = 1
"""The version of the entries of schema version 7 and before, which have no version of their own."""

_FIELD_DESCRIPTIONS: Final = {
    "po_no": "purchase order",
    "vendor_country": "ISO 3166 country of the vendor's tax id",
    "tax_code": "tax code of the invoice line",
    "service_from": "first day of the service",
    "service_to": "last day of the service",
    "due_date": "date on which payment is due",
    "jurisdiction": "country or state in which the service was performed",
    "loan_out": "whether a loan-out company is paid",
    "earning_type": "kind of pay: work, overtime, allowance, premium, adjustment",
}

ENTRY_COLUMNS: Final = (
    Column("entry_id", "VARCHAR", "hash of production, feed, key, component and revision, 32 hex digits"),
    Column("batch_id", "VARCHAR", "the batch in which the entry was posted", content=False),
    Column("entry_kind", "VARCHAR", "posting or reversal"),
    Column("generation", "INTEGER", "1 for the first posting of the key, one more after each reversal"),
    Column("reverses", "VARCHAR", "for a reversal, the entry that it negates", nullable=True),
    Column("component", "VARCHAR", "part of the row: net, tax, fee, deposit, gross, benefit"),
    Column("transaction_date", "DATE", "date of the cost, by which the ledger is partitioned"),
    Column("production", "VARCHAR", "code of the production"),
    Column("feed", "VARCHAR", "the feed that delivered the row"),
    Column("record_kind", "VARCHAR", "record kind of the row"),
    Column("row_key", "VARCHAR", "hash of the row's key"),
    Column("content", "VARCHAR", "hash of the row's typed values"),
    Column("delivery", "VARCHAR", "sha256 of the delivery's bytes"),
    # The delivery's number depends on the order of landing; the register maps it to the sha256 above.
    Column("arrival", "BIGINT", "number of the delivery in the register", content=False),
    Column("record", "BIGINT", "number of the record in the delivery"),
    Column("account", "VARCHAR", "account of the chart"),
    Column("union_category", "VARCHAR", "union whose agreement covers the account", nullable=True),
    Column("vendor_code", "VARCHAR", "vendor", nullable=True),
    Column("vendor_name", "VARCHAR", "name of the vendor or payroll company", nullable=True),
    Column("description", "VARCHAR", "goods or services supplied", nullable=True),
    Column("series", "VARCHAR", "episode or series", nullable=True),
    Column("location", "VARCHAR", "location code", nullable=True),
    Column("set_code", "VARCHAR", "set code", nullable=True),
    Column("document_no", "VARCHAR", "invoice, permit or payroll invoice", nullable=True),
    Column("currency", "VARCHAR", "original currency"),
    Column("amount", AMOUNT_TYPE, "original amount"),
    Column("base_currency", "VARCHAR", "base currency of the production"),
    Column("base_amount", AMOUNT_TYPE, "amount in base, rounded once, halves away from zero"),
    Column("eur_rate_original", RATE_TYPE, "units of the original currency per euro"),
    Column("eur_rate_base", RATE_TYPE, "units of the base currency per euro"),
    Column("rate", CROSS_RATE_TYPE, "units of base per unit of the original currency, rounded for display"),
    Column("rate_date", "DATE", "publication date of the older of the two rates"),
    Column("snapshot_id", "VARCHAR", "the pinned FX snapshot"),
    Column("fx_policy", "VARCHAR", "policy for choosing rates and rounding"),
    Column(
        "pay_rules", "VARCHAR", "agreement, version and hash of the pay rules of a payroll row", nullable=True
    ),
    Column("flags", "VARCHAR[]", "warning codes of the entry"),
    Column(
        "line_version",
        "INTEGER",
        "version of the canonical line that the digest covers",
        content=False,
        default=str(FIRST_LINE_VERSION),
    ),
    Column(
        "document_id", "VARCHAR", "shared by all entries of a document; 32 hex digits", nullable=True, since=2
    ),
    *(
        Column(name, type_, _FIELD_DESCRIPTIONS[name], nullable=True, since=2)
        for name, type_ in ENTRY_FIELDS.items()
    ),
)
"""An entry: one component of one valid row, in its currency and in base.

`component` is the part of the row (net, tax, fee, deposit, gross, benefit), `row_key` and `content` are
hashes of the row's key and of its typed values, `record` its place in the delivery. The two EUR rates are
units per euro, `rate` is units of base per unit of `currency`, rounded for display only. `vendor_name`
never names an employee. A reversal equals the entry that it negates, at the same rates, except for its id,
batch, kind, `reverses`, and the opposite sign of both amounts.
"""

_ENTRIES: Final = "CREATE TABLE ledger_entries ({})".format(
    ", ".join(column.definition for column in ENTRY_COLUMNS)
)

_BATCHES: Final = """
CREATE TABLE batches (
    batch_id VARCHAR NOT NULL,
    seq BIGINT NOT NULL,               -- number of the audit record that announced it
    feed VARCHAR NOT NULL,
    partition_date DATE NOT NULL,
    run_id VARCHAR NOT NULL,
    posted_at TIMESTAMP NOT NULL,      -- UTC
    row_count BIGINT NOT NULL,
    entry_count BIGINT NOT NULL,
    totals VARCHAR NOT NULL,           -- JSON: currency to the sum of amounts
    base_currency VARCHAR NOT NULL,
    base_total DECIMAL(38,4) NOT NULL,
    digest VARCHAR NOT NULL,
    snapshot_ids VARCHAR[] NOT NULL
)
"""

_CHAIN_HEADS: Final = (
    "CREATE TABLE chain_heads (seq BIGINT NOT NULL, hash VARCHAR NOT NULL, kind VARCHAR NOT NULL)"
)
"""Per transaction, the number, hash and kind of its audit record."""

DECISION_COLUMNS: Final[Mapping[str, str]] = {
    "seq": "BIGINT",
    "number": "INTEGER",
    "decided_at": "TIMESTAMP",
    "row_id": "VARCHAR",
    "feed": "VARCHAR",
    "delivery": "VARCHAR",
    "record": "BIGINT",
    "decision": "VARCHAR",
    "fields": "VARCHAR",
    "codes": "VARCHAR[]",
    "who": "VARCHAR",
    "why": "VARCHAR",
}
"""A person's decision on a row: `seq` is the audit record, `number` the place within it.

`decided_at` is UTC, `fields` a JSON object of field to text, `codes` are the waived reason codes.
"""

_DECISIONS: Final = "CREATE TABLE row_decisions ({})".format(
    ", ".join(f"{name} {type_} NOT NULL" for name, type_ in DECISION_COLUMNS.items())
)

_PERIODS: Final = """
CREATE TABLE period_decisions (
    seq BIGINT NOT NULL,
    decided_at TIMESTAMP NOT NULL,     -- UTC
    name VARCHAR NOT NULL,
    closed BOOLEAN NOT NULL,
    first_date DATE NOT NULL,
    last_date DATE NOT NULL,
    who VARCHAR NOT NULL,
    why VARCHAR NOT NULL
)
"""

ACCRUAL: Final = "accrual"
RELEASE: Final = "release"

ACCRUAL_COLUMNS: Final = (
    Column("accrual_id", "VARCHAR", "hash of production, feed, day, vendor and account, 32 hex digits"),
    Column("event", "VARCHAR", f"{ACCRUAL}, or {RELEASE}: its exact negation"),
    Column("production", "VARCHAR", "code of the production"),
    Column("feed", "VARCHAR", "the feed whose invoices are missing"),
    Column("transaction_date", "DATE", "the vendor's day"),
    Column("vendor_code", "VARCHAR", "vendor"),
    Column("account", "VARCHAR", "account of the chart"),
    Column("description", "VARCHAR", "goods or services supplied"),
    Column("due_date", "DATE", "due date by the vendor's terms"),
    Column("currency", "VARCHAR", "currency of the terms"),
    Column("amount", AMOUNT_TYPE, "cost of the day by the vendor's terms"),
    Column("base_currency", "VARCHAR", "base currency of the production"),
    Column("base_amount", AMOUNT_TYPE, "amount in base; null while no rate was pinned", nullable=True),
    Column("rate", CROSS_RATE_TYPE, "units of base per unit of the currency", nullable=True),
    Column("eur_rate_original", RATE_TYPE, "units of the currency per euro", nullable=True),
    Column("eur_rate_base", RATE_TYPE, "units of the base currency per euro", nullable=True),
    Column("rate_date", "DATE", "publication date of the older of the two rates", nullable=True),
    Column(
        "snapshot_id", "VARCHAR", "the newest snapshot pinned for the day or an earlier day", nullable=True
    ),
    Column("because", "VARCHAR", "the dead letter, or for a release the delivery that replaces the accrual"),
    Column("recorded_at", "TIMESTAMP", "time of recording, UTC"),
)

_ACCRUALS: Final = "CREATE TABLE provisional_accruals ({}, CHECK (event IN ('{}', '{}')))".format(
    ", ".join(
        f"{column.name} {column.type}{'' if column.nullable else ' NOT NULL'}" for column in ACCRUAL_COLUMNS
    ),
    ACCRUAL,
    RELEASE,
)

PLAN_LINE: Final = "line"
PLAN_WITHDRAWAL: Final = "withdrawal"

PLAN_FIELDS: Final = (
    Column("account", "VARCHAR", "account of the chart"),
    Column("series", "VARCHAR", "episode or series", nullable=True),
    Column("location", "VARCHAR", "location code", nullable=True),
    Column("set", "VARCHAR", "set code", nullable=True),
    Column("currency", "VARCHAR", "currency of the amount"),
    Column("amount", AMOUNT_TYPE, "amount ordered, estimated, or added to the budget"),
    Column("po_no", "VARCHAR", "purchase order", nullable=True),
    Column("line_no", "VARCHAR", "line of the purchase order", nullable=True),
    Column("vendor_code", "VARCHAR", "vendor of a purchase order", nullable=True),
    Column("vendor_name", "VARCHAR", "name of the vendor", nullable=True),
    Column("description", "VARCHAR", "goods or services ordered", nullable=True),
    Column("service_from", "DATE", "first day of the service", nullable=True),
    Column("service_to", "DATE", "last day of the service", nullable=True),
    Column(
        "is_closed", "BOOLEAN", "whether an order line is closed; null for the other kinds", nullable=True
    ),
    Column("revision_no", "VARCHAR", "budget revision", nullable=True),
    Column("stated_by", "VARCHAR", "who made the estimate or approved the revision", nullable=True),
    Column("reason", "VARCHAR", "reason for the estimate or revision", nullable=True),
)
"""The columns of a plan line that are fields of its record kind; null where the kind has no such field."""

PLAN_COLUMNS: Final = (
    Column("seq", "BIGINT", "number of the audit record that announced it"),
    Column("line_id", "VARCHAR", "hash of production, feed, key and revision, 32 hex digits"),
    Column("line_kind", "VARCHAR", f"{PLAN_LINE}, or {PLAN_WITHDRAWAL} of a line by a decision"),
    Column("generation", "INTEGER", "1 for the first line of the key, one more after each withdrawal"),
    Column("withdraws", "VARCHAR", "for a withdrawal, the line", nullable=True),
    Column("production", "VARCHAR", "code of the production"),
    Column("feed", "VARCHAR", "the feed that delivered the row"),
    Column("record_kind", "VARCHAR", "purchase_order, estimate or budget_revision"),
    Column("row_key", "VARCHAR", "hash of the row's key"),
    Column("content", "VARCHAR", "hash of the row's typed values"),
    Column("delivery", "VARCHAR", "sha256 of the delivery's bytes"),
    Column("arrival", "BIGINT", "number of the delivery in the register"),
    Column("record", "BIGINT", "number of the record in the delivery"),
    Column("stated_on", "DATE", "date from which the line holds, its transaction date"),
    Column("flags", "VARCHAR[]", "warning codes of the row"),
    *PLAN_FIELDS,
)
"""A plan line: a valid row of a purchase order, an estimate to complete or a budget revision.

It is not a ledger entry and not a cost: it has no rate, no component and no contra. A withdrawal repeats the
line that it takes back, except for its id, kind, `withdraws` and `seq`.
"""

_PLAN_DDL: Final = (
    "CREATE TABLE plan_lines ({}, CHECK (line_kind IN ('{}', '{}')))".format(
        ", ".join(column.definition for column in PLAN_COLUMNS), PLAN_LINE, PLAN_WITHDRAWAL
    ),
    *append_only("plan_lines"),
)

_PROVISIONAL_DDL: Final = (
    _ACCRUALS,
    *append_only("provisional_accruals"),
)

_FALLBACK_DDL: Final = (
    """CREATE TABLE fallback_steps (
        feed VARCHAR NOT NULL,
        transaction_date DATE NOT NULL,
        step VARCHAR NOT NULL,
        because VARCHAR NOT NULL,
        detail VARCHAR NOT NULL,
        recorded_at TIMESTAMP NOT NULL)    -- UTC""",
    *append_only("fallback_steps"),
)

APPEND_ONLY: Final = (
    *("schema_version", "batches", "ledger_entries", "chain_heads"),
    *("row_decisions", "period_decisions"),
)
"""The tables of this module that triggers protect; `FX_DDL` has the triggers of the rates."""

DDL: Final = (
    *FX_DDL,
    "CREATE TABLE schema_version (version INTEGER NOT NULL)",
    _BATCHES,
    _ENTRIES,
    _CHAIN_HEADS,
    _DECISIONS,
    _PERIODS,
    *(trigger for table in APPEND_ONLY for trigger in append_only(table)),
    *_PROVISIONAL_DDL,
    *_FALLBACK_DDL,
    *_PLAN_DDL,
)


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Create all tables and triggers in an empty database."""
    for statement in DDL:
        connection.execute(statement)
    connection.execute("INSERT INTO schema_version VALUES ($version)", {"version": VERSION})


def version_of(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the schema version of a database, or None if it is not a ledger."""
    try:
        # fetchall, because a result that is not read to its end blocks the connection.
        rows: list[tuple[int | None]] = connection.execute(
            "SELECT max(version) FROM schema_version"
        ).fetchall()
    except duckdb.CatalogException:
        return None
    return rows[0][0]


def differences(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the differences of tables and triggers from those of `create`, a sentence each; sorted.

    Foreign tables and views are allowed; a foreign trigger is not, because it can write or refuse unnoticed.
    """
    with duckdb.connect(":memory:", config=config()) as reference:
        create(reference)
        return differences_from(connection, _objects(reference))


def differences_from(connection: duckdb.DuckDBPyConnection, expected: Mapping[str, str]) -> list[str]:
    """Return the same against `expected`: the SQL of each table and trigger by its name."""
    actual = _objects(connection)
    missing = [f"{name} is missing" for name in expected if name not in actual]
    changed = [f"{name} was changed" for name, sql in expected.items() if actual.get(name, sql) != sql]
    foreign = [
        f"{name} is not part of the schema" for name in actual.keys() - expected.keys() if "trigger" in name
    ]
    return sorted([*missing, *changed, *foreign])


def _objects(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the tables and triggers of a database with the SQL that creates each."""
    rows = connection.execute(
        """
        SELECT 'the table ' || table_name, sql FROM duckdb_tables()
        WHERE NOT temporary AND schema_name = 'main'
        UNION ALL
        SELECT 'the trigger ' || trigger_name || ' of ' || table_name, sql FROM duckdb_triggers()
        ORDER BY ALL
        """
    ).fetchall()
    return dict(rows)
