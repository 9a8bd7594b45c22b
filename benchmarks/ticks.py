"""The time of a tick of each sensor, on a production of many feeds and years in which everything is posted.

Each feed has a delivery per month with a row per day. A tick opens the data folder anew, as the daemon's
does; the first one of a process also reads what later ones remember (settings, audit log).
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import yaml

from benchmarks.harness import SAMPLE, copy_production
from showcost.defs.automation.alerts import send_alerts
from showcost.defs.automation.jobs import request_night
from showcost.defs.automation.sensors import release_rates, watch_inbox
from showcost.ingest.landing import land
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.workspace import HOME_VARIABLE, open_workspace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from benchmarks.harness import Report
    from showcost.workspace import Workspace

LAST: Final = date(2026, 10, 30)
CODE: Final = "TICKS"
_ACCOUNT: Final = "2520"
_PARTS: Final = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the production's size."""
    parser.add_argument("--feeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=1096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ticks", type=int, default=0, help="ticks of each sensor, to see what grows")


def run(options: argparse.Namespace, report: Report) -> None:
    """Build the production, then measure ticks without new files, with one, and after a landing."""
    os.environ.pop("DAGSTER_HOME", None)
    with tempfile.TemporaryDirectory() as folder, dg.instance_for_test() as instance:
        home = Path(folder) / "home"
        os.environ[HOME_VARIABLE] = str(home)
        dates = [LAST - timedelta(number) for number in reversed(range(options.days))]
        with report.timed(f"{options.feeds} feeds, {options.days} days: land and post") as results:
            results.update(build(home, dates, options.feeds))
        for name, tick in TICKS.items():
            for repeat in range(options.repeats):
                with report.timed(f"{name}, {'first' if repeat == 0 else 'later'} tick") as results:
                    results["said"] = _said(tick(instance))
        workspace = open_workspace(home)
        _deliver(workspace, "feed_00", "late", [LAST - timedelta(options.days // 2)])
        with report.timed("inbox, a new file") as results:
            results["said"] = _said(TICKS["inbox"](instance))
        land(workspace, workspace.feeds[0])
        with report.timed("inbox, a late date is due") as results:
            results["said"] = _said(TICKS["inbox"](instance))
        for part in range(_PARTS if options.ticks else 0):
            with report.timed(f"{options.ticks // _PARTS} ticks of each, part {part + 1}") as results:
                for _ in range(options.ticks // _PARTS):
                    for tick in TICKS.values():
                        tick(instance)
                results |= {"mebibytes": _resident(), "files": sum(len(names) for *_, names in os.walk(home))}


def _resident() -> int:
    """Return the memory of this process now, in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _tick_of(function: Callable[..., Any]) -> Callable[[dg.DagsterInstance], Any]:
    def tick(instance: dg.DagsterInstance) -> Any:  # noqa: ANN401 - what Dagster takes from a tick
        return function(dg.build_sensor_context(instance=instance), datetime.now(UTC))

    return tick


def _night(instance: dg.DagsterInstance) -> object:
    now = datetime.combine(LAST + timedelta(1), datetime.min.time(), UTC).replace(hour=13)
    return request_night(dg.build_schedule_context(instance=instance, scheduled_execution_time=now))


TICKS: Final = {
    "inbox": _tick_of(watch_inbox),
    "awaited_rates": _tick_of(release_rates),
    "alerts": _tick_of(send_alerts),
    "nightly": _night,
}


def _said(result: object) -> str:
    """Return what a tick did, in short."""
    requests = result if isinstance(result, list) else getattr(result, "run_requests", None)
    if requests:
        return f"{len(requests)} runs requested"
    reason = getattr(result, "skip_reason", result)
    return str(getattr(reason, "skip_message", reason))[:80]


def build(home: Path, dates: Sequence[date], feeds: int) -> dict[str, Any]:
    """Make the production, land a delivery per month and feed, and post everything."""
    home.mkdir(parents=True)
    copy_production(SAMPLE, home)
    settings = home / "production.yaml"
    production = yaml.safe_load(settings.read_text(encoding="utf-8"))
    span = {"start": dates[0], "end": date(2026, 12, 31)}
    production |= {"code": CODE, "dates": span, "principal_photography": span, "closed_periods": []}
    production |= {"tax_codes": [], "incentives": [], "agreements": []}
    settings.write_text(yaml.safe_dump(production, allow_unicode=True), encoding="utf-8")
    for number in range(feeds):
        _declare(home, f"feed_{number:02}")
    workspace = open_workspace(home)
    pin_snapshots(workspace, dates)
    months: dict[str, list[date]] = {}
    for day in dates:
        months.setdefault(f"{day:%Y-%m}", []).append(day)
    names = [feed.name for feed in workspace.feeds if feed.name.startswith("feed_")]
    for feed in (feed for feed in workspace.feeds if feed.name in names):
        for month, days in months.items():
            _deliver(workspace, feed.name, month, days)
        land(workspace, feed)
        quarantine_undated(workspace, feed)
        write_raw_rows(workspace, feed, dates)
        validate_partitions(workspace, feed, dates)
        post_partitions(workspace, feed, dates, "benchmark")
    with workspace.ledger.read() as connection:
        (entries,) = connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0]
    return {"deliveries": len(months) * len(names), "entries": entries}


def _declare(home: Path, name: str) -> None:
    path = home / "feeds" / name / "defs.yaml"
    path.parent.mkdir(parents=True)
    attributes = {
        "name": name,
        "description": f"A vendor's list, number {name[-2:]}.",
        "record_kind": "vendor_invoice",
        "default_currency": "USD",
        "quiet_seconds": 0,
        "productions": [CODE],
        "constants": {
            "vendor_code": f"V-{name[-2:]}",
            "vendor_name": f"Vendor {name[-2:]}",
            "vendor_tax_id": "91-7990407",
            "vendor_country": "US",
            "account": _ACCOUNT,
            "currency": "USD",
        },
    }
    declaration = {"type": "showcost.components.Feed", "attributes": attributes}
    path.write_text(yaml.safe_dump(declaration), encoding="utf-8")


def _deliver(workspace: Workspace, feed: str, name: str, days: Sequence[date]) -> None:
    folder = workspace.inbox / feed
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["invoice_no,invoice_date,net_amount,tax_amount,gross_amount,description"]
    lines += [f"{feed[-2:]}-{name}-{day:%d},{day},100.00,0.00,100.00,hire of {day}" for day in days]
    path = folder / f"{name}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with suppress(OSError):
        os.utime(path, (0, 0))
