"""Fuzz the reader: by coverage where atheris is installed, by seeded mutations elsewhere.

    python -m showcost_tests.fuzz --seconds 3600 [--findings FOLDER] [--seed N]

Findings are payloads in the folder, each with a traceback; the exit status is 1 when there is one.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from showcost_tests.fuzz.findings import Findings
from showcost_tests.fuzz.laws import HINTS, check
from showcost_tests.fuzz.mutation import mutations


def main() -> int:
    """Run for the given time and report the findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "showcost-fuzz")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is not None:
        module = "showcost_tests.fuzz.coverage"
        command = [sys.executable, "-m", module, options.findings, options.seconds, options.seed]
        subprocess.run(list(map(str, command)), check=False)  # noqa: S603 -- this interpreter
    else:
        print("atheris is not installed (extra `fuzz`): mutations without the guidance of coverage")
        print(f"{mutate(options.findings, options.seconds, options.seed)} payloads")
    names = Findings(options.findings).names()
    print(f"{len(names)} findings in {options.findings}" if names else "no findings")
    return 1 if names else 0


def mutate(folder: Path, seconds: int, seed: int) -> int:
    """Check mutations for some time; return their number."""
    findings, until, count = Findings(folder), time.monotonic() + seconds, 0
    with tempfile.TemporaryDirectory() as name:
        for payload in mutations(seed):
            if time.monotonic() > until:
                break
            number = count % len(HINTS)
            with findings.kept(bytes([number]) + payload):
                check(payload, Path(name) / "any", HINTS[number])
            count += 1
    return count


if __name__ == "__main__":
    sys.exit(main())
