"""Write the inbox of the sample production and the results expected of it (`sample_truth.json`).

    python scripts/generate_sample.py [--home data] [--seed 20261005]

The same seed gives the same bytes. `production.yaml`, the chart and the budget are edited by hand.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from sample_production import plans, truth
from sample_production.files import FEEDS

SEED = 20261005
"""The first day of photography; any number would do."""
PLANS = (plans.purchase_orders, plans.estimates, plans.budget_revisions)


def main() -> None:
    """Replace the inbox and the expected results in the data folder."""
    parser = argparse.ArgumentParser(description="Write the inbox of the sample production.")
    parser.add_argument("--home", type=Path, default=Path(__file__).resolve().parents[1] / "data")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    deliveries = [delivery for feed in (*FEEDS, *PLANS) for delivery in feed(arguments.seed)]
    for folder in {delivery.feed for delivery in deliveries}:
        shutil.rmtree(arguments.home / "inbox" / folder, ignore_errors=True)
    for delivery in deliveries:
        path = arguments.home / "inbox" / delivery.feed / delivery.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(delivery.content)
    text = truth.as_text(arguments.seed, deliveries)
    (arguments.home / "sample_truth.json").write_text(text, encoding="utf-8", newline="\n")
    rows = sum(delivery.rows for delivery in deliveries)
    print(f"{len(deliveries)} files with {rows} rows below {arguments.home / 'inbox'}")


if __name__ == "__main__":
    main()
