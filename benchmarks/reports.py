"""All reports of a period as a sealed pack: time of each part, and peak memory.

Bills of the sample are delivered again and again, each under a number of its own, until the ledger has about
as many entries as `--rows`. With `--home`, the data folder stays there, and the next run uses it again.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from benchmarks.partitions import count_entries
from benchmarks.proof import DAYS, FEED, make_workspace, prepare
from showcost.pipeline.posting import post_partitions
from showcost.reports.book import writing as book
from showcost.reports.cost import report as cost
from showcost.reports.cost.basis import report_basis
from showcost.reports.pack import sealing
from showcost.workspace import open_workspace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from benchmarks.harness import Report

PARTS: Final = (
    (cost, ("cost_tables", "entry_tables", "journal_tables", "spend_tables", "labour_tables", "not_posted")),
    (cost, ("scope_of",)),
    (
        sealing,
        (
            "masked_columns",
            "write_report_tables",
            "write_workbook",
            "write_cover",
            "collect",
            "book_of_facts",
        ),
    ),
    (book, ("add_entries", "_add_long_tables", "ledger_charts")),
    (sealing, ("manifest_of",)),
)
"""The functions whose time is measured, by the module that calls them."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of size and data folder."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="data folder to use, made if it is missing")


def run(options: argparse.Namespace, report: Report) -> None:
    """Make the ledger, and its reports in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        home: Path = options.home or Path(folder) / "home"
        if not home.exists():
            make_ledger(home, options.rows, report)
        entries = count_entries(open_workspace(home))
        report.in_process("all reports of a period", write_pack, str(home), folder, rows=entries)


def make_ledger(home: Path, rows: int, report: Report) -> None:
    """Make a data folder with a posted ledger."""
    workspace = make_workspace(home, rows)
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    prepare(workspace, feed, rows, report)
    with report.timed("post", rows):
        post_partitions(workspace, feed, DAYS, "benchmark")


def write_pack(home: str, folder: str) -> dict[str, Any]:
    """Write the pack of the last period; return CPU seconds by part, size and seal."""
    seconds: dict[str, float] = {}
    with ExitStack() as stack:
        for module, names in PARTS:
            for name in names:
                timed = _timed(getattr(module, name), name, seconds)
                stack.enter_context(patch.object(module, name, timed))
        workspace = open_workspace(Path(home))
        _, pack = cost.write_report(workspace, report_basis(workspace), Path(folder) / "pack")
    size = sum(path.stat().st_size for path in pack.folder.rglob("*") if path.is_file())
    parts = {name: round(cpu, 1) for name, cpu in seconds.items()}
    return {**parts, "megabytes": round(size / 1e6), "seal": pack.sha256[:16]}


def _timed(work: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    """Return a function that also adds its CPU seconds, those of all threads, to `seconds`."""

    def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - stands in for functions of any type
        started = time.process_time()
        try:
            return work(*arguments, **named)
        finally:
            seconds[name] = seconds.get(name, 0.0) + time.process_time() - started

    return timed
