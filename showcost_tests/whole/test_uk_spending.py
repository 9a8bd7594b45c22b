"""All public UK spending files: no row is lost, in any layout that a department uses.

Held against Python's csv module, which shares nothing with the reader; skipped where the files are missing.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from showcost.cli.options import days_between
from showcost.config.feeds import load_feeds
from showcost.ingest.landing import LandedDelivery, land, landed
from showcost.pipeline.due import due_by_landing, due_spans
from showcost.reports.status import feed_status
from showcost.workspace import Workspace, open_workspace
from showcost_tests.corpus import corpus_dir
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.whole import entries
from showcost_tests.whole.running import run
from showcost_tests.whole.steps import ledger_digest, take, totals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost_tests.whole.conftest import Copy

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]

EXAMPLE = REPOSITORY / "examples" / "uk_spend"
NO_TABLE: Final = {
    # A summary of two columns, text and amount.
    "GPC_Transparency_data_Jan2015_travel_Stationery.csv": "SC-FIL-002",
    # Two columns are named Supplier, both with content.
    "cefas-over-25k-1106.csv": "SC-FIL-002",
}
"""The files that are refused as a whole."""

_CELLS_OF_A_HEADER: Final = 5
_AMOUNT: Final = re.compile(r"(-?)\s*£?\s*(-?[\d,]+(?:\.\d+)?)")


@dataclass(frozen=True)
class Table:
    """A file as the csv module reads it: the header, and the records after it that are not blank."""

    header: list[str]
    rows: list[list[str]]


def _table(path: Path) -> Table | None:
    """Read a file independently; None for a malformed file, whose row count would prove nothing."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return None
    filled = [record for record in records if any(cell.strip() for cell in record)]
    starts = (
        number
        for number, record in enumerate(filled)
        if sum(1 for cell in record if cell.strip()) >= _CELLS_OF_A_HEADER
    )
    start = next(starts, None)
    if start is None:
        return None
    header, rows = filled[start], filled[start + 1 :]
    return Table(header, rows) if {len(row) for row in rows} == {len(header)} else None


def _feed() -> FeedSpec:
    (feed,) = load_feeds("UKSPEND")
    return feed


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the example production with all files landed."""
    files = corpus_dir("uk_spend")
    folder = tmp_path_factory.mktemp("uk_spend") / "home"
    folder.mkdir()
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(EXAMPLE / name, folder / name)
    workspace = open_workspace(folder)
    shutil.copytree(files, workspace.inbox / "uk_spend")
    land(workspace, _feed())
    return workspace


@pytest.fixture(scope="module")
def posted(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the production after all landed rows were processed into the ledger."""
    folder = tmp_path_factory.mktemp("posted") / "home"
    shutil.copytree(workspace.path, folder)
    copied = open_workspace(folder)
    for due in due_spans(copied, [_feed()]):
        take(copied, days_between(due.first, due.last))
    return copied


def _well_formed(workspace: Workspace) -> Iterator[tuple[LandedDelivery, Table]]:
    for delivery in landed(workspace, _feed()):
        table = _table(workspace.inbox / "uk_spend" / delivery.arrival.name)
        if table is not None and not delivery.summary.refused:
            yield delivery, table


def test_every_file_lands_and_only_files_without_a_table_are_refused(workspace: Workspace) -> None:
    refusals = {delivery.arrival.name: delivery.summary.refused for delivery in landed(workspace, _feed())}
    assert refusals.keys() == {path.name for path in (workspace.inbox / "uk_spend").iterdir()}
    assert {name: refusal for name, refusal in refusals.items() if refusal} == NO_TABLE


def test_rows_are_as_many_as_another_reader_finds(workspace: Workspace) -> None:
    parsed = {delivery.arrival.name: (delivery.summary, table) for delivery, table in _well_formed(workspace)}
    assert len(parsed) == len(landed(workspace, _feed())) - len(NO_TABLE)
    wrong = {
        name: (summary.received, len(table.rows))
        for name, (summary, table) in parsed.items()
        # A line of totals below the rows is a footer to us and a record to the csv module.
        if summary.received + int(str(summary.dialect["footer_records"])) != len(table.rows)
    }
    assert wrong == {}


def test_amounts_have_the_sum_that_another_reader_finds(workspace: Workspace) -> None:
    status = feed_status(workspace, _feed())
    received = {
        delivery.arrival.name: tally.amounts.get("received", {}) for delivery, tally in status.deliveries
    }
    compared, wrong = 0, {}
    for delivery, table in _well_formed(workspace):
        column = table.header.index(delivery.summary.columns["net_amount"])
        footers = int(str(delivery.summary.dialect["footer_records"]))
        cells = [row[column].strip() for row in table.rows[: len(table.rows) - footers]]
        matches = [_AMOUNT.fullmatch(cell) for cell in cells]
        if not all(matches):
            continue
        compared += 1
        total = sum(
            (Decimal((match[1] + match[2]).replace(",", "")) for match in matches if match), Decimal(0)
        )
        if received[delivery.arrival.name].get("GBP") != total:
            wrong[delivery.arrival.name] = (total, received[delivery.arrival.name])
    assert wrong == {}
    assert compared > 40


@pytest.mark.slow
def test_every_row_and_every_amount_is_in_one_place(posted: Workspace) -> None:
    total = totals(posted)
    assert total.received == sum(delivery.summary.received for delivery in landed(posted, _feed()))
    assert total.pending == 0
    assert total.posted > 0.95 * total.received
    due = due_by_landing(posted, _feed())
    assert (due.dates, due.undated) == ({}, None)


@pytest.mark.slow
def test_every_base_amount_is_that_of_an_independent_recomputation(posted: Workspace) -> None:
    assert entries.wrongly_converted(posted) == []


@pytest.mark.slow
def test_a_month_through_dagster_is_the_same(workspace: Workspace, posted: Workspace, copy: Copy) -> None:
    first, last = date(2012, 4, 1), date(2012, 4, 30)
    through_dagster = copy(workspace)
    outcome = run(through_dagster, first, last)
    assert outcome.failures == ()
    assert outcome.success
    totals(through_dagster)
    actual, expected = (
        {day: value for day, value in ledger_digest(compared).partitions.items() if first <= day <= last}
        for compared in (through_dagster, posted)
    )
    assert actual == expected
