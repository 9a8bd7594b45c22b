"""The cost of Dagster: daily partitions of the sample production in a Dagster run, and by the pipeline alone.

Both process the sample's inbox from landing to the ledger, with the production's dates extended to `--days`.
The difference is the time outside our own steps: events, their storage, and the engine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import yaml

from benchmarks.harness import SAMPLE, copy_production
from showcost.ingest.landing import land
from showcost.orchestration.runs import dagster_home, run_range
from showcost.pipeline.auto_rebook import rebook_by_policy
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.reports.ledger_days import ledger_days
from showcost.workspace import open_workspace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from benchmarks.harness import Report
    from showcost.workspace import Workspace

LAST: Final = date(2026, 11, 6)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the option of the number of partitions."""
    parser.add_argument("--days", type=int, default=365)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure the pipeline alone and one Dagster run."""
    os.environ.pop("DAGSTER_HOME", None)
    dates = [LAST - timedelta(days=number) for number in reversed(range(options.days))]
    for label, work in (("pipeline alone", run_pipeline), ("one Dagster run", run_dagster)):
        with tempfile.TemporaryDirectory() as folder:
            workspace = prepare(Path(folder), dates)
            with report.timed(f"{label}, {options.days} partitions") as results:
                results.update(work(workspace, dates))
    alone, through_dagster = (measurement.seconds for measurement in report.measurements)
    report.note("outside our own steps", seconds=round(through_dagster - alone, 1))


def prepare(folder: Path, dates: Sequence[date]) -> Workspace:
    """Make a data folder with the sample's inbox and a production of these dates."""
    copy_production(SAMPLE, folder)
    shutil.copytree(SAMPLE / "inbox", folder / "inbox")
    settings = folder / "production.yaml"
    production = yaml.safe_load(settings.read_text(encoding="utf-8"))
    first = dates[0]
    production["dates"] = {"start": first, "end": dates[-1]}
    photography = production["principal_photography"]
    production["principal_photography"] = {name: max(day, first) for name, day in photography.items()}
    settings.write_text(yaml.safe_dump(production, allow_unicode=True), encoding="utf-8")
    return open_workspace(folder)


def run_pipeline(workspace: Workspace, dates: Sequence[date]) -> dict[str, Any]:
    """Call all steps directly; return the number of ledger entries."""
    pin_snapshots(workspace, dates)
    for feed in workspace.feeds:
        land(workspace, feed)
        quarantine_undated(workspace, feed)
        write_raw_rows(workspace, feed, dates)
        validate_partitions(workspace, feed, dates)
        post_partitions(workspace, feed, dates, "pipeline alone")
        rebook_by_policy(workspace, feed)
    ledger_days(workspace, dates)
    return {"entries": count_entries(workspace)}


def run_dagster(workspace: Workspace, dates: Sequence[date]) -> dict[str, Any]:
    """Run all partitions in one Dagster run; return the number of ledger entries and the seconds in steps."""
    outcome = run_range(workspace, dates[0], dates[-1])
    if not outcome.success:
        raise RuntimeError(f"the run failed: {outcome.failures}")
    with dg.DagsterInstance.from_config(str(dagster_home(workspace))) as instance:
        stats = instance.get_run_step_stats(outcome.run_id)
    seconds = sum((step.end_time or 0) - (step.start_time or 0) for step in stats)
    return {"entries": count_entries(workspace), "seconds_in_steps": round(seconds, 1)}


def count_entries(workspace: Workspace) -> int:
    """Return the number of ledger entries."""
    with workspace.ledger.read() as connection:
        (entries,) = connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0]
    return int(entries)
