"""The event log of Dagster as showcost stores it: the rows of Dagster's own, in whole batches."""

# No `from __future__ import annotations`: Dagster reads the annotation of `context`.

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import dagster as dg
import pytest

import showcost
from showcost.event_storage import BATCH_VARIABLE, BatchedSqliteEventLogStorage

DAYS: Final = ["2026-01-01", "2026-01-02", "2026-01-03"]
PARTITIONS: Final = dg.DailyPartitionsDefinition(start_date=DAYS[0], end_date="2026-01-04")
RANGE: Final = {
    "dagster/asset_partition_range_start": DAYS[0],
    "dagster/asset_partition_range_end": DAYS[-1],
}
SETTINGS: Final = (Path(showcost.__file__).parent / "dagster.yaml").read_text(encoding="utf-8")
QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(autouse=True)
def without_batches_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BATCH_VARIABLE, raising=False)


def _job() -> dg.JobDefinition:
    @dg.asset(partitions_def=PARTITIONS, backfill_policy=dg.BackfillPolicy.single_run())
    def rows() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"dagster/partition_row_count": 1})

    @dg.asset_check(asset=rows, partitions_def=PARTITIONS)
    def whole(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        for key in context.op_execution_context.partition_keys:
            evaluation = dg.AssetCheckEvaluation(
                asset_key=rows.key, check_name="whole", passed=key != DAYS[1], partition=key
            )
            context.op_execution_context.log_event(evaluation)  # type: ignore[arg-type] # accepted all the same
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)

    job = dg.define_asset_job("job")
    definitions = dg.Definitions([rows], asset_checks=[whole], jobs=[job], executor=dg.in_process_executor)
    return definitions.resolve_job_def("job")


def _run(folder: Path, settings: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "dagster.yaml").write_text(settings, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        result = _job().execute_in_process(run_config=QUIET, instance=instance, tags=RANGE)
    assert result.success
    return result.run_id


def _rows(path: Path, query: str) -> Sequence[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


EVENTS: Final = "SELECT dagster_event_type, step_key, asset_key, partition FROM event_logs ORDER BY id"
CHECKS: Final = """
SELECT asset_key, check_name, partition, execution_status, evaluation_event_storage_id IS NOT NULL
FROM asset_check_executions ORDER BY id
"""


def test_the_rows_are_those_of_dagsters_own_storage(tmp_path: Path) -> None:
    stored = {}
    for name, settings in (("shipped", "telemetry: {enabled: false}\n"), ("ours", SETTINGS)):
        run_id = _run(tmp_path / name, settings)
        runs = tmp_path / name / "history" / "runs"
        of_run = [row for row in _rows(runs / f"{run_id}.db", EVENTS) if row[0] != "LOGS_CAPTURED"]
        stored[name] = (of_run, _rows(runs / "index.db", EVENTS), _rows(runs / "index.db", CHECKS))
    assert stored["ours"] == stored["shipped"]
    assert len(stored["ours"][1]) > 2 * len(DAYS)


def test_either_class_opens_what_the_other_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    first = _run(folder, "telemetry: {enabled: false}\n")
    second = _run(folder, SETTINGS)
    third = _run(folder, "telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        counts = {len(instance.all_logs(run_id)) for run_id in (first, second, third)}
        assert len(counts) == 1
        assert instance.get_materialized_partitions(dg.AssetKey("rows")) == {*DAYS}


def test_a_folder_may_be_moved(tmp_path: Path) -> None:
    _run(tmp_path / "home", SETTINGS)
    shutil.move(tmp_path / "home", tmp_path / "elsewhere")
    with dg.DagsterInstance.from_config(str(tmp_path / "elsewhere")) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("rows")) == {*DAYS}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(SETTINGS, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def _storage(instance: dg.DagsterInstance) -> BatchedSqliteEventLogStorage:
    storage = instance.event_log_storage
    assert isinstance(storage, BatchedSqliteEventLogStorage)
    return storage


def _report(instance: dg.DagsterInstance, day: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization("rows", partition=day))


class _StopError(Exception):
    pass


def test_a_transaction_that_fails_leaves_no_event(instance: dg.DagsterInstance) -> None:
    _report(instance, DAYS[0])
    with pytest.raises(_StopError), _storage(instance).transaction(""):  # noqa: PT012 -- the block is the test
        _report(instance, DAYS[1])
        raise _StopError
    assert instance.get_materialized_partitions(dg.AssetKey("rows")) == {DAYS[0]}


def test_a_file_that_was_replaced_is_opened_anew(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """`showcost demo` makes the folder again while the UI is open."""
    _report(instance, DAYS[0])
    shutil.rmtree(tmp_path / "history" / "runs")
    (tmp_path / "history" / "runs").mkdir()
    assert instance.get_materialized_partitions(dg.AssetKey("rows")) == set()
    _report(instance, DAYS[2])
    assert instance.get_materialized_partitions(dg.AssetKey("rows")) == {DAYS[2]}


def test_few_databases_stay_open(instance: dg.DagsterInstance) -> None:
    storage = _storage(instance)
    runs = [f"run {number}" for number in range(20)]
    for run_id in (*runs, *runs):
        assert storage.get_records_for_run(run_id).records == []
    assert len(storage._opened) <= 17


def test_threads_share_the_connections(instance: dg.DagsterInstance) -> None:
    keys = [f"{thread}-{number}" for thread in range(4) for number in range(25)]

    def report(part: Sequence[str]) -> None:
        for key in part:
            _report(instance, key)

    parts = (keys[:25], keys[25:50], keys[50:75], keys[75:])
    threads = [threading.Thread(target=report, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert instance.get_materialized_partitions(dg.AssetKey("rows")) == {*keys}


WRITER: Final = """
import sys, dagster as dg
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    for number in range(int(sys.argv[3])):
        storage = instance.event_log_storage
        with storage.transaction(""):
            for part in "ab":
                key = f"{sys.argv[2]}-{number}-{part}"
                instance.report_runless_asset_event(dg.AssetMaterialization("rows", partition=key))
        print(number, flush=True)
"""


def _writer(folder: Path, name: str, rounds: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-c", WRITER, str(folder), name, str(rounds)]
    environment = os.environ | {BATCH_VARIABLE: "0"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)  # noqa: S603 -- our own script


def _ended(writer: subprocess.Popen[bytes]) -> int:
    writer.communicate()
    return writer.returncode


@pytest.mark.slow
def test_processes_write_and_read_at_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """As a webserver, a daemon and two runs do."""
    writers = [_writer(tmp_path, name, 40) for name in ("x", "y")]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        now = len(instance.get_materialized_partitions(dg.AssetKey("rows")))
        assert now >= seen
        assert now % 2 == 0, "half of a transaction was visible"
        seen = now
    assert [_ended(writer) for writer in writers] == [0, 0]
    assert len(instance.get_materialized_partitions(dg.AssetKey("rows"))) == 160


@pytest.mark.slow
def test_a_killed_process_leaves_whole_transactions(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        writer = _writer(tmp_path, name, 10_000)
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)][-1]
        writer.send_signal(signal.SIGKILL)
        _ended(writer)
        keys = {
            key
            for key in instance.get_materialized_partitions(dg.AssetKey("rows"))
            if key.startswith(f"{name}-")
        }
        whole = {f"{name}-{number}-{part}" for number in range(len(keys) // 2) for part in "ab"}
        assert keys == whole
        assert len(keys) // 2 > acknowledged
    for path in (tmp_path / "history" / "runs").glob("*.db"):
        assert _rows(path, "PRAGMA integrity_check") == [("ok",)]
