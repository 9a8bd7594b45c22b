"""A date is pinned once and never changed; a change of the tables is detected."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest

from showcost.core.errors import IntegrityError
from showcost.fx.conversion import cross_rate
from showcost.fx.pinned_snapshots import dense_rates, pin, rate_status, verify
from showcost.fx.snapshot_plan import RateStatus, build_snapshots
from showcost_tests.fx.tables import create_tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost.fx.history import RateHistory

    Reader = Callable[[str], RateHistory]

FRIDAY = date(2026, 10, 30)
DAYS = [FRIDAY + timedelta(days=offset) for offset in range(-4, 4)]
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def contents(database: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    rates = database.execute("SELECT * FROM fx_rates ORDER BY ALL").fetchall()
    return database.execute("SELECT * FROM fx_snapshots ORDER BY ALL").fetchall() + rates


def statuses(
    database: duckdb.DuckDBPyConnection, history: RateHistory, currencies: list[str], base: str = "USD"
) -> dict[tuple[date, str], str]:
    table = rate_status(database, build_snapshots(history, DAYS, 4), currencies, base)
    return {(row["date"], row["currency"]): row["status"] for row in table.to_pylist()}


def tamper(database: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Change a pinned table without its triggers, as other programs could."""
    for table in ("fx_snapshots", "fx_rates"):
        for event in ("update", "delete"):
            database.execute(f"DROP TRIGGER IF EXISTS {table}_no_{event} ON {table}")
    database.execute(statement)


