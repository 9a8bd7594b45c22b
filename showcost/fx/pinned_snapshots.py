"""The pinned snapshots: append-only tables in the ledger database, and the queries on them.

A date is pinned once. Later or changed publications of a source never affect it: the difference is
reported and a person decides. If a rate was wrong, a person repins the date (`ledger.fx_repinning`): the new
snapshot becomes the active one and the old one is kept. `snapshot_plan` determines the rates in force,
`conversion` applies them.
The caller opens, locks and closes the connections to the ledger database.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.arrow import CheckedTable
from showcost.core.clock import utc_timestamp
from showcost.core.durable import transaction
from showcost.core.errors import IntegrityError
from showcost.fx.conversion import cross_rate_sql, micro_rate_sql
from showcost.fx.history import RATE_DECIMALS
from showcost.fx.jumps import jumped_sql
from showcost.fx.snapshot_plan import HASH_SQL, ID_SQL, RATE, RATE_TYPE, RateStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import date, datetime

    import duckdb

    from showcost.fx.jumps import JumpRule
    from showcost.fx.snapshot_plan import SnapshotPlan

GUARD_TABLE: Final = "append_only_guard"
"""A table that is always empty. A trigger's body must be a statement on another table; this table receives
the insert that raises, even when the refused statement would affect no row."""


def append_only(table: str) -> tuple[str, ...]:
    """Return the triggers that refuse UPDATE, DELETE and TRUNCATE on a table.

    They cannot refuse DROP; the chain of the audit log reveals it.
    """
    return tuple(
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{event.lower()} BEFORE {event} ON {table}"
        f" FOR EACH STATEMENT INSERT INTO {GUARD_TABLE}"
        f" SELECT error('{table} is append-only: {event} refused')"
        for event in ("UPDATE", "DELETE")
    )


DDL: Final[tuple[str, ...]] = (
    f"CREATE TABLE IF NOT EXISTS {GUARD_TABLE} (refused VARCHAR)",
    """CREATE TABLE IF NOT EXISTS fx_snapshots (
        snapshot_id VARCHAR NOT NULL,
        snapshot_date DATE NOT NULL,
        hash VARCHAR NOT NULL CHECK (length(hash) = 64),
        source VARCHAR NOT NULL,
        source_sha256 VARCHAR NOT NULL CHECK (length(source_sha256) = 64),
        carry_days INTEGER NOT NULL CHECK (carry_days >= 0),
        pinned_at TIMESTAMP NOT NULL)""",
    f"""CREATE TABLE IF NOT EXISTS fx_rates (
        snapshot_id VARCHAR NOT NULL,
        currency VARCHAR NOT NULL,
        rate {RATE_TYPE} NOT NULL CHECK (rate > 0 AND CAST(rate AS DECIMAL(20, {RATE_DECIMALS})) = rate),
        publication_date DATE NOT NULL)""",
    *append_only("fx_snapshots"),
    *append_only("fx_rates"),
    """CREATE TABLE IF NOT EXISTS fx_repins (
        seq BIGINT NOT NULL,
        snapshot_date DATE NOT NULL,
        replaced VARCHAR NOT NULL,
        snapshot_id VARCHAR NOT NULL,
        decided_at TIMESTAMP NOT NULL,
        who VARCHAR NOT NULL,
        why VARCHAR NOT NULL)""",
    *append_only("fx_repins"),
)
"""The tables and their triggers; each statement can be repeated. `pinned_at` is in UTC. `rate` is units per
euro, with at most the decimals of the exact conversion. `source_sha256` is the file from which the newest
publication of the snapshot was read. A row of `fx_repins` says that from the audit record `seq` on the active
snapshot of a date is `snapshot_id` instead of `replaced`; `decided_at` is in UTC."""


IDENTITY: Final = "base"
"""The snapshot of entries in the base currency: they are converted by no rate, and wait for none.

