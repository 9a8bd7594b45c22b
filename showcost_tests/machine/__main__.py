"""Run the state machine on many seeds, and print how many steps were taken.

    python -m showcost_tests.machine --seeds 1000 [--steps 12] [--first 1]

Each seed is a run of its own, so that a divergence can be repeated by its seed alone. Exit status 1 when
showcost and the model diverged.
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
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    chosen = settings(
        # The first example is always the simplest one; the seed decides about the second.
        max_examples=2,
        stateful_step_count=options.steps,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    diverged: list[int] = []
    for number in range(options.first, options.first + options.seeds):
        try:
            run_state_machine_as_test(seed(number)(_fresh()), settings=chosen)
        except Exception:  # noqa: BLE001 - whatever it is, it is a divergence of that seed
            print(f"seed {number}:\n{traceback.format_exc()}", file=sys.stderr)
            diverged.append(number)
        if number % 50 == 0:
            print(f"{number} of {options.first + options.seeds - 1}", file=sys.stderr, flush=True)
    print(json.dumps({"seeds": options.seeds, "steps": dict(sorted(STEPS.items())), "diverged": diverged}))
    return 1 if diverged else 0


STEPS: Counter[str] = Counter()


def _fresh() -> type[Machine]:
    """Return the machine as a class of its own, for a seed is a mark on the class."""

    class Counted(Machine):
        """Counts the steps that it takes."""

        def _compare(self) -> None:
            super()._compare()
            STEPS["comparisons"] += 1

        def teardown(self) -> None:
            super().teardown()
            STEPS["rows"] += len(self.model.rows)
            STEPS["postings"] += len(self.model.postings)
            STEPS["reversals"] += sum(one.reversed for one in self.model.postings)

    return Counted


if __name__ == "__main__":
    sys.exit(main())
