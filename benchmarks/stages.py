"""The way of a cost, stage by stage: landing, raw rows, validation, posting and digest of one large file.

Invoices in the 22 columns of the sample's German feed, over `--days` dates; 1% have a fault. Every stage is
measured in the same process, as one run does them, so that the peak of a stage includes those before it. The
sums of the file are computed while it is written, and compared with the ledger at the end.
"""

from __future__ import annotations

import csv
import tempfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stdnum.iso7064 import mod_11_10

from benchmarks.harness import Report
from benchmarks.partitions import prepare
from showcost.core.errors import CheckFailedError
from showcost.ingest.landing import land
from showcost.ledger.digest import digest
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import validate_partitions

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from showcost.workspace import Workspace

FEED: Final = "vendor_invoices_de"
LAST: Final = date(2026, 10, 30)
"""The last date with published rates in the package."""

_HEADER: Final = (
    "Produktion;Kreditor;Kreditorname;USt-IdNr.;Land;Rechnungsnummer;Rechnungsdatum;Leistung von;"
    "Leistung bis;Bestellnummer;Position;Sachkonto;Folge;Drehort;Motiv;Buchungstext;Währung;Nettobetrag;"
    "Steuerschlüssel;Steuerbetrag;Bruttobetrag;Fällig am"
)
_FAULT_EVERY: Final = 100
_LINES: Final = 4
_VENDORS: Final = 400
_ACCOUNTS: Final = ("2320", "2330", "2520", "2530", "2920", "2930", "3630", "3640", "3650", "6820", "6830")
_STEP: Final = 7919
_MOST_CENTS: Final = 2_000_000
_TAX: Final = Decimal("0.19")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of sizes."""
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--days", type=int, default=365)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure each size in a new process."""
    for rows in options.rows:
        report.in_process(f"{rows:,} rows, all stages", run_stages, rows, options.days, rows=rows)


def run_stages(rows: int, days: int) -> dict[str, Any]:
    """Carry out all stages of a file with this number of rows; return what was posted."""
    dates = [LAST - timedelta(days=number) for number in reversed(range(days))]
    stages = Report("stages")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = prepare(folder, dates)
        inbox = folder / "inbox"
        for file in inbox.rglob("*.*"):
            file.unlink()
        expected = write_invoices(inbox / FEED / "invoices.csv", rows, dates)
        return _measured(workspace, dates, rows, expected, stages)


def _measured(
    workspace: Workspace, dates: Sequence[date], rows: int, expected: Decimal, stages: Report
) -> dict[str, Any]:
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    with stages.timed("pin"):
        pin_snapshots(workspace, dates)
    with stages.timed("land", rows):
        land(workspace, feed)
    with stages.timed("raw rows", rows):
        write_raw_rows(workspace, feed, dates)
    with stages.timed("validate", rows):
        validate_partitions(workspace, feed, dates)
    with stages.timed("post", rows):
        entries = sum(post_partitions(workspace, feed, dates, "benchmark").values())
    with stages.timed("digest", rows), workspace.ledger.read() as connection:
        ledger_digest = digest(connection, dates[0], dates[-1]).hash
        posted = connection.execute("SELECT sum(amount) FROM ledger_entries").fetchall()[0][0]
    if posted != expected:
        raise CheckFailedError(f"{posted} were posted of {expected}")
    folder_bytes = sum(path.stat().st_size for path in workspace.path.rglob("*") if path.is_file())
    return {
        "entries": entries,
        "digest": ledger_digest[:16],
        "cpu": round(sum(stage.cpu_seconds for stage in stages.measurements), 1),
        "bytes_per_row": folder_bytes // rows,
    }


def write_invoices(path: Path, rows: int, dates: Sequence[date]) -> Decimal:
    """Write a file of invoices; return the sum of net amount and tax of the rows without a fault."""
    total = Decimal(0)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(_HEADER.split(";"))
        for number in range(rows):
            net = Decimal(number * _STEP % _MOST_CENTS + 1).scaleb(-2)
            tax = (net * _TAX).quantize(Decimal("0.01"))
            faulty = number % _FAULT_EVERY == 0
            total += Decimal(0) if faulty else net + tax
            writer.writerow(_row(number, dates[number * len(dates) // rows], net, tax, faulty=faulty))
    return total


def _row(number: int, day: date, net: Decimal, tax: Decimal, *, faulty: bool) -> list[str]:
    document, vendor = divmod(number, _LINES)[0], number // _LINES % _VENDORS
    due = day + timedelta(days=14)
    return [
        "HRB",
        f"V-DE-{vendor:03}",
        f"Lieferant {vendor:03} GmbH",
        _vat_number(vendor),
        "DE",
        f"R-{document:07}",
        f"{day:%d.%m.%Y}",
        f"{day:%d.%m.%Y}",
        f"{day:%d.%m.%Y}",
        "",
        str(number % _LINES + 1),
        "9999" if faulty else _ACCOUNTS[number % len(_ACCOUNTS)],
        str(101 + number % 3),
        "BBG",
        f"M{number % 12 + 1:02} Motiv",
        f"Miete Gerät, Posten {number % 9973}",
        "EUR",
        _german(net),
        "V19",
        _german(tax),
        _german(net + tax),
        f"{due:%d.%m.%Y}",
    ]


def _vat_number(vendor: int) -> str:
    digits = str(99900000 + vendor)
    return f"DE{digits}{mod_11_10.calc_check_digit(digits)}"


def _german(amount: Decimal) -> str:
    return f"{amount:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