Entries that were posted before name a pinned snapshot, and their rates in it.
"""

MICRO: Final = 1_000_000
"""The rate 1 in millionths."""


def with_rates(entries: str, as_of: int | None = None) -> str:
    """Return the SQL after FROM that reads entries with the rates by which a report converts them.

    An entry in the base currency has the snapshot of its transaction date and the rate of the base in it, as
    of an audit record, or now; null where there is none. All others are as posted.
    """
    return f"""(
        SELECT entries.* REPLACE (
            CASE WHEN entries.snapshot_id = '{IDENTITY}' THEN dated.snapshot_id ELSE entries.snapshot_id END
                AS snapshot_id,
            CASE WHEN entries.snapshot_id = '{IDENTITY}' THEN of_base.rate ELSE eur_rate_original END
                AS eur_rate_original)
        FROM {entries} AS entries
        LEFT JOIN {active_snapshots(as_of)} AS dated
            ON entries.snapshot_id = '{IDENTITY}' AND dated.snapshot_date = entries.transaction_date
        LEFT JOIN fx_rates AS of_base
            ON of_base.snapshot_id = dated.snapshot_id AND of_base.currency = entries.base_currency)"""


def active_snapshots(as_of: int | None = None) -> str:
    """Return the SQL after FROM that reads the active snapshot of each date, as of an audit record, or now.

    Without repins that is every snapshot. The time at which a date was first pinned is not considered.
    """
    until = "" if as_of is None else f" WHERE seq <= {int(as_of)}"
    return (
        "(SELECT fx_snapshots.* FROM fx_snapshots"
        f" LEFT JOIN (SELECT snapshot_date, arg_max(snapshot_id, seq) AS latest FROM fx_repins{until}"
        " GROUP BY ALL) USING (snapshot_date)"
        " LEFT JOIN (SELECT snapshot_date, arg_min(replaced, seq) AS original FROM fx_repins GROUP BY ALL)"
        " USING (snapshot_date)"
        f" WHERE snapshot_id = coalesce(latest, {'NULL' if as_of is None else 'original'}, snapshot_id))"
    )


@dataclass(frozen=True)
class SnapshotDifference:
    """A date whose pinned snapshot differs: the recorded hash, and the computed one (None without rates)."""

    snapshot_date: date
    snapshot_id: str
    recorded: str
    computed: str | None


@dataclass(frozen=True)
class PinResult:
    """The result of pinning, by date of the plan.

    `pinned` are new; `kept` were pinned earlier and are unchanged; of those, `differing` would be pinned
    differently today (a warning: the source has changed its past). `pending` and `missing` have no snapshot.
    """

    pinned: tuple[date, ...]
    kept: tuple[date, ...]
    differing: tuple[SnapshotDifference, ...]
    pending: tuple[date, ...]
    missing: tuple[date, ...]


def pin(
    connection: duckdb.DuckDBPyConnection,
    plan: SnapshotPlan,
    pinned_at: datetime,
    before_commit: Callable[[Sequence[date]], None] | None = None,
) -> PinResult:
    """Pin the snapshots of a plan for the dates that have none, in one transaction of its own.

    `pinned_at` is recorded in UTC; the hash does not cover it. Before the commit the hashes of the new
    snapshots are recomputed from the tables; IntegrityError if they differ, and nothing is pinned.
    `before_commit` is called within the transaction, with the new dates, if there are any.
    """
    pinned_at = utc_timestamp(pinned_at)
    planned = plan.states.column("date").to_pylist()
    with (
        _tables(connection, plan_snapshots=plan.snapshots, plan_rates=plan.rate_states),
        transaction(connection, Path("fx_snapshots")),
    ):
        kept = _pinned_dates(connection, planned)
        differing = _differing(connection, planned, plan.last_publication)
        new_dates = _dates(connection.sql(_UNPINNED_SQL).to_arrow_table())
        with _tables(connection, unpinned_dates=pa.table({"date": pa.array(new_dates, pa.date32())})):
            connection.execute(_INSERT_SNAPSHOTS_SQL, {"pinned_at": pinned_at})
            connection.execute(_INSERT_RATES_SQL)
        if wrong := verify(connection, new_dates):
            raise IntegrityError(
                f"fx snapshot of {wrong[0].snapshot_date}: the stored rates differ from those to be pinned"
            )
        if new_dates and before_commit is not None:
            before_commit(new_dates)
    pinned_before = frozenset(kept)
    return PinResult(
        pinned=new_dates,
        kept=kept,
        differing=differing,
        pending=tuple(day for day in plan.dates(RateStatus.PENDING) if day not in pinned_before),
        missing=tuple(day for day in plan.dates(RateStatus.MISSING) if day not in pinned_before),
    )


def verify(
    connection: duckdb.DuckDBPyConnection, dates: Collection[date] | None = None
) -> tuple[SnapshotDifference, ...]:
    """Recompute the hash of every pinned snapshot (of `dates`, or all) and return the differences.

    A snapshot without rates, an id that does not match its hash and a date pinned twice differ as well.
    """
    rows = connection.execute(_VERIFY_SQL, {"dates": None if dates is None else list(dates)}).fetchall()
    return tuple(SnapshotDifference(*row) for row in rows)


def rate_status(
    connection: duckdb.DuckDBPyConnection,
    plan: SnapshotPlan,
    currencies: Iterable[str],
    base: str,
    rule: JumpRule | None = None,
) -> pa.Table:
    """Return the status of converting each currency into the base on each date of the plan.

    Columns: date, currency, status (`RateStatus` text), rate (units per euro), publication_date,
    snapshot_id; one row per date and currency, including codes that no source quotes. Rates are from the
    pinned snapshots only; the plan only determines if a date without a snapshot is pending or missing. The
    rate is null unless the status is ok, which requires a rate of the base as well. A rate that jumped by
    `rule` (None: no rate) is not ok until a person accepts or replaces it; an amount in the base needs none.
    """
    codes = pa.table({"currency": pa.array(sorted({*currencies, base}), pa.string())})
    dates = plan.states.column("date").to_pylist()
    changed = pa.table(
        {"date": pa.array([item.snapshot_date for item in verify(connection, dates)], pa.date32())}
    )
    jumps = NO_JUMPS if rule is None else pinned_jumps(connection, dates, rule)
    with _tables(
        connection,
        plan_states=plan.states,
        plan_rates=plan.rate_states,
        codes=codes,
        changed=changed,
        jumps=jumps,
    ):
        return connection.sql(_STATUS_SQL, params={"base": base}).to_arrow_table()


NO_JUMPS: Final = pa.schema(
    [("date", pa.date32()), ("currency", pa.string()), ("rate", RATE), ("publication_date", pa.date32())]
).empty_table()


def pinned_jumps(connection: duckdb.DuckDBPyConnection, dates: Collection[date], rule: JumpRule) -> pa.Table:
    """Return the pinned rates of dates that jumped and that no person accepted.

    Columns: date, currency, rate, publication_date, ordered by the first two.
    """
    with _tables(connection, rates_before=rule.before, accepted_rates=rule.accepted):
        return connection.sql(
            _JUMPS_SQL, params={"dates": list(dates), "percent": rule.percent}
        ).to_arrow_table()


DENSE_RATES: Final = pa.schema(
    [
        ("date", pa.date32()),
        ("currency", pa.string()),
        ("snapshot_id", pa.string()),
        ("eur_rate_original", RATE),
        ("eur_rate_base", RATE),
        ("micro_original", pa.int64()),
        ("micro_base", pa.int64()),
        ("rate", pa.decimal128(28, 10)),
        ("rate_date", pa.date32()),
    ]
)


class DenseRates(CheckedTable):
    """The rates that the conversion joins on (date, currency); a pair without a rate has no row.

    `eur_rate_original` and `eur_rate_base` are units per euro, `micro_original` and `micro_base` the same in
    millionths, for `conversion_sql`. `rate` is units of the base per unit of the currency, with ten decimals,
    for display; `rate_date` is the older publication date of the two rates. The base currency needs no rate:
    both are 1, of the snapshot `IDENTITY` and of the date itself.
    """

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return DENSE_RATES


def dense_rates(connection: duckdb.DuckDBPyConnection, dates: Collection[date], base: str) -> DenseRates:
    """Return the rates of dates, from pinned snapshots only.

    Raises IntegrityError when a snapshot of these dates was changed after it was
    pinned.
    """
    if changed := verify(connection, dates):
        named = ", ".join(str(item.snapshot_date) for item in changed[:3])
        raise IntegrityError(
            f"{len(changed)} pinned FX snapshot(s) changed, the first of {named}: restore the ledger"
        )
    return DenseRates(
        connection.sql(_DENSE_SQL, params={"dates": list(dates), "base": base}).to_arrow_table()
    )


_UNPINNED_SQL: Final = """
SELECT snapshot_date AS date FROM plan_snapshots
ANTI JOIN fx_snapshots USING (snapshot_date) ORDER BY snapshot_date
"""

_INSERT_SNAPSHOTS_SQL: Final = """
INSERT INTO fx_snapshots BY NAME
SELECT snapshot_id, snapshot_date, hash, source, source_sha256, carry_days,
    CAST($pinned_at AS TIMESTAMP) AS pinned_at
