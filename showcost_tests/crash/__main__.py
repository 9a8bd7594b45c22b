"""Inject faults between inbox and ledger, and check that every restart recovers.

    python -m showcost_tests.crash --points 500 --triples 50 --instants 100 --pairs 50 --runs 20

A point is a write, fsync, rename, removal or commit; at each the process is killed (before, after, halfway
through a write) or gets EIO or ENOSPC. Triples are three crashes in a row. Instants are kills at any moment.
Pairs are two processes that do an act at once, of which one may be killed. Runs are runs through Dagster,
killed at any moment. After each case a restart of the act must reach the counts and the digest of a run
without faults, lose no acknowledged entry and duplicate none. Cases are walks: one of each act, one after the
other in one data folder, which must pass `showcost verify --read-again` at the end; when a walk fails, its
cases are repeated alone, each from the folder before its act. One case in two hundred is alone from the
beginning, and its restart does all acts from the first. Exit status 1 when a restart failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from showcost_tests.crash.harness import Sizes, run_all


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--triples", type=int, default=20)
    parser.add_argument("--instants", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--acts", action="store_true", help="faults only in the acts after the posting")
    part.add_argument("--steps", action="store_true", help="no acts after the posting")
    parser.add_argument("--minutes", type=int, default=24 * 60, help="end after so many minutes")
    options = parser.parse_args()

    def report(done: int, whole: int) -> None:
        end = "" if sys.stderr.isatty() else "\n"
        print(f"\r{done} of {whole}", end=end, file=sys.stderr, flush=True)

    sizes = Sizes(
        points=options.points,
        triples=options.triples,
        instants=options.instants,
        pairs=options.pairs,
        runs=options.runs,
        minutes=options.minutes,
    )
    harness, defects = run_all(
        sizes, seed=options.seed, acts_only=options.acts, steps_only=options.steps, report=report
    )
    facts = {
        "calls_on_the_way": sum(len(stage.calls) for stage in harness.stages),
        "points_with_faults": sum(len(stage.points()) for stage in harness.stages),
        "entries": harness.clean.entries,
        "digest": harness.clean.digest,
        **asdict(harness.tally),
        "defects": defects,
    }
    print(json.dumps(facts, indent=1))
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
