"""Landing large deliveries: time, and peak memory, which must not grow with size.

Payload store, reader, inferred columns, audit segment and staged records are included. Each size is landed
in a new process, in a data folder with the production of `examples/uk_spend`; 1% of the records are broken.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.harness import REPOSITORY, copy_production
from benchmarks.reader import generate
from showcost.config.feed import FeedSpec
from showcost.ingest.landing import land
from showcost.workspace import open_workspace

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Report

FEED: Final = FeedSpec(
    name="invoices",
    description="Invoices",
    record_kind="vendor_invoice",
    required=("invoice_no", "invoice_date", "account", "currency", "net_amount"),
    key=("vendor_code", "invoice_no"),
    key_ordinal=True,
    day_first=True,
    decimal_mark=".",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the option of sizes."""
    parser.add_argument("--megabytes", type=int, nargs="+", default=[100, 400])


def run(options: argparse.Namespace, report: Report) -> None:
    """Land a delivery of each size."""
    for megabytes in options.megabytes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            copy_production(REPOSITORY / "examples" / "uk_spend", folder)
            inbox = folder / "inbox" / FEED.name
            inbox.mkdir(parents=True)
            rows = generate(inbox / "invoices.csv", megabytes, 0.01, year=2014)
            report.in_process(f"land {megabytes} MB", land_delivery, folder, rows=rows)


def land_delivery(folder: Path) -> dict[str, Any]:
    """Land the delivery in the inbox and return the numbers of received and refused records."""
    (delivery,) = land(open_workspace(folder), FEED).read
    return {"received": delivery.summary.received, "refused": delivery.summary.refused}