FROM plan_snapshots SEMI JOIN unpinned_dates ON unpinned_dates.date = snapshot_date ORDER BY snapshot_date
"""

_INSERT_RATES_SQL: Final = f"""
INSERT INTO fx_rates BY NAME
SELECT snapshot_id, currency, rate, publication_date
FROM plan_snapshots JOIN plan_rates ON plan_rates.date = snapshot_date
SEMI JOIN unpinned_dates ON unpinned_dates.date = snapshot_date
WHERE status = '{RateStatus.OK}' ORDER BY snapshot_date, currency
"""

_DIFFERING_SQL: Final = f"""
SELECT pinned.snapshot_date, pinned.snapshot_id, pinned.hash, planned.hash
FROM {active_snapshots()} AS pinned LEFT JOIN plan_snapshots AS planned USING (snapshot_date)
WHERE list_contains($dates, pinned.snapshot_date) AND planned.hash IS DISTINCT FROM pinned.hash
    AND (planned.hash IS NOT NULL OR pinned.snapshot_date <= $last_publication)
ORDER BY pinned.snapshot_date
"""

_VERIFY_SQL: Final = f"""
WITH chosen AS (
    SELECT * FROM fx_snapshots
    WHERE CAST($dates AS DATE[]) IS NULL OR list_contains(CAST($dates AS DATE[]), snapshot_date)),
