"""The way of a few deliveries into the ledger, in full: what is cut off at every point and started again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from showcost.config.feeds import load_feeds
from showcost.config.home import Home
from showcost.ingest.landing import land
from showcost.ledger.digest import digest
from showcost.ledger.recovery import writing
from showcost.ledger.store import Ledger
from showcost.stages.posting import stage_posted
from showcost.stages.rates import stage_snapshots
from showcost.stages.raw_rows import stage_raw_rows
from showcost.stages.validation import stage_undated, stage_validated
from showcost.stages.verification import verify

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = Path(__file__).resolve().parents[2] / "data"
FEED = "vendor_invoices_us"
FILES = ("bills_2026-10-02.csv",)
DAYS = [date(2026, 9, 21) + timedelta(days=number) for number in range(5)]
HALVES = (DAYS[:1], DAYS[1:])


@dataclass(frozen=True)
class Books:
    """What the ledger has in the end, and the first thing that verification finds wrong."""

    entries: int
    distinct: int
    digest: str
    difference: str | None


def make_home(folder: Path) -> Home:
    """Make a data folder whose inbox has something in it; nothing of this is at risk."""
    (folder / "inbox" / FEED).mkdir(parents=True)
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(SAMPLE / name, folder / name)
    for name in FILES:
        lines = (SAMPLE / "inbox" / FEED / name).read_text(encoding="utf-8").splitlines(keepends=True)
        target = folder / "inbox" / FEED / name
        target.write_text("".join(lines[:40]), encoding="utf-8")
    return Home(folder)


def carry_out(home: Home, tell: Callable[[str], None]) -> None:
    """Take the inbox into the ledger, in two postings; tell how many entries are acknowledged."""
    feed = next(feed for feed in load_feeds(home.production.code) if feed.name == FEED)
    land(home, feed)
    stage_snapshots(home, DAYS)
    for days in HALVES:
        stage_raw_rows(home, feed, days)
        stage_validated(home, feed, days)
        posted = stage_posted(home, feed, days, "run")
        tell(f"acknowledged {sum(day.entries for day in posted.values())}")
    stage_undated(home, feed)


def recovered_entries(home: Home) -> int:
    """Let the ledger recover, do nothing else, and return how many entries it has."""
    with writing(Ledger(home.ledger)) as connection:
        return int(connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0])


def books(home: Home) -> Books:
    """Return what the ledger has, and what verification says."""
    with Ledger(home.ledger).read() as connection:
        entries, distinct = connection.execute(
            "SELECT count(*), count(DISTINCT entry_id) FROM ledger_entries"
        ).fetchall()[0]
        found = digest(connection, DAYS[0], DAYS[-1]).hash
    first = verify(home, read_again=True).first
    return Books(entries, distinct, found, None if first is None else str(first))
