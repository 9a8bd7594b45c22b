"""Measure what landing a large delivery costs: time, and peak memory, which must not grow with its size.

The payload store, the reader, the settled columns, the audit segment and the staged records are all in it.
Each size runs in a process of its own, in a fresh home with the example production of `examples/uk_spend`.

    python scripts/bench_landing.py --megabytes 100 400
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_reader import generate

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "uk_spend"


def land_one(folder: Path, megabytes: int) -> None:
    """Land one delivery of invoices, 1% of its records broken, and print what it took."""
    from showcost.config.feed import FeedSpec
    from showcost.ingest.landing import land
    from showcost.workspace import open_workspace

    feed = FeedSpec(
        name="invoices",
        description="Invoices",
        record_kind="vendor_invoice",
        required=("invoice_no", "invoice_date", "account", "currency", "net_amount"),
        key=("vendor_code", "invoice_no"),
        key_ordinal=True,
        day_first=True,
        decimal_mark=".",
    )
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(EXAMPLE / name, folder / name)
    home = open_workspace(folder)
    inbox = home.inbox / feed.name
    inbox.mkdir(parents=True)
    generate(inbox / "invoices.csv", megabytes, 0.01, year=2014)
    began = time.perf_counter()
    (delivery,) = land(home, feed).read
    spent = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    summary = delivery.summary
    print(
        f"{megabytes} MB: {summary.received} records in {spent:.1f} s, peak {peak} MiB"
        f" ({summary.refused or 'landed'})"
    )


def main() -> None:
    """Run each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[100, 400])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.folder:
        land_one(options.folder, options.megabytes[0])
        return
    for megabytes in options.megabytes:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--megabytes", str(megabytes), "--folder", folder]
            subprocess.run(command, check=True)  # noqa: S603 -- this interpreter and this file


if __name__ == "__main__":
    main()