recomputed AS (
    SELECT snapshot_id, {HASH_SQL} AS computed
    FROM chosen JOIN fx_rates USING (snapshot_id) GROUP BY snapshot_id)
SELECT snapshot_date, snapshot_id, hash, computed
FROM chosen LEFT JOIN recomputed USING (snapshot_id)
QUALIFY computed IS DISTINCT FROM hash OR snapshot_id <> {ID_SQL}
    OR count(*) OVER (PARTITION BY snapshot_id) > 1
    OR count(*) FILTER (snapshot_id NOT IN (SELECT snapshot_id FROM fx_repins))
        OVER (PARTITION BY snapshot_date) > 1
ORDER BY snapshot_date, snapshot_id
"""

# A date that was pinned twice or altered is `changed` for every currency; its rates are not returned.
_STATUS_SQL: Final = f"""
WITH pinned AS (
    SELECT snapshot_date AS date, any_value(snapshot_id) AS snapshot_id FROM {active_snapshots()}
    GROUP BY ALL),
single AS (
    SELECT plan_states.date, codes.currency, pinned.snapshot_id, fx_rates.rate, fx_rates.publication_date,
        CASE
            WHEN changed.date IS NOT NULL THEN '{RateStatus.CHANGED}'
            WHEN pinned.snapshot_id IS NULL THEN
                CASE WHEN plan_rates.status IN ('{RateStatus.OK}', '{RateStatus.PENDING}')
                THEN '{RateStatus.PENDING}' ELSE '{RateStatus.MISSING}' END
            WHEN fx_rates.rate IS NULL THEN '{RateStatus.MISSING}'
            WHEN jumps.rate IS NOT NULL THEN '{RateStatus.JUMPED}'
            ELSE '{RateStatus.OK}' END AS status
    FROM plan_states CROSS JOIN codes
    LEFT JOIN plan_rates ON plan_rates.date = plan_states.date AND plan_rates.currency = codes.currency
    LEFT JOIN pinned ON pinned.date = plan_states.date
    LEFT JOIN changed ON changed.date = plan_states.date
    LEFT JOIN fx_rates ON changed.date IS NULL
        AND fx_rates.snapshot_id = pinned.snapshot_id AND fx_rates.currency = codes.currency
    LEFT JOIN jumps ON jumps.date = plan_states.date AND jumps.currency = codes.currency),
