"""Tamper with a small data folder, one bit at a time, and count the flips that verification finds.

    python -m showcost_tests.tampering --tries 1000

Exit status 1 when a flipped bit was not found; each such bit is named.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

from showcost_tests.tampering.books import first_difference, first_difference_of_pack, make_books, make_pack
from showcost_tests.tampering.flips import PACK, TARGETS, flips


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tries", type=int, default=1000, help="per kind of file")
    kinds = [*TARGETS, "pack"]
    parser.add_argument("--target", choices=kinds, action="append", help="only this kind of file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        whole = make_books(Path(folder) / "whole")
        logged = make_books(Path(folder) / "logged", checkpoint=False)
        for workspace in (whole, logged):
            if (difference := first_difference(workspace)) is not None:
                print(f"the untouched data folder does not verify: {difference}", file=sys.stderr)
                return 1
        pack = make_pack(whole, Path(folder) / "pack")
        for target in options.target or kinds:
            if target == "pack":
                tried = list(
                    flips(pack, PACK, options.tries, options.seed, partial(first_difference_of_pack, pack))
                )
            else:
                workspace = logged if target == "wal" else whole
                check = partial(first_difference, workspace, files_first=True)
                tried = list(flips(workspace.path, TARGETS[target], options.tries, options.seed, check))
            missed = [asdict(flip) for flip in tried if flip.difference is None]
            counts[target] = {"tries": len(tried), "found": len(tried) - len(missed), "missed": missed}
            print(f"{target}: {counts[target]['found']} of {len(tried)} found", file=sys.stderr, flush=True)
    print(json.dumps(counts, indent=1))
    return 1 if any(count["missed"] for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
