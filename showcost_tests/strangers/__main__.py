"""Throw anything at one feed of many and one vendor of three, for a time.

    python -m showcost_tests.strangers --seconds 3600 [--seed N]

A failure ends it; the last seed printed repeats it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from showcost_tests.strangers.laws import check_inbox, check_vendor, vendors


def main() -> None:
    """Run for the given time; the first failure ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    until, seed = time.monotonic() + options.seconds, options.seed
    while time.monotonic() < until:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            print(f"seed {seed}", flush=True)
            check_inbox(folder / "inbox", seed, rounds=3, thrown=40)
            with vendors(folder / "vendors") as (workspace, simulator):
                for number in range(seed * 10, seed * 10 + 10):
                    check_vendor(workspace, simulator, number)
        seed += 1
    print(f"{seed - options.seed} seeds, no failure")


if __name__ == "__main__":
    main()
