"""Start and stop a simulator in a process of its own.

So it shares neither event loop nor memory with the code under test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from showcost.simulator.scripts import Script

_ASK_SECONDS: Final = 30


@dataclass(frozen=True)
class Simulator:
    """A running simulator."""

    url: str

    def base_url(self, vendor: str) -> str:
        """Return the address of a vendor's invoices."""
        return f"{self.url}/{vendor}/invoices"

    def statistics(self) -> dict[str, dict[str, Any]]:
        """Return the statistics of the vendors, by name; see `server.VendorStatistics`."""
        statistics: dict[str, dict[str, Any]] = self._ask("/_seen")
        return statistics

    def hold_up_ms(self) -> int:
        """Return the maximum delay of the simulator's event loop since the last call, in milliseconds."""
        return int(self._ask("/_machine")["longest_hold_up_ms"])

    def revive(self, vendor: str) -> None:
        """Make a dead vendor answer again."""
        self._ask(f"/_revive?vendor={vendor}")

    def _ask(self, path: str) -> Any:  # noqa: ANN401 -- whatever the JSON is
        with urllib.request.urlopen(self.url + path, timeout=_ASK_SECONDS) as answer:  # noqa: S310 -- this machine
            return json.load(answer)


@contextmanager
def simulated(scripts: Sequence[Script], port: int = 0) -> Iterator[Simulator]:
    """Run a simulator of some vendors in a process of its own within the block."""
    command = [sys.executable, "-m", "showcost.simulator", "--port", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 -- ours
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    try:
        process.stdin.write("".join(f"{script.to_json()}\n" for script in scripts))
        process.stdin.close()
        yield Simulator(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