def test_dates_in_force_are_pinned_and_the_others_are_reported(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    result = pin(database, build_snapshots(week, DAYS, 4), NOW)
    assert result.pinned == tuple(DAYS[:7])
    assert (result.kept, result.differing, result.missing) == ((), (), ())
    assert result.pending == (DAYS[7],)
    assert verify(database) == ()


def test_pinning_again_appends_nothing(database: duckdb.DuckDBPyConnection, week: RateHistory) -> None:
    plan = build_snapshots(week, DAYS, 4)
    pin(database, plan, NOW)
    before = contents(database)
    again = pin(database, plan, NOW + timedelta(days=1))
    assert (again.pinned, again.kept, again.differing) == ((), tuple(DAYS[:7]), ())
    assert contents(database) == before


def test_a_date_that_was_pending_is_pinned_when_it_is_published(
    database: duckdb.DuckDBPyConnection, week: RateHistory, ecb: RateHistory
) -> None:
    pin(database, build_snapshots(week.between(DAYS[0], DAYS[2]), DAYS, 4), NOW)
    result = pin(database, build_snapshots(week, DAYS, 4), NOW)
    assert result.pinned == tuple(DAYS[3:7])
    assert result.kept == tuple(DAYS[:3])
    assert ecb.last == FRIDAY


def test_a_changed_publication_is_reported_and_the_pinned_date_stays(
    database: duckdb.DuckDBPyConnection, week: RateHistory, read: Reader
) -> None:
    pin(database, build_snapshots(week, DAYS, 4), NOW)
    before = contents(database)
    altered = read("Date,USD,GBP,ISK,\n2026-10-30,1.1199,0.8338,N/A,\n2026-10-29,1.1180,0.8340,142.5,\n")
    result = pin(database, build_snapshots(altered, DAYS, 4), NOW)
    # Friday and its weekend were changed; Monday to Wednesday are missing from the new file.
    assert [item.snapshot_date for item in result.differing] == [*DAYS[:3], *DAYS[4:7]]
    assert [item.computed is None for item in result.differing] == [True] * 3 + [False] * 3
    assert contents(database) == before


def test_a_file_older_than_the_pinned_one_causes_no_differences(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    pin(database, build_snapshots(week, DAYS, 4), NOW)
    result = pin(database, build_snapshots(week.between(DAYS[0], DAYS[2]), DAYS, 4), NOW)
    assert (result.differing, result.pending) == ((), (DAYS[7],))


def test_the_time_of_pinning_is_stored_in_utc(database: duckdb.DuckDBPyConnection, week: RateHistory) -> None:
    pin(database, build_snapshots(week, [FRIDAY], 4), NOW.astimezone(timezone(timedelta(hours=-8))))
    row = database.execute("SELECT pinned_at, carry_days, source, source_sha256 FROM fx_snapshots").fetchone()
    assert row == (datetime(2026, 11, 3, 12), 4, "test", week.files[0][1])  # noqa: DTZ001 - the column has no zone


@pytest.mark.parametrize("table", ["fx_snapshots", "fx_rates"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET snapshot_id = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_tables_refuse_update_and_delete(
    table: str, statement: str, database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    pin(database, build_snapshots(week, [FRIDAY], 4), NOW)
    before = contents(database)
    with pytest.raises(duckdb.Error, match=f"{table} is append-only"):
        database.execute(statement.format(table))
    assert contents(database) == before


def test_the_triggers_exist_after_the_file_was_closed(tmp_path: Path, week: RateHistory) -> None:
    with duckdb.connect(tmp_path / "ledger.duckdb") as connection:
        create_tables(connection)
        create_tables(connection)
        pin(connection, build_snapshots(week, [FRIDAY], 4), NOW)
    with duckdb.connect(tmp_path / "ledger.duckdb") as connection:
        with pytest.raises(duckdb.Error, match="append-only"):
            connection.execute("DELETE FROM fx_rates WHERE false")
        assert verify(connection) == ()
    with duckdb.connect(tmp_path / "ledger.duckdb", read_only=True) as connection:
        plan = build_snapshots(week, [FRIDAY], 4)
        assert rate_status(connection, plan, ["GBP"], "USD").num_rows == 2


@pytest.mark.parametrize("rate", ["0", "-1.1", "1.1234567"])
def test_the_table_refuses_a_rate_that_the_conversion_cannot_represent(
    rate: str, database: duckdb.DuckDBPyConnection
) -> None:
    with pytest.raises(duckdb.ConstraintException):
        database.execute(
            "INSERT INTO fx_rates VALUES ('s', 'USD', CAST(? AS DECIMAL(20, 10)), DATE '2026-10-30')", [rate]
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fx_rates SET rate = 1.2 WHERE currency = 'USD' AND publication_date = '2026-10-28'",
        "UPDATE fx_rates SET publication_date = DATE '2026-10-27' WHERE publication_date = '2026-10-28'",
        "UPDATE fx_rates SET currency = 'CAD' WHERE currency = 'GBP' AND publication_date = '2026-10-28'",
        "DELETE FROM fx_rates WHERE currency = 'ISK' AND publication_date = '2026-10-28'",
        "DELETE FROM fx_rates WHERE publication_date = '2026-10-28'",
        "INSERT INTO fx_rates SELECT snapshot_id, 'XXX', 1, snapshot_date FROM fx_snapshots WHERE {}",
        "UPDATE fx_snapshots SET hash = repeat('0', 64) WHERE {}",
        "UPDATE fx_snapshots SET snapshot_id = 'ecb-2026-10-28-000000000000' WHERE {}",
        "INSERT INTO fx_snapshots SELECT * FROM fx_snapshots WHERE {}",
    ],
)
def test_a_changed_snapshot_is_found_and_not_used_for_conversions(
    statement: str, database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    pin(database, build_snapshots(week, DAYS, 4), NOW)
    tamper(database, statement.format("snapshot_date = DATE '2026-10-28'"))
    wednesday = date(2026, 10, 28)
    assert {item.snapshot_date for item in verify(database)} == {wednesday}
    assert verify(database, [FRIDAY]) == ()
    status = statuses(database, week, ["GBP", "XXX"])
    assert {status[wednesday, code] for code in ("GBP", "USD", "XXX")} == {RateStatus.CHANGED}
    assert status[FRIDAY, "GBP"] == RateStatus.OK
    with pytest.raises(IntegrityError, match="the first of 2026-10-28"):
        dense_rates(database, DAYS, "USD")
    assert dense_rates(database, [FRIDAY], "USD").num_rows == 3


def test_stored_rates_are_checked_before_the_commit(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    plan = build_snapshots(week, DAYS, 4)
    first = plan.snapshots.slice(0, 1).to_pylist()[0]["snapshot_id"]
    database.execute("INSERT INTO fx_rates VALUES (?, 'ZZZ', 1, DATE '2026-10-26')", [first])
    before = contents(database)
    with pytest.raises(IntegrityError, match="2026-10-26: the stored rates differ"):
        pin(database, plan, NOW)
    assert contents(database) == before


def test_the_status_is_ok_pending_or_missing_for_every_date_and_currency(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    pin(database, build_snapshots(week, DAYS, 4), NOW)
    status = statuses(database, week, ["EUR", "GBP", "ISK", "XXX"])
    assert len(status) == len(DAYS) * 5
    monday = DAYS[7]
    assert [status[FRIDAY, code] for code in ("EUR", "GBP", "USD")] == ["ok"] * 3
    assert [status[FRIDAY, code] for code in ("ISK", "XXX")] == ["missing"] * 2
    assert [status[monday, code] for code in ("EUR", "GBP")] == ["pending"] * 2
    # The base currency needs no rate.
    assert status[monday, "USD"] == "ok"
    assert [status[monday, code] for code in ("ISK", "XXX")] == ["missing"] * 2


def test_a_rate_that_is_published_but_not_yet_pinned_is_pending(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    status = statuses(database, week, ["GBP"])
    assert {status[key] for key in status if key[1] != "USD"} == {RateStatus.PENDING}


def test_without_a_rate_of_the_base_no_currency_is_convertible(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    pin(database, build_snapshots(week, DAYS, 4), NOW)
    status = statuses(database, week, ["GBP"], base="ISK")
    assert status[date(2026, 10, 28), "GBP"] == RateStatus.OK
    assert status[FRIDAY, "GBP"] == RateStatus.MISSING
    rates = dense_rates(database, [FRIDAY], "ISK").table.to_pylist()
    assert [(row["currency"], row["snapshot_id"]) for row in rates] == [("ISK", "base")]


def test_status_shows_rate_publication_and_snapshot(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    pin(database, build_snapshots(week, DAYS, 4), NOW)
    rows = rate_status(database, build_snapshots(week, [DAYS[5]], 4), ["GBP"], "USD").to_pylist()
    assert rows[0]["rate"] == Decimal("0.8338")
    assert rows[0]["publication_date"] == FRIDAY
    assert rows[0]["snapshot_id"].startswith("ecb-2026-10-31-")


def test_the_dense_rates_have_both_rates_the_cross_rate_and_the_older_date(
    database: duckdb.DuckDBPyConnection, week: RateHistory
) -> None:
    pin(database, build_snapshots(week, DAYS, 4), NOW)
    rows = {row["currency"]: row for row in dense_rates(database, [DAYS[6]], "USD").table.to_pylist()}
    assert set(rows) == {"EUR", "GBP", "USD"}
    pound = rows["GBP"]
    assert (pound["eur_rate_original"], pound["eur_rate_base"]) == (Decimal("0.8338"), Decimal("1.1172"))
    assert (pound["micro_original"], pound["micro_base"]) == (833_800, 1_117_200)
    assert pound["rate"] == cross_rate("GBP", "USD", {"GBP": Decimal("0.8338"), "USD": Decimal("1.1172")})
    assert pound["rate_date"] == FRIDAY
    assert rows["USD"]["rate"] == 1


def test_a_year_is_built_and_pinned_quickly(database: duckdb.DuckDBPyConnection, ecb: RateHistory) -> None:
    days = [date(2025, 1, 1) + timedelta(days=offset) for offset in range(365)]
    started = time.perf_counter()
    result = pin(database, build_snapshots(ecb, days, 4), NOW)
    assert len(result.pinned) == 365
    assert time.perf_counter() - started < 2, "usually 0.25 s; the limit allows for a busy machine"
