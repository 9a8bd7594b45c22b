"""`python -m showcost.simulator`: serves the vendors whose scripts come on stdin, a JSON object a line.

Prints its address and runs until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from showcost.simulator.scripts import Script
from showcost.simulator.server import Server


async def serve(scripts: list[Script], port: int) -> None:
    """Serve until a signal ends it."""
    server = Server(scripts)
    listening = await server.start(port)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    sys.stdout.write(f"http://127.0.0.1:{listening}\n")
    sys.stdout.flush()
    await stopped.wait()
    await server.stop()


def main() -> None:
    """Read the scripts and serve them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    asyncio.run(serve([Script.from_json(line) for line in sys.stdin], arguments.port))


if __name__ == "__main__":
    main()
