"""The cost of proof: posting with and without the protocol, recovery, verification.

Deliveries of the sample's feed of US vendors are multiplied to `--rows`, landed, validated and posted.
Posting without the protocol is the same insert and comparison in one transaction, directly from the
candidates: no segment, no audit log, no chain heads. Recovery is measured for a prepare record whose
transaction did not commit, and for a ledger with nothing to recover. Verification is `showcost verify`.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from benchmarks.harness import SAMPLE, copy_production
from showcost.checks.verify import verify
from showcost.ingest.landing import land
from showcost.ledger import append_entries, posting
from showcost.ledger.batches import batch_table, batches_of
from showcost.ledger.new_entries import posting_context
from showcost.ledger.recovery import writing
from showcost.ledger.schema import ENTRY_COLUMNS
from showcost.ledger.store import Ledger
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.staging.assets import valid_asset
from showcost.workspace import Workspace

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import duckdb

    from benchmarks.harness import Report
    from showcost.audit.log import Record
    from showcost.config.feed import FeedSpec
    from showcost.ledger.batches import Batch

FEED: Final = "vendor_invoices_us"
FILE_ROWS: Final = 200_000
DAYS: Final = [date(2026, 9, 21) + timedelta(days=number) for number in range(42)]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of sizes."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="runs of which the shortest counts")


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure all steps."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_workspace(Path(folder) / "home", options.rows)
        feed = next(feed for feed in workspace.feeds if feed.name == FEED)
        prepare(workspace, feed, options.rows, report)
        for _ in range(options.rounds):
            compare_posting(workspace, feed, options.rows, report)
        without, with_protocol = (report.shortest(label) for label in POSTING)
        report.note("speed with the protocol to without", ratio=round(without / with_protocol, 2))
        measure_recovery(workspace, feed, options.rows, report)
        measure_verification(workspace, options.rows, report)


def make_workspace(folder: Path, rows: int) -> Workspace:
    """Make a data folder with deliveries of this many rows, each with its own invoice number."""
    inbox = folder / "inbox" / FEED
    inbox.mkdir(parents=True)
    copy_production(SAMPLE, folder)
    with (SAMPLE / "inbox" / FEED / "bills_2026-10-09.csv").open(encoding="utf-8", newline="") as source:
        header, *lines = csv.reader(source)
    column = header.index("Bill No.")
    for number, start in enumerate(range(0, rows, FILE_ROWS)):
        with (inbox / f"bills_{number:03}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for row in range(start, min(start + FILE_ROWS, rows)):
                cells = list(lines[row % len(lines)])
                cells[column] = f"B{row:08}"
                writer.writerow(cells)
    return Workspace(folder)


def commit_without_protocol(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    fresh: str,
    *,
    run_id: str,
    now: datetime,
    configuration: str | None,
) -> list[Batch]:
    """Append entries as `commit_entries` does, but in one transaction alone, without a configuration."""
    del configuration
    batches = batches_of(connection, fresh)
    if not batches:
        return []
    table = batch_table(batches, run_id, now.astimezone(UTC).replace(tzinfo=None), 0)
    connection.register("posting_batches", table)
    names = ", ".join(column.name for column in ENTRY_COLUMNS if column.name != "batch_id")
    connection.begin()
    connection.execute(
        f"INSERT INTO ledger_entries BY NAME SELECT batch_id, {names} FROM (FROM {fresh}) JOIN ("  # noqa: S608 -- constants only
        "SELECT batch_id, partition_date AS transaction_date FROM posting_batches) USING (transaction_date)"
    )
    connection.execute("INSERT INTO batches BY NAME FROM posting_batches")
    if batches_of(connection, "(FROM ledger_entries SEMI JOIN posting_batches USING (batch_id))") != batches:
        raise AssertionError(f"{ledger.path}: the posted entries differ from the candidates")
    connection.commit()
    connection.unregister("posting_batches")
    return batches


@contextmanager
def writing_without_recovery(ledger: Ledger) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection to write, without recovery."""
    with ledger.write() as connection:
        yield connection


