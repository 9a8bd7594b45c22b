"""The rates in force on a date: a pure function of the published history.

The rule. For date D and currency C take P, the latest publication on or before D that quotes C. Its rate
is in force when D is at most `carry_days` after P and no TARGET working day lies after P up to D. If
working days lie between, all of them beyond the last publication of the source, the rate is *pending*:
it will be published. Otherwise it is *missing*: a day left out, a currency not quoted, a carry too long.
The wall clock has no influence. A snapshot has the rates in force on one date, including the euro at 1.

`pinned_snapshots` pins snapshots; nothing here writes.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.arrow import require_columns
from showcost.core.engine import engine
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes
from showcost.fx.calendar import last_working_days
from showcost.fx.history import EURO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from decimal import Decimal

    from showcost.fx.history import RateHistory

RATE_TYPE: Final = "DECIMAL(20, 10)"
"""Units of the currency per one euro, as stored."""

RATE: Final = pa.decimal128(20, 10)
"""`RATE_TYPE` in Arrow."""

STATES: Final = pa.schema([("date", pa.date32()), ("status", pa.string())])
RATE_STATES: Final = pa.schema(
    [
        ("date", pa.date32()),
        ("currency", pa.string()),
        ("status", pa.string()),
        ("rate", RATE),
        ("publication_date", pa.date32()),
    ]
)
SNAPSHOTS: Final = pa.schema(
    [
        ("snapshot_id", pa.string()),
        ("snapshot_date", pa.date32()),
        ("hash", pa.string()),
        ("source", pa.string()),
        ("source_sha256", pa.string()),
        ("carry_days", pa.int32()),
    ]
)

ID_HASH_DIGITS: Final = 12
"""Number of hex digits of the hash in a snapshot's id; the whole hash is stored beside it."""

HASH_FORM: Final = "showcost-fx-snapshot-1"
"""First line of the hashed text: the name of the canonical form, so that another form gives another hash."""


class RateStatus(StrEnum):
    """The status of the rate of a currency on a date."""

    OK = "ok"
    """In force (when built), pinned and unchanged (when read from the store)."""
    PENDING = "pending"
    """Not yet published or not yet pinned: SC-FX-001."""
    MISSING = "missing"
    """There is no rate, and none will be published: SC-FX-002."""
    CHANGED = "changed"
    """The pinned snapshot was changed afterwards: SC-FX-003."""
    JUMPED = "jumped"
    """The pinned rate jumped beyond the limit, and no person accepted it: SC-FX-004."""


@dataclass(frozen=True)
class SnapshotPlan:
    """The rates and snapshots of some dates, by a history; the input of pinning.

    `states`: date, status; one row per given date.
    `rate_states`: date, currency, status, rate, publication_date; dense, every date by every currency of
    the history and the euro; rate and publication date are null unless the status is ok.
    `snapshots`: snapshot_id, snapshot_date, hash, source, source_sha256, carry_days; one row per date whose
    status is ok. Raises IntegrityError for tables with other columns.
    """

    states: pa.Table
    rate_states: pa.Table
    snapshots: pa.Table
    last_publication: date

    def __post_init__(self) -> None:
        require_columns(self.states, STATES, "states of dates")
        require_columns(self.rate_states, RATE_STATES, "states of rates")
        require_columns(self.snapshots, SNAPSHOTS, "snapshots")

    def dates(self, status: RateStatus) -> tuple[date, ...]:
        """Return the dates with that status, in order."""
        rows = zip(*(self.states.column(name).to_pylist() for name in ("date", "status")), strict=True)
        return tuple(day for day, of_day in rows if of_day == status)


def rate_text(rate: Decimal) -> str:
    """Return a rate as canonical text: plain digits, no trailing zeros."""
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def snapshot_hash(snapshot_date: date, rows: Iterable[tuple[str, Decimal, date]]) -> str:
    """Return the hash of a snapshot: sha256 over canonical lines of (currency, rate, publication date).

    It covers the date and the rates, but not their file or the time of pinning. `HASH_SQL` is the same in
    DuckDB; this function is its reference.
    """
    lines = [f"{currency} {rate_text(rate)} {published}" for currency, rate, published in sorted(rows)]
    return sha256_bytes("\n".join([HASH_FORM, str(snapshot_date), *lines]).encode())


def snapshot_id(snapshot_date: date, digest: str) -> str:
    """Return the id of a snapshot: its date, and enough of its hash to distinguish two of one date."""
    return f"ecb-{snapshot_date}-{digest[:ID_HASH_DIGITS]}"


