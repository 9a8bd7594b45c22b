"""Run the state machine many times, and print counts of runs and entries.

    python -m showcost_tests.machine --runs 1000 [--steps 15] [--first 1]

Runs come in lots of 20 from one seed each, so that a divergence can be repeated by its seed alone (the runs
of a seed grow: the first are short). Exit status 1 when showcost and the model diverged.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections import Counter

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from showcost_tests.machine.machine import Machine


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--steps", type=int, default=15)
    options = parser.parse_args()
    chosen = settings(
        max_examples=LOT,
        stateful_step_count=options.steps,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    diverged: list[int] = []
    seeds = range(options.first, options.first + -(-options.runs // LOT))
    for number in seeds:
        try:
            run_state_machine_as_test(seed(number)(_fresh()), settings=chosen)
        except Exception:  # noqa: BLE001 - every exception is a divergence of that seed
            print(f"seed {number}:\n{traceback.format_exc()}", file=sys.stderr)
            diverged.append(number)
        print(f"seed {number} of {seeds[-1]}", file=sys.stderr, flush=True)
    print(json.dumps({"done": dict(sorted(DONE.items())), "diverged": diverged}))
    return 1 if diverged else 0


LOT = 20
DONE: Counter[str] = Counter()


def _fresh() -> type[Machine]:
    """Return a new subclass of the machine, because a seed is an attribute of the class."""

    class Counted(Machine):
        """Counts its comparisons, runs and entries."""

        def _compare(self) -> None:
            super()._compare()
            DONE["comparisons"] += 1

        def teardown(self) -> None:
            super().teardown()
            DONE["runs"] += 1
            DONE["rows"] += len(self.model.rows)
            DONE["postings"] += len(self.model.postings)
            DONE["reversals"] += sum(posting.reversed for posting in self.model.postings)

    return Counted


if __name__ == "__main__":
    sys.exit(main())
