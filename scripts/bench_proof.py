"""Measure what proof costs: posting with and without the protocol, recovery, verification.

    python scripts/bench_proof.py --rows 1000000

Deliveries of the sample's feed of US vendors are multiplied to that many rows, landed, validated and
posted. Posting without the protocol is the same insert and comparison in one transaction, straight from
the candidates: no segment, no audit log, no chain heads. Recovery is that of an INTENT whose transaction
did not commit, and the check of a ledger at rest. Verification is all of `showcost verify`.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from showcost.checks.verify import verify
from showcost.ingest.landing import land
from showcost.ledger import commit as committing
from showcost.ledger import posting
from showcost.ledger.batches import batch_table, batches_of
from showcost.ledger.entries import posting_context
from showcost.ledger.recovery import writing
from showcost.ledger.schema import ENTRY_COLUMNS
from showcost.ledger.store import Ledger
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.staging.assets import valid_asset
from showcost.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from showcost.audit.log import Record
    from showcost.config.feed import FeedSpec
    from showcost.ledger.batches import Batch

SAMPLE = Path(__file__).resolve().parents[1] / "data"
FEED = "vendor_invoices_us"
FILE_ROWS = 200_000
DAYS = [date(2026, 9, 21) + timedelta(days=number) for number in range(42)]


@contextmanager
def measured(what: str, rows: int) -> Iterator[list[float]]:
    """Print how long a block took, and put it into the list that it gives."""
    taken: list[float] = []
    started = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - started)
    print(f"{what:<46}{taken[0]:8.2f} s{rows / taken[0]:12,.0f} rows/s", flush=True)


def make_home(folder: Path, rows: int) -> Workspace:
    """Make a data folder with deliveries of so many rows, each with an invoice number of its own."""
    inbox = folder / "inbox" / FEED
    inbox.mkdir(parents=True)
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(SAMPLE / name, folder / name)
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
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, fresh: str, *, run_id: str, now: datetime
) -> list[Batch]:
    """Append as `commit_entries` does, in one transaction and nothing else."""
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
        raise AssertionError(f"{ledger.path}: not what was to be posted")
    connection.commit()
    connection.unregister("posting_batches")
    return batches


@contextmanager
def bare_writing(ledger: Ledger) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the connection without recovery."""
    with ledger.write() as connection:
        yield connection


def post_all(home: Workspace, feed: FeedSpec, ledger: Ledger) -> int:
    """Post everything that is valid and return the number of rows."""
    store = home.staging
    filled = [
        day.isoformat()
        for day in DAYS
        if (staged := store.metadata(valid_asset(FEED), day.isoformat())) and staged.rows
    ]
    results = posting.post(
        ledger,
        posting_context(home.production, feed),
        store.verified_paths(valid_asset(FEED), filled),
        partition_dates=DAYS,
        run_id="bench",
        clock=lambda: datetime.now(UTC),
    )
    return sum(result.appended_rows for result in results)


def compare_posting(home: Workspace, feed: FeedSpec, rows: int, rounds: int) -> None:
    """Post into copies of the ledger, with and without the protocol in turn, and compare the best."""
    aside = home.path / "aside"
    aside.mkdir()
    for name in ("ledger.duckdb", "audit"):
        source = home.path / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, aside / name)
    best: dict[str, float] = {}
    for _ in range(rounds):
        for what in ("without", "with"):
            folder = home.path / f"copy-{what}"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(aside, folder)
            ledger = Ledger(folder / "ledger.duckdb")
            with measured(f"post {what} the protocol", rows) as taken:
                if what == "with":
                    post_all(home, feed, ledger)
                else:
                    with (
                        patch.object(posting, "commit_entries", commit_without_protocol),
                        patch.object(posting, "writing", bare_writing),
                    ):
                        post_all(home, feed, ledger)
            best[what] = min(taken[0], best.get(what, taken[0]))
            shutil.rmtree(folder)
    print(
        f"  with the protocol at {best['without'] / best['with']:.2f} of the rate without (best of {rounds})"
    )
    shutil.rmtree(aside)


class DiedError(Exception):
    """Stands for the end of the process."""


def die(*_: object) -> None:
    """End in the midst of posting, after the INTENT and before the transaction."""
    raise DiedError


def measure_recovery(home: Workspace, feed: FeedSpec, rows: int) -> None:
    """Leave the last chunk announced but not committed, and measure what the next start does."""
    ledger = home.ledger
    real, left = committing.BATCHES, max(rows // posting.CHUNK_ROWS, 1)

    def write_all_but_the_last(
        connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None
    ) -> None:
        nonlocal left
        left -= 1
        if not left:
            die()
        real.write(connection, record, segment)

    dying = replace(real, write=write_all_but_the_last)
    with patch.object(committing, "BATCHES", dying), suppress(DiedError):
        post_all(home, feed, ledger)
    for what in ("recovery: an INTENT repeated", "recovery: a ledger at rest"):
        with measured(what, rows), writing(home.ledger) as connection:
            entries = connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0]
        print(f"  {entries:,} entries")
    post_all(home, feed, home.ledger)


def prepare(home: Workspace, feed: FeedSpec, days: Sequence[date], rows: int) -> None:
    """Do all that comes before posting."""
    with measured("land", rows):
        land(home, feed)
    pin_snapshots(home, days)
    with measured("raw rows and validation", rows):
        write_raw_rows(home, feed, days)
        counts = validate_partitions(home, feed, days)
        quarantine_undated(home, feed)
    print(f"  {sum(day.valid for day in counts.values()):,} valid rows")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder) / "home", options.rows)
        feed = next(feed for feed in home.feeds if feed.name == FEED)
        prepare(home, feed, DAYS, options.rows)
        compare_posting(home, feed, options.rows, options.rounds)
        measure_recovery(home, feed, options.rows)
        started = time.perf_counter()

        def step_done(done: int, _: int) -> None:
            nonlocal started
            print(f"  step {done:>2}{time.perf_counter() - started:8.2f} s", flush=True)
            started = time.perf_counter()

        with measured("verify", options.rows):
            outcome = verify(home, progress=step_done)
        print("  " + ", ".join(step.name for step in outcome.steps))
        print(f"  {outcome.entries:,} entries; first difference: {outcome.first}")


if __name__ == "__main__":
    main()