HASH_SQL: Final = f"""sha256('{HASH_FORM}' || chr(10) || any_value(snapshot_date) || chr(10) || string_agg(
    currency || ' ' || rtrim(rtrim(CAST(rate AS VARCHAR), '0'), '.') || ' ' || publication_date,
    chr(10) ORDER BY currency))"""
"""`snapshot_hash` as a DuckDB aggregate over snapshot_date, currency, rate (RATE_TYPE), publication_date.

The cast of a rate always shows ten decimals, so that trimming zeros never eats an integer's."""

ID_SQL: Final = f"'ecb-' || snapshot_date || '-' || hash[:{ID_HASH_DIGITS}]"
"""`snapshot_id` as a DuckDB expression over snapshot_date and hash."""

# Working days are looked up once per date. `last_working` is the last one on or before the date,
# `last_due` the last one that is also within the publications of the source: with a publication older than
# `last_working` the rate is stale, with one older than `last_due` it will never be published. So publications
# older than every `last_due` can be left out of the search.
_QUOTES_SQL: Final = f"""
CREATE TEMP TABLE quotes AS
    SELECT date, currency, CAST(rate AS {RATE_TYPE}) AS rate
    FROM (FROM published UNION ALL SELECT date, '{EURO}', '1' FROM publications)
    WHERE date >= (SELECT min(last_due) FROM given_dates)
"""

_STATES_SQL: Final = f"""
CREATE TEMP TABLE rate_states AS
    WITH codes AS (SELECT unnest($currencies) AS currency),
    latest AS (
        SELECT given_dates.*, codes.currency, quotes.rate, quotes.date AS publication_date
        FROM given_dates CROSS JOIN codes
        ASOF LEFT JOIN quotes ON quotes.currency = codes.currency AND quotes.date <= given_dates.date),
    checked AS (
        SELECT *, CASE
            WHEN publication_date IS NULL OR publication_date < last_due THEN '{RateStatus.MISSING}'
            WHEN publication_date < last_working THEN '{RateStatus.PENDING}'
            WHEN date - publication_date > $carry_days THEN '{RateStatus.MISSING}'
            ELSE '{RateStatus.OK}' END AS status
        FROM latest)
    SELECT date, currency, status,
        CASE WHEN status = '{RateStatus.OK}' THEN rate END AS rate,
        CASE WHEN status = '{RateStatus.OK}' THEN publication_date END AS publication_date
    FROM checked
"""

# The euro is quoted by every publication, so that its status is that of the date as a whole.
_DATES_SQL: Final = f"SELECT date, status FROM rate_states WHERE currency = '{EURO}' ORDER BY date"

_SNAPSHOTS_SQL: Final = f"""
WITH in_force AS (
    SELECT date AS snapshot_date, currency, rate, publication_date
    FROM rate_states WHERE status = '{RateStatus.OK}'),
hashed AS (
    SELECT snapshot_date, {HASH_SQL} AS hash, max(publication_date) AS newest
    FROM in_force GROUP BY snapshot_date)
SELECT {ID_SQL} AS snapshot_id, snapshot_date, hash, source, source_sha256,
    CAST($carry_days AS INTEGER) AS carry_days
FROM hashed JOIN publications ON publications.date = newest
ORDER BY snapshot_date
"""


def build_snapshots(history: RateHistory, dates: Sequence[date], carry_days: int) -> SnapshotPlan:
    """Return the rates in force on each of `dates`, by the rule of this module; a pure function.

    `carry_days` is the maximum number of calendar days for which a rate is in force after its publication.
    Raises InputError when it is negative or there are no dates.
    """
    if not dates or carry_days < 0:
        raise InputError("fx snapshots: expected at least one date and a carry of at least 0 days")
    with engine() as connection:
        connection.register("published", history.rates)
        connection.register("publications", history.publications)
        connection.register("given_dates", _given_dates(history, dates))
        currencies = sorted(history.currencies | {EURO})
        connection.execute(_QUOTES_SQL)
        connection.execute(_STATES_SQL, {"currencies": currencies, "carry_days": carry_days})
        return SnapshotPlan(
            states=connection.sql(_DATES_SQL).to_arrow_table(),
            rate_states=connection.sql("FROM rate_states ORDER BY date, currency").to_arrow_table(),
            snapshots=connection.sql(_SNAPSHOTS_SQL, params={"carry_days": carry_days}).to_arrow_table(),
            last_publication=history.last,
        )


def _given_dates(history: RateHistory, dates: Sequence[date]) -> pa.Table:
    days = sorted(set(dates))
    return pa.table(
        {
            "date": pa.array(days, pa.date32()),
            "last_working": pa.array(last_working_days(days)),
            "last_due": pa.array(last_working_days([min(day, history.last) for day in days])),
        }
    )
