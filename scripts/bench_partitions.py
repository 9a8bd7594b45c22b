"""What Dagster costs: 365 daily partitions of the sample production in one run, against the stages alone.

    python scripts/bench_partitions.py [--days 365]

Both take the sample's inbox, with the production's dates stretched to that many days, from landing into the
ledger. The difference is the time outside our own steps: events, their storage, and the engine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
LAST = date(2026, 11, 6)


def prepare(folder: Path, days: int) -> None:
    """Make a data folder of the sample with `days` days of production."""
    source = REPOSITORY / "data"
    for name in ("chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(source / name, folder / name)
    shutil.copytree(source / "inbox", folder / "inbox")
    (folder / "dagster_home").mkdir()
    shutil.copyfile(source / "dagster_home" / "dagster.yaml", folder / "dagster_home" / "dagster.yaml")
    production = yaml.load((source / "production.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 -- only text
    production["dates"] = {"start": str(LAST - timedelta(days=days - 1)), "end": str(LAST)}
    text = yaml.safe_dump(production, allow_unicode=True).replace("'", "")
    (folder / "production.yaml").write_text(text, encoding="utf-8")


def stages_alone(folder: Path, days: int) -> float:
    """Return the seconds of all stages called directly."""
    from showcost.ingest.landing import land
    from showcost.pipeline.auto_rebook import rebook_by_policy
    from showcost.pipeline.fx_snapshots import pin_snapshots
    from showcost.pipeline.posting import post_partitions
    from showcost.pipeline.raw_rows import write_raw_rows
    from showcost.pipeline.validation import quarantine_undated, validate_partitions
    from showcost.reports.ledger_days import ledger_days
    from showcost.workspace import open_workspace

    home = open_workspace(folder)
    dates = [LAST - timedelta(days=number) for number in reversed(range(days))]
    started = time.perf_counter()
    pin_snapshots(home, dates)
    for feed in home.feeds:
        land(home, feed)
        quarantine_undated(home, feed)
        write_raw_rows(home, feed, dates)
        validate_partitions(home, feed, dates)
        post_partitions(home, feed, dates, "stages alone")
        rebook_by_policy(home, feed)
    ledger_days(home, dates)
    return time.perf_counter() - started


def through_dagster(folder: Path, days: int) -> tuple[float, float]:
    """Return the seconds of one Dagster run over all partitions, and of its steps."""
    import dagster as dg

    from showcost.orchestration.runs import run_range
    from showcost.workspace import open_workspace

    started = time.perf_counter()
    outcome = run_range(open_workspace(folder), LAST - timedelta(days=days - 1), LAST)
    seconds = time.perf_counter() - started
    if not outcome.success:
        sys.exit(f"the run failed: {outcome.failures}")
    with dg.DagsterInstance.get() as instance:
        stats = instance.get_run_step_stats(outcome.run_id)
    steps = sum((one.end_time or 0) - (one.start_time or 0) for one in stats)
    return seconds, steps


def main() -> None:
    """Run both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    days = parser.parse_args().days
    os.environ.pop("DAGSTER_HOME", None)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        prepare(Path(one), days)
        prepare(Path(other), days)
        alone = stages_alone(Path(one), days)
        seconds, steps = through_dagster(Path(other), days)
    print(f"{days} partitions, stages alone            {alone:8.1f} s")
    print(f"{days} partitions, one Dagster run         {seconds:8.1f} s")
    print(f"  of which in steps (with their events)    {steps:8.1f} s")
    print(f"  outside our own stages                   {seconds - alone:8.1f} s")


if __name__ == "__main__":
    main()
