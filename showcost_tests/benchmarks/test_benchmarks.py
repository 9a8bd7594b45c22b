"""Each benchmark, at a tiny size: results, not times."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import benchmarks
from benchmarks import harness, partitions, reports
from benchmarks.__main__ import NAMES, run
from showcost_tests.whole.small import FRIDAY, UK_DELIVERY, UKSPEND, deliver, make_home

if TYPE_CHECKING:
    from benchmarks.harness import Report
    from showcost.workspace import Workspace

MODULES = {path.stem for path in Path(benchmarks.__file__).parent.glob("*.py")}


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Report:
    """Run a benchmark in this process: new processes are needed for peak memory only."""

    def pool(workers: int, **_: object) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(harness, "ProcessPoolExecutor", pool)
    return run(arguments)


def _results(report: Report) -> dict[str, Any]:
    return {measurement.label: measurement.results for measurement in report.measurements}


def test_every_module_is_a_benchmark_that_the_command_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert MODULES - {"__init__", "__main__", "harness"} == set(NAMES)
    with pytest.raises(SystemExit, match="0"):
        run(["--help"])
    assert re.findall(r"^  (\w+)  +\w", capsys.readouterr().out, re.MULTILINE)[: len(NAMES)] == list(NAMES)


def test_an_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(SystemExit, match="2"):
        run(["posing"])


def test_a_new_process_measures_landing_and_writes_json(tmp_path: Path) -> None:
    run(["landing", "--megabytes", "1", "--json", str(tmp_path / "figures.json")])
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    (measurement,) = figures["measurements"]
    assert measurement["results"] == {"received": 20_000, "refused": None}
    assert measurement["rows"] == 20_000
    assert min(measurement[name] for name in ("seconds", "cpu_seconds", "peak_mib", "rows_per_second")) > 0


@pytest.mark.slow
def test_dagster_posts_the_same_entries_as_the_pipeline_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(folder: Path, _: object) -> Workspace:
        workspace = make_home(folder / "home", UKSPEND)
        deliver(workspace, "uk_spend", "spend.csv", UK_DELIVERY)
        return workspace

    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr(partitions, "prepare", prepare)
    monkeypatch.setattr(partitions, "LAST", FRIDAY)
    alone, dagster = _results(_run(monkeypatch, "partitions", "--days", "3")).values()
    assert alone["entries"] == dagster["entries"] > 0


def test_the_pay_engine_agrees_with_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    report = _run(monkeypatch, "pay", "--rows", "100", "--slow-rows", "100")
    assert report.results["engine and plain Python"]["same_results"]
    assert _results(report)["rules in plain Python"]["failed_rows"] >= 4


def test_posting_appends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    report = _run(monkeypatch, "posting", "--rows", "200", "--days", "2", "--chunk-rows", "150")
    results = _results(report)
    assert (results["post"], results["post again"]) == ({"entries": 400}, {"entries": 0})
    assert len(results["digest"]["hash"]) == 64


@pytest.mark.slow
def test_the_queue_is_corrected_and_settled_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results(_run(monkeypatch, "queue", "--rows", "40", "--corrections", "5"))
    assert results["queue list"]["rows"] == 40
    assert results["queue list --vendor"]["rows"] == 1
    assert results["queue resolve --set, with its replay"]["rows"] == 5
    # One of the corrected rows has another fault, and stays in the queue.
    assert results["queue resolve --discard, all"]["rows"] == 36
    assert results["queue list, settled"]["rows"] == 0


def test_posting_is_the_same_with_and_without_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results(_run(monkeypatch, "proof", "--rows", "40", "--rounds", "1"))
    rows = results["raw rows and validation"]["valid"]
    assert results["post without the protocol"] == results["post with the protocol"] == {"rows": rows}
    recovered = results["recovery: a prepare record applied again"]["entries"]
    assert recovered == results["verify"]["entries"] >= rows > 0
    assert results["verify"]["first_difference"] is None


def test_all_ways_to_pull_fetch_the_same_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results(_run(monkeypatch, "pull", "--vendors", "1", "--lines-per-day", "2"))
    assert [pull["pages"] + pull["windows_lost"] for pull in results.values()] == [7, 7, 7]
    assert results["pool"]["windows_lost"] == results["loop"]["windows_lost"] == 0
    (memory,) = _results(_run(monkeypatch, "pull", "--vendors", "1", "--memory", "14")).values()
    assert (memory["pages"], memory["windows_lost"]) == (4, 0)


def test_reader_and_duckdb_read_every_record_of_a_clean_file(monkeypatch: pytest.MonkeyPatch) -> None:
    results = _results(_run(monkeypatch, "reader", "--megabytes", "1"))
    assert results["clean, reader"] == results["clean, duckdb"] == {"records": 20_000}
    assert results["1% broken, duckdb"]["records"] < results["1% broken, reader"]["records"] < 20_000


def test_invalid_invoices_are_quarantined(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--rows", "1000", "--invalid", "0.1", "--contested")
    counts = _results(_run(monkeypatch, "validation", *arguments))["validate"]
    assert counts["valid"] + counts["quarantined"] + counts["duplicate"] == 1_000
    assert counts["quarantined"] > 50


def test_dates_and_amounts_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [column["values"] for column in _results(_run(monkeypatch, "values", "--rows", "100")).values()]
    assert sorted(values) == [0, *[100] * (len(values) - 1)]


def test_all_reports_are_sealed_and_each_part_is_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = _run(monkeypatch, "reports", "--rows", "60", "--home", str(tmp_path / "home"))
    results = _results(report)["all reports of a period"]
    assert {name for _, names in reports.PARTS for name in names} <= results.keys()
    again = _results(_run(monkeypatch, "reports", "--home", str(tmp_path / "home")))
    assert list(again) == ["all reports of a period"]
    assert again["all reports of a period"]["seal"] == results["seal"]
