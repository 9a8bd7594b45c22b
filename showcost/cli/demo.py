"""`showcost demo`: a sample production end to end, in a fresh folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from showcost.cli.home import named_home, use_home
from showcost.cli.land import land_result
from showcost.cli.output import CommandResult, prints_result, say, show_table
from showcost.cli.run import run_spans, show_runs
from showcost.cli.status import status_result
from showcost.config.agreements.loading import FOLDER as AGREEMENTS
from showcost.config.feeds import api_feeds
from showcost.config.production import PRODUCTION_FILE
from showcost.core.errors import InputError
from showcost.core.money import readable_amount
from showcost.ledger.digest import digest
from showcost.ledger.queries import balances, base_by_account
from showcost.pipeline.due import due_spans
from showcost.simulator.running import simulated
from showcost.simulator.scripts import Script
from showcost.workspace import HOME_VARIABLE, open_workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.config.production import DateRange
    from showcost.orchestration.runs import RunOutcome
    from showcost.workspace import Workspace

SAMPLES: Final = {
    "harrow-bridge": "data",
    "uk-spend": "examples/uk_spend",
    "vendor-apis": "examples/vendor_apis",
}
"""Sample productions by name, and their folders in the repository."""

_MARKER: Final = ".showcost-demo"
_NEAR: Final = timedelta(days=7)


@dataclass(frozen=True)
class Total:
    """Posted total of one original currency, and its base amount."""

    currency: str
    entries: int
    amount: Decimal
    base_amount: Decimal


@dataclass(frozen=True)
class PostedTotal:
    """Posted total in the base currency, and its parts: on cost accounts, and on balance accounts.

    Balance accounts have recoverable tax and refundable deposits: money that comes back, not cost.
    """

    base_currency: str
    base_amount: Decimal
    cost: Decimal
    balance: Decimal


@click.command()
@click.option("--sample", type=click.Choice(sorted(SAMPLES)), default="harrow-bridge", show_default=True)
@click.option(
    "--deliveries",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Extra files to drop into the inbox of the sample's first feed.",
)
@prints_result
def demo(sample: str, deliveries: Path | None) -> CommandResult:
    """Take a sample production from its inbox into the ledger, and show the result.

    The folder to build in is --home, or SHOWCOST_HOME, or .demo in the repository. It must be new or empty;
    an earlier demo there is replaced.
    """
    workspace = _fresh_home(sample, named_home() or _repository() / ".demo", deliveries)
    use_home(workspace.path)
    landed = land_result(workspace)
    feeds = workspace.feeds
    if api_feeds(feeds):
        outcomes, before = _with_vendors(workspace)
    else:
        due = [(span.first, span.last) for span in due_spans(workspace, feeds)]
        spans = _to_the_edges(due, workspace.production.dates)
        outcomes, before = run_spans(workspace, [(*span, None) for span in spans]), None
    success = all(outcome.passed for outcome in outcomes)
    status = status_result(workspace, feeds)
    totals, posted = _totals(workspace), posted_total(workspace)
    facts = {
        "landed": landed.facts,
        "runs": [asdict(outcome) for outcome in outcomes],
        "status": status.facts,
        "totals": [asdict(total) for total in totals],
        "posted": asdict(posted),
        "digest": _digest(workspace),
    }

    def show() -> None:
        landed.show()
        if before is not None:
            say("With one vendor down:")
            before.show()
            say("With all vendors:")
        show_runs(outcomes)
        say()
        status.show()
        _show_totals(posted, totals)
        say(f"Ledger digest {facts['digest']}")
        _show_next(workspace.path)

    return CommandResult(facts, show, status=0 if success else 1)


VENDORS: Final = (
    Script("camera", "page", currency="GBP", accounts=("3320",), failing=8, doubled=2, token=None),
    Script("grip", "cursor", currency="EUR", accounts=("2510", "2530"), dead=True),
    Script("lighting", "cursor", "e-invoices in json", currency="EUR", accounts=("3220",), failing=8),
    Script("sound", "link", accounts=("3420", "3430"), failing=8, bad=3, gzip=True),
)
"""The simulated vendors of the sample; one of them is down at first."""


def _with_vendors(workspace: Workspace) -> tuple[list[RunOutcome], CommandResult]:
    """Run the production's dates against simulated vendors: first with one down, then with all up.

    Also returns the status in between.
    """
    dates = [(workspace.production.dates.start, workspace.production.dates.end, None)]
    with simulated(VENDORS) as simulator:
        for script in VENDORS:
            os.environ[f"SHOWCOST_{script.name.upper()}_URL"] = simulator.base_url(script.name)
        first = run_spans(workspace, dates)
        before = status_result(workspace, workspace.feeds)
        simulator.revive("grip")
        return [*first, *run_spans(workspace, dates)], before


def _repository() -> Path:
    return Path(__file__).resolve().parents[2]


def _fresh_home(sample: str, folder: Path, deliveries: Path | None) -> Workspace:
    """Copy the sample into the folder, which must be new, empty, or hold an earlier demo."""
    source = _repository() / SAMPLES[sample]
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; choose another folder with --home")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARKER).exists():
            raise InputError(
                f"{folder} is neither empty nor an earlier demo; choose another folder with --home"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).touch()
    for name in (PRODUCTION_FILE, "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(source / name, folder / name)
    if (source / AGREEMENTS).is_dir():
        shutil.copytree(source / AGREEMENTS, folder / AGREEMENTS)
    (folder / "dagster_home").mkdir()
    shutil.copyfile(source / "dagster_home" / "dagster.yaml", folder / "dagster_home" / "dagster.yaml")
    if (source / "inbox").is_dir():
        shutil.copytree(source / "inbox", folder / "inbox")
    workspace = open_workspace(folder)
    if deliveries is not None:
        feed = workspace.feeds[0]
        inbox = workspace.inbox / feed.inbox_folder
        inbox.mkdir(parents=True, exist_ok=True)
        for path in sorted(deliveries.iterdir()):
            if path.is_file():
                shutil.copyfile(path, inbox / path.name)
    return workspace


def _to_the_edges(spans: list[tuple[date, date]], dates: DateRange) -> list[tuple[date, date]]:
    """Extend the first and last span to the production's own start and end if they are close."""
    if spans and spans[0][0] - dates.start <= _NEAR:
        spans[0] = (dates.start, spans[0][1])
    if spans and dates.end - spans[-1][1] <= _NEAR:
        spans[-1] = (spans[-1][0], dates.end)
    return spans


