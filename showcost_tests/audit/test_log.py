"""The audit log keeps records in order, detects every change, and loses no acknowledged record."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.audit import transitions as states
from showcost.audit.clock import BrokenTime, last_until
from showcost.audit.log import AuditLog, Head, Record
from showcost.audit.transitions import AuditKind, State
from showcost.core.errors import InputError, IntegrityError
from showcost.core.jsonl import NO_HASH

if TYPE_CHECKING:
    from pathlib import Path

DELIVERY = states.delivery("d" * 64)
NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path, lambda: NOON)


def receive(log: AuditLog, name: str = "früh.csv") -> Record:
    return log.append(AuditKind.DELIVERY_RECEIVED, {"name": name, "size": 12}, subjects=[DELIVERY])


def test_records_are_chained_and_read_back(log: AuditLog) -> None:
    first, second = receive(log), log.append(AuditKind.RECORDS_READ, {"rows": 3}, subjects=[DELIVERY])
    assert (first.seq, first.prev, second.seq, second.prev) == (1, NO_HASH, 2, first.hash)
    assert list(log.records()) == [first, second]
    assert list(log.records(2)) == [second]
    assert log.head() == Head(2, second.hash)
    assert log.state(DELIVERY) is State.READ
    assert log.verify() == []


def test_a_record_that_is_to_be_written_once_is_written_by_one_of_many(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def shred(_: int) -> bool:
        log = AuditLog(tmp_path, lambda: NOON)
        start.wait(20)
        record = log.append_unless(
            lambda: log.state(DELIVERY) is State.SHREDDED,
            AuditKind.PAYLOAD_SHREDDED,
            {"who": "A"},
            subjects=[DELIVERY],
        )
        return record is not None

    receive(AuditLog(tmp_path, lambda: NOON))
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(shred, range(8))) == 1
    assert [record.kind for record in AuditLog(tmp_path).records()][1:] == [AuditKind.PAYLOAD_SHREDDED]


def test_the_hash_of_a_line_can_be_recomputed_with_json_and_sha256(log: AuditLog) -> None:
    import hashlib  # noqa: PLC0415 - what an outsider needs, and nothing else

    recorded = receive(log)
    body = json.loads(log.path.read_text())
    claimed = body.pop("hash")
    plain = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert claimed == recorded.hash == hashlib.sha256(plain).hexdigest()


def test_a_clock_that_is_set_back_is_recorded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    times = [NOON, NOON - timedelta(hours=1), NOON + timedelta(hours=1)]
    log = AuditLog(tmp_path, iter(times).__next__)
    records = [receive(log) for _ in times]
    assert [record.at for record in records] == times
    assert [json.loads(line).get("clock") for line in log.path.read_text().splitlines()] == [
        None,
        "back",
        None,
    ]
    assert [record.message.split(":")[0] for record in caplog.records] == ["audit record 2"]
    assert log.head_at(NOON - timedelta(hours=2)) == Head(0, NO_HASH)
    assert log.head_at(NOON + timedelta(hours=1)) == Head(3, records[2].hash)
    for minutes in (0, 30):
        with pytest.raises(InputError, match="between the audit records 1 and 2; give the number"):
            log.head_at(NOON + timedelta(minutes=minutes))
    assert AuditLog(tmp_path).verify() == []
    assert AuditLog(tmp_path).clock_notes()[0].startswith("the clock ran back 1 times, at records 2;")


def test_a_clock_that_leaps_does_not_bend_the_times_of_others(tmp_path: Path) -> None:
    far = NOON.replace(year=2109)
    minute = timedelta(minutes=1)
    times = [NOON, NOON + minute, far, far + minute, NOON + 2 * minute, NOON + 3 * minute]
    log = AuditLog(tmp_path, iter(times).__next__)
    records = [receive(log) for _ in times]
    assert [record.at for record in records] == times
    kinds = [json.loads(line).get("clock") for line in log.path.read_text().splitlines()]
    assert kinds == [None, None, "ahead", None, "back", None]
    # Before the leap and after the return the times tell; in between they do not.
    assert log.head_at(NOON).seq == 1
    assert log.head_at(NOON + 2 * minute).seq == 5
    assert log.head_at(NOON + 2.5 * minute).seq == 5
    assert log.head_at(NOON + 3 * minute).seq == 6
    with pytest.raises(InputError, match="between the audit records 2 and 4"):
        log.head_at(NOON + 1.5 * minute)
    assert AuditLog(tmp_path).verify() == []


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=12),
    st.integers(0, 500),
)
def test_a_moment_is_placed_only_where_all_clocks_agree(hours: list[int], moment: int) -> None:
    times = [NOON + timedelta(hours=hour) for hour in hours]
    last = last_until(times, NOON + timedelta(hours=moment))
    if hours == sorted(hours):
        assert last == sum(hour <= moment for hour in hours)
    if isinstance(last, BrokenTime):
        assert 0 <= last.first < last.last <= len(times)
        return
    assert 0 <= last <= len(times)
    # What it leaves out or takes in against its own time lies in a stretch that the times around it deny.
    before, after = hours[:last], hours[last:]
    assert not before or not after or min(before) <= moment
    wrong = [hour for hour in before if hour > moment] + [hour for hour in after if hour <= moment]
    assert not wrong or hours != sorted(hours)


def test_a_transition_that_the_state_machine_does_not_allow_is_refused(log: AuditLog) -> None:
    with pytest.raises(IntegrityError, match=r"records_read is not allowed for delivery:d+, which is new"):
        log.append(AuditKind.RECORDS_READ, {}, subjects=[DELIVERY])
    with pytest.raises(IntegrityError, match="intent needs snapshot:2026-03-02 to be pinned, but it is new"):
        log.append(AuditKind.INTENT, {}, needs=[states.snapshot("2026-03-02")])
    assert log.head() == Head(0, NO_HASH)


@pytest.mark.parametrize("length", [1, 7, 8, 20, 60, -2, -1])
def test_a_torn_last_line_is_cut_and_the_record_can_be_written_again(tmp_path: Path, length: int) -> None:
    log = AuditLog(tmp_path, lambda: NOON)
    first, second = receive(log), receive(log, "später.csv")
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(lines[0] + lines[1][:length])
    assert AuditLog(tmp_path).verify() == []
    again = AuditLog(tmp_path, lambda: NOON)
    assert again.head() == Head(1, first.hash)
    assert receive(again, "später.csv") == second
    assert log.path.read_bytes() == b"".join(lines)


def test_a_last_line_whose_end_was_altered_is_not_a_torn_line(log: AuditLog) -> None:
    receive(log)
    data = log.path.read_bytes()
    log.path.write_bytes(data[:-1] + b"\x0b")
    fresh = AuditLog(log.path.parents[1])
    with pytest.raises(IntegrityError, match="not a record"):
        receive(fresh)
    assert len(fresh.verify()) == 1
    assert log.path.read_bytes() == data[:-1] + b"\x0b"


def test_every_flipped_bit_is_found(log: AuditLog) -> None:
    receive(log)
    receive(log)
    data = log.path.read_bytes()
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        log.path.write_bytes(flipped)
        assert len(AuditLog(log.path.parents[1]).verify()) == 1, position


def test_removed_and_reordered_records_are_found(log: AuditLog) -> None:
    records = [receive(log, str(number)) for number in range(4)]
    lines = log.path.read_bytes().splitlines(keepends=True)
    fresh = AuditLog(log.path.parents[1])
    for order in ([0, 2, 1, 3], [1, 0, 2, 3], [0, 1, 3], [1, 2, 3]):
        log.path.write_bytes(b"".join(lines[number] for number in order))
        assert len(fresh.verify()) == 1
    log.path.write_bytes(b"".join(lines[:2]))
    assert fresh.verify() == []
    (finding,) = fresh.verify(records[3].hash)
    assert "the log ends with record 2" in finding.problem


def test_a_segment_that_was_changed_or_removed_is_found(log: AuditLog) -> None:
    segment = log.store_segment(AuditKind.RECORDS_READ, pa.table({"record": [1, 2, 3]}))
    assert segment.rows == 3
    assert log.store_segment(AuditKind.RECORDS_READ, pa.table({"record": [1, 2, 3]})) == segment
    log.append(AuditKind.DELIVERY_RECEIVED, {}, subjects=[DELIVERY])
    log.append(AuditKind.RECORDS_READ, {}, subjects=[DELIVERY], segment=segment)
    path = log.segment_path(segment)
    data = bytearray(path.read_bytes())
    data[10] ^= 4
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="was recorded"):
        log.segment_path(segment)
    assert [finding.place for finding in log.verify()] == [f"audit/segments/{segment.name} (record 2)"]
    path.unlink()
    assert "its file is missing" in log.verify()[0].problem


def test_concurrent_writers_lose_no_record(tmp_path: Path) -> None:
    def work(name: str) -> None:
        own_log = AuditLog(tmp_path)
        for _ in range(10):
            receive(own_log, name)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = AuditLog(tmp_path)
    assert log.verify() == []
    assert log.head().seq == 80
