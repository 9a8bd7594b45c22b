"""The next write finishes what a crash interrupted, and stops at differences that no crash can explain."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest

from showcost.audit import log
from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind, State
from showcost.core import durable
from showcost.core.durable import System, using
from showcost.core.errors import FatalError, IntegrityError
from showcost.ledger import append_entries as commit
from showcost.ledger.digest import digest
from showcost.ledger.recovery import WRITERS, writing
from showcost.ledger.store import Ledger
from showcost_tests.ledger.rows import MONDAY, WEEK, pin_rates, post_rows, row, table, week_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class DiedError(Exception):
    pass


def die(*_: object, **__: object) -> None:
    raise DiedError


def digest_of(ledger: Ledger) -> str:
    with ledger.read() as connection:
        return digest(connection, WEEK[0], WEEK[-1]).hash


def kinds(ledger: Ledger) -> list[AuditKind]:
    return [record.kind for record in ledger.audit.records()]


@pytest.fixture
def expected(tmp_path: Path) -> str:
    clean = Ledger(tmp_path / "clean" / "ledger.duckdb")
    clean.path.parent.mkdir()
    pin_rates(clean)
    post_rows(clean, table(week_rows(30)))
    return digest_of(clean)


def test_a_posting_is_recorded_before_and_after_its_transaction(ledger: Ledger) -> None:
    (result,) = post_rows(ledger, table([row(1)]), [MONDAY])
    assert kinds(ledger) == [AuditKind.FX_PINNED, AuditKind.VALIDATED, AuditKind.INTENT, AuditKind.COMMITTED]
    intent, committed = list(ledger.audit.records(3))
    assert result.batch is not None
    assert intent.facts["batches"] == [
        {
            "base_currency": "USD",
            "base_total": "134.2000",
            "batch_id": result.batch.batch_id,
            "digest": result.batch.digest,
            "entries": 2,
            "feed": "vendors",
            "partition_date": "2026-03-02",
            "rows": 1,
            "snapshot_ids": list(result.batch.snapshot_ids),
            "totals": {"EUR": "120.1200"},
        }
    ]
    assert intent.segment is not None
    assert intent.segment.rows == 2
    assert committed.facts == {"intent": 3, "batches": 1, "entries": 2}
    assert ledger.audit.state(states.partition("vendors", MONDAY)) is State.COMMITTED
    assert ledger.audit.state(states.batch(result.batch.batch_id)) is State.COMMITTED
    with ledger.read() as connection:
        heads = connection.execute("SELECT seq, hash FROM chain_heads ORDER BY seq").fetchall()
    assert heads == [(record.seq, record.hash) for record in ledger.audit.records() if record.seq in {1, 3}]


@pytest.mark.parametrize("dying", ["write", "acknowledge"])
def test_a_recorded_transaction_is_finished_by_the_next_write(
    ledger: Ledger, expected: str, monkeypatch: pytest.MonkeyPatch, dying: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(commit, "BATCHES", replace(commit.BATCHES, **{dying: die}))
        with suppress(DiedError):
            post_rows(ledger, table(week_rows(30)))
    reopened = Ledger(ledger.path)
    with writing(reopened):
        pass
    assert digest_of(reopened) == expected
    assert kinds(reopened)[-2:] == [AuditKind.RECOVERED, AuditKind.COMMITTED]
    assert [result.batch for result in post_rows(reopened, table(week_rows(30)))] == [None] * 5


def test_recovery_can_write_every_kind_that_has_a_transaction() -> None:
    assert WRITERS.keys() == log.TRANSACTIONAL


def test_a_pinning_that_did_not_commit_is_repeated_from_its_record(tmp_path: Path) -> None:
    class NoCommit(System):
        def commit(self, commit: Callable[[], object], path: Path) -> None:
            del commit, path
            raise OSError(28, "No space left on device")

    ledger = Ledger(tmp_path / "ledger.duckdb")
    with using(NoCommit()), pytest.raises(FatalError, match="may or may not have committed"):
        pin_rates(ledger)
    assert kinds(ledger) == [AuditKind.FX_PINNED]
    pin_rates(ledger)
    assert kinds(ledger) == [AuditKind.FX_PINNED, AuditKind.RECOVERED]
    with ledger.read() as connection:
        assert connection.execute("SELECT count(*) FROM fx_snapshots").fetchall() == [(5,)]
    post_rows(ledger, table(week_rows(30)))


def test_nothing_is_written_after_a_failed_fsync(ledger: Ledger) -> None:
    class FailingFsync(System):
        def fsync(self, descriptor: int, path: Path) -> None:
            if path.name == "log.jsonl":
                raise OSError(5, "Input/output error")
            super().fsync(descriptor, path)

    with using(FailingFsync()):
        with pytest.raises(FatalError, match="this process writes nothing more"):
            post_rows(ledger, table([row(1)]), [MONDAY])
        with pytest.raises(FatalError, match=r"log\.jsonl"), writing(ledger):
            pass
        with pytest.raises(FatalError):
            durable.write_durably(ledger.path.with_name("anything"), b"")
    assert not ledger.path.with_name("anything").exists()


def test_a_ledger_that_is_older_than_its_log_stops(ledger: Ledger, tmp_path: Path) -> None:
    shutil.copyfile(ledger.path, tmp_path / "older")
    post_rows(ledger, table([row(1)]))
    shutil.copyfile(tmp_path / "older", ledger.path)
    with pytest.raises(IntegrityError, match="record 3 of the audit log was committed, but its transaction"):
        post_rows(Ledger(ledger.path), table([row(2)]))


def test_a_log_that_is_older_than_its_ledger_stops(ledger: Ledger) -> None:
    data = ledger.audit.path.read_bytes()
    post_rows(ledger, table([row(1)]))
    ledger.audit.path.write_bytes(data)
    with pytest.raises(
        IntegrityError, match=r"ledger transaction 3 \([0-9a-f]{64}\) is missing from the audit log"
    ):
        post_rows(Ledger(ledger.path), table([row(2)]))


def test_a_deleted_ledger_stops_with_advice(ledger: Ledger) -> None:
    post_rows(ledger, table([row(1)]))
    ledger.path.unlink()
    with pytest.raises(IntegrityError, match="restore the ledger"):
        post_rows(Ledger(ledger.path), table([row(2)]))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM ledger_entries WHERE component = 'tax'", "should have 2 entries, but the ledger has 1"),
        (
            "INSERT INTO ledger_entries SELECT * FROM ledger_entries",
            "should have 2 entries, but the ledger has 4",
        ),
        (
            "UPDATE ledger_entries SET batch_id = 'b'",
            "should have (2 entries, but the ledger has 0|0 entries)",
        ),
    ],
)
def test_entries_without_an_audit_record_stop(ledger: Ledger, statement: str, expected: str) -> None:
    post_rows(ledger, table([row(1)]), [MONDAY])
    with duckdb.connect(ledger.path) as connection:
        for event in ("update", "delete"):
            connection.execute(f"DROP TRIGGER ledger_entries_no_{event} ON ledger_entries")
        connection.execute(statement)
    with pytest.raises(IntegrityError, match=expected):
        post_rows(Ledger(ledger.path), table([row(2)]), [MONDAY])


def test_an_unacknowledged_batch_that_was_altered_stops(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(commit, "BATCHES", replace(commit.BATCHES, acknowledge=die))
        with suppress(DiedError):
            post_rows(ledger, table([row(1)]), [MONDAY])
    with duckdb.connect(ledger.path) as connection:
        connection.execute("DROP TRIGGER ledger_entries_no_update ON ledger_entries")
        connection.execute("UPDATE ledger_entries SET amount = amount + 1")
    with pytest.raises(IntegrityError, match="does not match record 3"), writing(Ledger(ledger.path)):
        pass


def test_a_segment_that_was_altered_is_not_repeated(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(commit, "BATCHES", replace(commit.BATCHES, write=die))
        with suppress(DiedError):
            post_rows(ledger, table([row(1)]), [MONDAY])
    (segment,) = ledger.audit.segments.glob("intent-*")
    data = bytearray(segment.read_bytes())
    data[40] ^= 1
    segment.write_bytes(data)
    with pytest.raises(IntegrityError, match="was recorded"), writing(Ledger(ledger.path)):
        pass


def test_a_partition_that_was_never_validated_is_not_posted(ledger: Ledger) -> None:
    post_rows(ledger, table([row(1)]), [MONDAY])
    with writing(ledger) as connection:
        connection.execute(
            "CREATE TEMP TABLE fresh AS"
            " SELECT * EXCLUDE (batch_id) REPLACE ('other' AS feed) FROM ledger_entries"
        )
        with pytest.raises(IntegrityError, match="intent is not allowed for partition:other/2026-03-02"):
            commit.commit_entries(
                ledger, connection, "fresh", run_id="run", now=next(ledger.audit.records()).at
            )
