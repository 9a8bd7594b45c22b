"""Serve the Dagster UI of a data folder for checks, and query its GraphQL API.

A copy of the folder is served, so that checks may materialise assets. The checks are in `browser_check.py`.
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
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[1]

_START_SECONDS = 180
_STOP_SECONDS = 20
_REQUEST_SECONDS = 60
_POLL_SECONDS = 0.5


class CheckFailedError(Exception):
    """A check failed; the message is one sentence."""


def require(condition: object, sentence: str) -> None:
    """Raise CheckFailedError with the sentence if the condition is false."""
    if not condition:
        raise CheckFailedError(sentence)


def wait_for(probe: Callable[[], T], seconds: float, sentence: str) -> T:
    """Return the first true result of `probe`; CheckFailedError with the sentence after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        if result := probe():
            return result
        require(time.monotonic() < end, f"{sentence} (waited {seconds:g} s)")
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class Server:
    """A running Dagster UI at `url`, of the data folder `home`."""

    url: str
    home: Path

    def query(self, text: str, **variables: object) -> dict[str, Any]:
        """Return the data of a GraphQL query; CheckFailedError if it fails."""
        body = {"query": text, "variables": variables}
        try:
            response = httpx.post(f"{self.url}/graphql", json=body, timeout=_REQUEST_SECONDS).json()
        except (httpx.HTTPError, ValueError) as error:
            raise CheckFailedError(
                f"the Dagster UI does not answer GraphQL queries ({type(error).__name__})"
            ) from None
        require("errors" not in response, f"the GraphQL query failed: {str(response.get('errors'))[:200]}")
        data: dict[str, Any] = response["data"]
        return data

    def is_up(self) -> bool:
        """Return whether the web server answers and has loaded the definitions."""
        try:
            httpx.get(f"{self.url}/server_info", timeout=_REQUEST_SECONDS).raise_for_status()
        except httpx.HTTPError:
            return False
        return bool(self.query("{ assetNodes { id } }")["assetNodes"])


@contextmanager
def serve(home: Path) -> Iterator[Server]:
    """Serve UI and daemon for a copy of a data folder on a free port, and stop them at the end."""
    require((home / "production.yaml").is_file(), f"{home} is not a data folder; run make demo first")
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
            server = Server(f"http://127.0.0.1:{port}", copy)
            wait_for(
                lambda: process.poll() is not None or server.is_up(),
                _START_SECONDS,
                "the Dagster UI did not start",
            )
            require(process.poll() is None, f"the UI ended: {_last_line(log)}")
            yield server
        finally:
            _stop(process)


_DEV = [
    sys.executable,
    *(
        "-m",
        "showcost.orchestration.webserver",
        "dev",
        "--workspace",
        "workspace.yaml",
        "--host",
        "127.0.0.1",
    ),
    *("--log-level", "warning"),
]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no output"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process and its children to end; kill them if they do not."""
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