paired AS (
    SELECT single.*, CASE
        -- An amount in the base currency is converted by no rate.
        WHEN single.currency = $base AND single.status <> '{RateStatus.CHANGED}' THEN '{RateStatus.OK}'
        WHEN single.status = '{RateStatus.OK}' THEN of_base.status ELSE
        CASE WHEN of_base.status = '{RateStatus.MISSING}' THEN of_base.status ELSE single.status END
        END AS pair_status
    FROM single JOIN (SELECT date, status FROM single WHERE currency = $base) AS of_base USING (date))
SELECT date, currency, pair_status AS status,
    CASE WHEN pair_status = '{RateStatus.OK}' THEN rate END AS rate,
    CASE WHEN pair_status = '{RateStatus.OK}' THEN publication_date END AS publication_date,
    snapshot_id
FROM paired ORDER BY date, currency
"""

_JUMPS_SQL: Final = f"""
SELECT pinned.snapshot_date AS date, fx_rates.currency, fx_rates.rate, fx_rates.publication_date
FROM {active_snapshots()} AS pinned JOIN fx_rates USING (snapshot_id)
JOIN rates_before ON rates_before.date = publication_date AND rates_before.currency = fx_rates.currency
WHERE list_contains(CAST($dates AS DATE[]), pinned.snapshot_date)
    AND {jumped_sql("fx_rates.rate", "rates_before.rate")}
    AND (publication_date, fx_rates.currency, fx_rates.rate)
        NOT IN (SELECT (date, currency, rate) FROM accepted_rates)
ORDER BY ALL
"""

_DENSE_SQL: Final = f"""
WITH pairs AS (
    SELECT snapshot_date AS date, original.currency, snapshot_id,
        original.rate AS eur_rate_original, of_base.rate AS eur_rate_base,
        {micro_rate_sql("original.rate")} AS micro_original, {micro_rate_sql("of_base.rate")} AS micro_base,
        least(original.publication_date, of_base.publication_date) AS rate_date
    FROM {active_snapshots()}
    JOIN fx_rates AS original USING (snapshot_id) JOIN fx_rates AS of_base USING (snapshot_id)
    WHERE of_base.currency = $base AND original.currency <> $base
        AND list_contains(CAST($dates AS DATE[]), snapshot_date)
    UNION ALL BY NAME
    SELECT DISTINCT day AS date, CAST($base AS VARCHAR) AS currency, '{IDENTITY}' AS snapshot_id,
        CAST(1 AS {RATE_TYPE}) AS eur_rate_original, CAST(1 AS {RATE_TYPE}) AS eur_rate_base,
        CAST({MICRO} AS BIGINT) AS micro_original, CAST({MICRO} AS BIGINT) AS micro_base, day AS rate_date
    FROM (SELECT unnest(CAST($dates AS DATE[])) AS day))
SELECT * EXCLUDE (rate_date), {cross_rate_sql("micro_original", "micro_base")} AS rate, rate_date
FROM pairs ORDER BY date, currency
"""


def _pinned_dates(connection: duckdb.DuckDBPyConnection, dates: list[date]) -> tuple[date, ...]:
    return _dates(
        connection.sql(
            "SELECT DISTINCT snapshot_date AS date FROM fx_snapshots"
            " WHERE list_contains(CAST($dates AS DATE[]), snapshot_date) ORDER BY date",
            params={"dates": dates},
        ).to_arrow_table()
    )


def _differing(
    connection: duckdb.DuckDBPyConnection, dates: list[date], last_publication: date
) -> tuple[SnapshotDifference, ...]:
    # A date after the last publication does not differ: the given file may be older than the pinned file.
    limits = {"dates": dates, "last_publication": last_publication}
    return tuple(SnapshotDifference(*row) for row in connection.execute(_DIFFERING_SQL, limits).fetchall())


def _dates(table: pa.Table) -> tuple[date, ...]:
    return tuple(table.column("date").to_pylist())


@contextmanager
def _tables(connection: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Iterator[None]:
    """Register Arrow tables with a connection under their names, for the duration of a block."""
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)
