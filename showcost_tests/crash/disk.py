"""Faults of the operating system in a real `showcost run`: every file that anything in the process changes.

    python -m showcost_tests.crash.disk --points 40

A shared library counts the calls that write, create, sync, rename, remove or cut files below the data folder,
also those of DuckDB, SQLite and Dagster. At a drawn call of each drawn kind it fails: with EIO once, or with
ENOSPC from then on. The command must end with status 0 or 1 without a traceback; the same command again must
succeed, reach the digest of a run without faults, and verify. Exit status 1 when one did not. It needs Linux
and a C compiler.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from showcost_tests.crash.scenario import DAYS, make_home

COMPILERS: Final = ("cc", "gcc", "clang")
_SOURCE: Final = Path(__file__).with_name("disk.c")
_LIBRARY: Final = "SHOWCOST_TEST_DISK"
"""The variable with the path of the compiled library, set in the process that has it loaded."""
_RUN: Final = ("run", "--from", str(DAYS[0]), "--to", str(DAYS[0]))
_NAMES: Final = re.compile(r"[0-9a-f]{6,}[-0-9a-f]*|\d+")
_DEFECT: Final = re.compile(r"Traceback|showcost: unexpected")


@dataclass(frozen=True)
class Fault:
    """The number of a call, from 1, its error, and whether later calls that need space fail too."""

    point: int
    error: int
    stays: bool


@dataclass(frozen=True)
class Ended:
    """Exit status and output of a command."""

    status: int
    output: str


class Disk:
    """The loaded library."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)

    def command(self, home: Path, arguments: tuple[str, ...], fault: Fault | None = None) -> Ended:
        """Run a command of showcost in a process of its own."""
        from showcost.cli.main import main  # noqa: PLC0415 - after the library was loaded

        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            os.environ["SHOWCOST_HOME"] = str(home)
            os.environ.pop("DAGSTER_HOME", None)
            sys.argv = ["showcost", *arguments]
            if fault is not None:
                self._library.disk_arm(f"{home}/".encode(), fault.point, fault.error, fault.stays)
            _exit_as(main)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
            output = stream.read()
        return Ended(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), output)

    def calls(self, home: Path, arguments: tuple[str, ...], listing: Path) -> list[str]:
        """Run a command, and return the calls that it made, in order."""
        self._library.disk_trace(str(listing).encode())
        ended = self.command(home, arguments, Fault(0, 0, stays=False))
        self._library.disk_trace(os.devnull.encode())
        if ended.status:
            raise AssertionError(f"the command without faults failed: {ended.output}")
        return listing.read_text(encoding="utf-8").splitlines()


def _exit_as(main: object) -> None:
    status = 0
    try:
        main()  # type: ignore[operator] # a command
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run_all(disk: Disk, folder: Path, points: int, seed: int) -> dict[str, object]:
    """Run cases in copies of a small data folder; return the counts and the defects."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    make_home(folder / "template")
    clean = _copy(folder)
    calls = disk.calls(clean, _RUN, folder / "calls")
    digest = disk.command(clean, ("digest",)).output.partition(" ")[0]
    kinds: dict[str, list[int]] = {}
    for number, call in enumerate(calls, start=1):
        kinds.setdefault(_NAMES.sub("N", call), []).append(number)
    chosen = draw.sample(sorted(kinds), min(points, len(kinds)))
    defects, failed = [], 0
    for kind in chosen:
        full = draw.random() < 1 / 2
        fault = Fault(draw.choice(kinds[kind]), errno.ENOSPC if full else errno.EIO, stays=full)
        home = _copy(folder)
        ended = disk.command(home, _RUN, fault)
        failed += ended.status != 0
        again, verified = disk.command(home, _RUN), disk.command(home, ("verify",))
        reached = disk.command(home, ("digest",)).output.partition(" ")[0]
        outcome = ended.status in {0, 1}, again.status, verified.status, reached == digest
        if outcome != (True, 0, 0, True) or _DEFECT.search(ended.output):
            defects.append(f"{errno.errorcode[fault.error]} at {fault.point}, {kind}: {ended}, then {again}")
    return {
        "calls": len(calls),
        "kinds_of_calls": len(kinds),
        "cases": len(chosen),
        "commands_that_failed": failed,
        "defects": defects,
    }


def _copy(folder: Path) -> Path:
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(folder / "template", home)
    return home


def main() -> int:
    """Run the command line in a process with the library loaded; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if _LIBRARY not in os.environ:
            library = Path(folder) / "disk.so"
            compiler = next(name for name in COMPILERS if shutil.which(name))
            compile_it = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
            subprocess.run(compile_it, check=True)  # noqa: S603 - our own source
            loaded = os.environ | {"LD_PRELOAD": str(library), _LIBRARY: str(library)}
            command = [sys.executable, "-m", "showcost_tests.crash.disk", *sys.argv[1:]]
            return subprocess.run(command, env=loaded, check=False).returncode  # noqa: S603 - ourselves
        # Imported once, before the forks.
        import showcost.orchestration.runs  # noqa: F401, PLC0415

        facts = run_all(Disk(os.environ[_LIBRARY]), Path(folder), options.points, options.seed)
    sys.stdout.write(json.dumps(facts, indent=1) + "\n")
    return 1 if facts["defects"] else 0


if __name__ == "__main__":
    sys.exit(main())