def post_all(workspace: Workspace, feed: FeedSpec, ledger: Ledger) -> int:
    """Post all valid rows and return their number."""
    store = workspace.staging
    partitions = [
        day.isoformat()
        for day in DAYS
        if (staged := store.metadata(valid_asset(FEED), day.isoformat())) and staged.rows
    ]
    results = posting.post(
        ledger,
        posting_context(workspace.production, feed),
        store.ranges(valid_asset(FEED), partitions),
        partition_dates=DAYS,
        run_id="bench",
        clock=lambda: datetime.now(UTC),
    )
    return sum(result.appended_rows for result in results)


POSTING: Final = ("post without the protocol", "post with the protocol")


def compare_posting(workspace: Workspace, feed: FeedSpec, rows: int, report: Report) -> None:
    """Post to copies of the ledger, without and with the protocol."""
    for label in POSTING:
        folder = workspace.path / "copy"
        folder.mkdir()
        shutil.copyfile(workspace.path / "ledger.duckdb", folder / "ledger.duckdb")
        shutil.copytree(workspace.path / "audit", folder / "audit")
        ledger = Ledger(folder / "ledger.duckdb")
        with report.timed(label, rows) as results:
            if label == POSTING[0]:
                with (
                    patch.object(posting, "commit_entries", commit_without_protocol),
                    patch.object(posting, "writing", writing_without_recovery),
                ):
                    results["rows"] = post_all(workspace, feed, ledger)
            else:
                results["rows"] = post_all(workspace, feed, ledger)
        shutil.rmtree(folder)


class SimulatedCrashError(Exception):
    """Simulates the end of the process after a prepare record and before its transaction."""


def measure_recovery(workspace: Workspace, feed: FeedSpec, rows: int, report: Report) -> None:
    """Crash before the transaction of the last chunk, and measure the next two starts."""
    ledger = workspace.ledger
    batches, remaining = append_entries.BATCHES, max(rows // posting.CHUNK_ROWS, 1)

    def write_all_but_the_last(
        connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None
    ) -> None:
        nonlocal remaining
        remaining -= 1
        if not remaining:
            raise SimulatedCrashError
        batches.write(connection, record, segment)

    crashing = replace(batches, write=write_all_but_the_last)
    with patch.object(append_entries, "BATCHES", crashing), suppress(SimulatedCrashError):
        post_all(workspace, feed, ledger)
    for label in ("recovery: a prepare record applied again", "recovery: nothing to recover"):
        with report.timed(label, rows) as results, writing(workspace.ledger) as connection:
            (results["entries"],) = connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0]
    post_all(workspace, feed, workspace.ledger)


def prepare(workspace: Workspace, feed: FeedSpec, rows: int, report: Report) -> None:
    """Land, pin rates and validate."""
    with report.timed("land", rows):
        land(workspace, feed)
    pin_snapshots(workspace, DAYS)
    with report.timed("raw rows and validation", rows) as results:
        write_raw_rows(workspace, feed, DAYS)
        counts = validate_partitions(workspace, feed, DAYS)
        quarantine_undated(workspace, feed)
        results["valid"] = sum(day.valid for day in counts.values())


def measure_verification(workspace: Workspace, rows: int, report: Report) -> None:
    """Measure `showcost verify` and each of its steps."""
    ends = [time.perf_counter()]
    with report.timed("verify", rows) as results:
        outcome = verify(workspace, progress=lambda *_: ends.append(time.perf_counter()))
        results |= {"entries": outcome.entries, "first_difference": outcome.first}
    seconds = (round(end - start, 2) for start, end in pairwise(ends))
    report.note(
        "seconds of each step", **dict(zip((step.name for step in outcome.steps), seconds, strict=True))
    )
