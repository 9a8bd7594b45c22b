"""The reconciliation queue of many rows: listed, filtered, and resolved in bulk.

A delivery of `--rows` rows of the sample's feed of US vendors, each on an account that the chart does not
have, is landed and validated, so that every row waits in the queue. Then the commands of a person are timed,
each in a process of its own: the list, the list of one vendor, a correction of `--corrections` rows in one
act, and a decision on all rows at once.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.harness import REPOSITORY
from benchmarks.proof import DAYS, FEED, make_workspace
from showcost.ingest.landing import land
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Report
    from showcost.workspace import Workspace

VENDORS: Final = 200
"""Number of vendors among the rows; one of them is filtered for, another one's rows are corrected."""
PERSON: Final = ("--who", "A. Clerk", "--why", "as the vendor says")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of sizes."""
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--corrections", type=int, default=1_000)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure all commands."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_workspace(Path(folder) / "home", options.rows)
        spoil(workspace, options.rows, options.corrections)
        fill(workspace, options.rows, report)
        command(workspace, report, "queue list", "list", "--json")
        command(workspace, report, "queue list, as text", "list")
        command(workspace, report, "queue list --vendor", "list", "--vendor", "Vendor 7 ", "--json")
        every = ("--all", "--yes", *PERSON, "--json")
        chosen = ("--set", "account=3910", "--vendor", "To correct", *every)
        command(workspace, report, "queue resolve --set, with its replay", "resolve", *chosen)
        command(
            workspace, report, "queue resolve --discard, all", "resolve", "--discard", "--feed", FEED, *every
        )
        command(workspace, report, "queue list, settled", "list", "--json")


def spoil(workspace: Workspace, rows: int, corrections: int) -> None:
    """Give every row an account that the chart does not have, and one of the vendors."""
    number = 0
    for path in sorted(workspace.path.joinpath("inbox", FEED).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            header, *lines = csv.reader(stream)
        account, vendor = header.index("Account No."), header.index("Vendor")
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for cells in lines:
                cells[account] = "999999"
                is_last = number >= rows - corrections
                cells[vendor] = "To correct Ltd" if is_last else f"Vendor {number % VENDORS} Ltd"
                writer.writerow(cells)
                number += 1


def fill(workspace: Workspace, rows: int, report: Report) -> None:
    """Land and validate the rows: they wait in the queue."""
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    with report.timed("land and validate", rows):
        land(workspace, feed)
        pin_snapshots(workspace, DAYS)
        write_raw_rows(workspace, feed, DAYS)
        validate_partitions(workspace, feed, DAYS)
        quarantine_undated(workspace, feed)


def command(workspace: Workspace, report: Report, label: str, *arguments: str) -> None:
    """Time `showcost queue` with arguments; the results are the rows of its output and its peak memory."""
    with report.timed(label) as results:
        finished = subprocess.run(  # noqa: S603 -- our own command
            [sys.executable, "-c", PEAK, "queue", *arguments, "--home", str(workspace.path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
        )
        if finished.returncode:
            raise AssertionError(finished.stderr)
        results["peak_mib_of_the_command"] = int(finished.stderr.strip().rsplit(" ", 1)[-1])
        if "--json" in arguments:
            results["rows"] = len(json.loads(finished.stdout)["rows"])


PEAK: Final = """
import sys
from benchmarks.harness import peak_mib
from showcost.cli.main import main
try:
    main()
finally:
    print("peak", peak_mib(), file=sys.stderr)
"""
