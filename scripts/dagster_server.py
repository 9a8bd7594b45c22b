"""A Dagster UI of a data folder for as long as a check needs it, and questions to its GraphQL.

What is looked at is a copy of the folder: a check may materialise what it likes. What is checked is not
decided here.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[1]

_START_SECONDS = 180
_STOP_SECONDS = 20
_ASK_SECONDS = 60
_POLL_SECONDS = 0.5


class NotHeldError(Exception):
    """Something that is checked does not hold; the text is one sentence."""


def need(condition: object, sentence: str) -> None:
    """Raise NotHeldError with the sentence unless the condition holds."""
    if not condition:
        raise NotHeldError(sentence)


def until(found: Callable[[], Any], seconds: float, sentence: str) -> Any:  # noqa: ANN401 -- whatever it finds
    """Return what `found` finds as soon as that is something, or raise NotHeldError after a bounded wait."""
    end = time.monotonic() + seconds
    while True:
        if result := found():
            return result
        need(time.monotonic() < end, f"{sentence} (waited {seconds:g} s)")
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class Server:
    """A running Dagster UI at `url`."""

    url: str

    def ask(self, query: str, **variables: object) -> Any:  # noqa: ANN401 -- JSON of any shape
        """Return the data of a GraphQL query; NotHeldError when there is no answer or an error in it."""
        body = {"query": query, "variables": variables}
        try:
            answer = httpx.post(f"{self.url}/graphql", json=body, timeout=_ASK_SECONDS).json()
        except (httpx.HTTPError, ValueError) as error:
            raise NotHeldError(f"the Dagster UI does not answer GraphQL ({type(error).__name__})") from None
        need("errors" not in answer, f"GraphQL answers {str(answer.get('errors'))[:200]}")
        return answer["data"]

    def is_up(self) -> bool:
        """Say whether the web server answers and has loaded the definitions."""
        try:
            httpx.get(f"{self.url}/server_info", timeout=_ASK_SECONDS).raise_for_status()
        except httpx.HTTPError:
            return False
        return bool(self.ask("{ assetNodes { id } }")["assetNodes"])


@contextmanager
def served(home: Path) -> Iterator[Server]:
    """Serve the UI, the daemon with it, of a copy of a data folder on a free port; always stop them."""
    need((home / "production.yaml").is_file(), f"{home} is no data folder; run make demo first")
    with tempfile.TemporaryDirectory(prefix="showcost-ui-") as folder:
        copy = Path(folder) / "home"
        shutil.copytree(home, copy)
        port = _free_port()
        log = Path(folder) / "dagster.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(  # noqa: S603 -- our own interpreter and arguments
                [*_DEV, "--port", str(port)],
                cwd=REPOSITORY,
                env=os.environ | {"SHOWCOST_HOME": str(copy), "DAGSTER_HOME": str(copy / "dagster_home")},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            server = Server(f"http://127.0.0.1:{port}")
            until(
                lambda: process.poll() is not None or server.is_up(),
                _START_SECONDS,
                "the Dagster UI did not start",
            )
            need(process.poll() is None, f"dagster dev ended: {_last_line(log)}")
            yield server
        finally:
            _stop(process)


_DEV = [
    sys.executable,
    *("-m", "dagster", "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1"),
    *("--log-level", "warning"),
]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "without a word"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process and what it started to end; end them all when they do not."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        end = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < end and _group_lives(process):
            time.sleep(_POLL_SECONDS)
        if not _group_lives(process):
            break
    process.wait(timeout=_STOP_SECONDS)


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
