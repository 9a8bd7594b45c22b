"""Coverage-guided fuzzing in a separate process, which libFuzzer ends; findings are files in a folder.

    python -m showcost_tests.fuzz.coverage FINDINGS SECONDS [SEED]

The first byte of an input chooses the hints; the rest is the payload. Needs atheris.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["showcost.readers"]):
    from showcost_tests.fuzz.findings import Findings
    from showcost_tests.fuzz.laws import HINTS, check
    from showcost_tests.fuzz.mutation import seeds


def main() -> None:
    """Run until the time is over."""
    folder, seconds = Path(sys.argv[1]), sys.argv[2]
    seed = sys.argv[3] if len(sys.argv) > 3 else "1"
    findings = Findings(folder)
    with tempfile.TemporaryDirectory() as name:
        work, corpus = Path(name), Path(name) / "corpus"
        corpus.mkdir()
        for number, payload in enumerate(seeds()):
            (corpus / f"seed-{number}").write_bytes(bytes([number % len(HINTS)]) + payload)

        def one(data: bytes) -> None:
            hints = HINTS[data[0] % len(HINTS)] if data else HINTS[0]
            with findings.kept(data):
                check(data[1:], work / "any", hints)

        # Under atheris the process grows by about 19 MiB per 1,000 inputs, and not without it (6,000 take the
        # reader 16 MiB): libFuzzer's own 2 GiB would end a run before its hour.
        options = [
            "-rss_limit_mb=8192",
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            "-max_len=8192",
            "-timeout=60",
            "-verbosity=0",
        ]
        atheris.Setup(
            [sys.argv[0], *options, "-print_final_stats=1", f"-artifact_prefix={folder}/", str(corpus)], one
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