def _totals(workspace: Workspace) -> list[Total]:
    dates = workspace.production.dates
    sums: dict[str, Total] = {}
    with workspace.ledger.read() as connection:
        for row in balances(connection, dates.start, dates.end).to_pylist():
            code = row["currency"]
            so_far = sums.get(code, Total(code, 0, Decimal(0), Decimal(0)))
            sums[code] = Total(
                code,
                so_far.entries + row["entry_count"],
                so_far.amount + row["amount"],
                so_far.base_amount + row["base_amount"],
            )
    return [sums[code] for code in sorted(sums)]


def posted_total(workspace: Workspace) -> PostedTotal:
    """Return the posted total of the whole production, by the kind of its accounts in the chart."""
    production = workspace.production
    with workspace.ledger.read() as connection:
        sums = base_by_account(connection, production.dates.start, production.dates.end)
    balance_accounts = workspace.chart.balance_accounts
    total = sum(sums.values(), Decimal(0))
    balance = sum((amount for number, amount in sums.items() if number in balance_accounts), Decimal(0))
    return PostedTotal(production.base_currency, total, total - balance, balance)


def _digest(workspace: Workspace) -> str:
    dates = workspace.production.dates
    with workspace.ledger.read() as connection:
        return digest(connection, dates.start, dates.end).hash


def _show_totals(posted: PostedTotal, totals: Sequence[Total]) -> None:
    columns = ["currency", "entries", "amount", f"in {posted.base_currency}"]
    rows = [
        (total.currency, total.entries, readable_amount(total.amount), readable_amount(total.base_amount))
        for total in totals
    ]
    show_table("Posted to the ledger", columns, rows)
    say(
        f"Posted: {readable_amount(posted.base_amount)} {posted.base_currency}, of which cost"
        f" {readable_amount(posted.cost)} and balance accounts {readable_amount(posted.balance)}"
        " (recoverable tax, deposits)."
    )


def _show_next(folder: Path) -> None:
    say(f"\nNext, with {HOME_VARIABLE}={folder}:")
    say("  showcost status --deliveries     rows and amounts by state, per delivery")
    say("  showcost report --out report     cost report: book, workbook, cover, CSV, Parquet")
    say("  showcost queue list              rows that need a decision, and why")
    say("  showcost fx show                 pinned rates")
    say("  showcost digest --partitions     digest per date, to compare machines")
    say("  make ui                          Dagster UI on http://127.0.0.1:3000")
