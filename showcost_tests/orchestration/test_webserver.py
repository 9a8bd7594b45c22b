"""The guarded webserver takes the place of Dagster's own, alone and in `dagster dev`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar, cast

import dagster as dg
import httpx
from dagster._cli import dev
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver import cli as webserver_cli

from showcost.orchestration import webserver

if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import Popen

    import pytest
    from starlette.types import ASGIApp

MODULE = "showcost.orchestration.webserver"


class Recorded:
    """Stands in for Dagster's way to start a process."""

    started: ClassVar[list[list[str]]] = []

    def __call__(self, parts: Sequence[str], **_options: object) -> Popen[Any]:
        self.started.append(list(parts))
        return cast("Popen[Any]", None)


def test_dagster_dev_starts_the_guarded_webserver(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded()
    monkeypatch.setattr(dev, "open_ipc_subprocess", recorded)
    monkeypatch.setattr(dev, "dev_command", lambda _: _start_both())
    webserver.develop(["--port", "1"])
    assert recorded.started == [
        ["python", "-m", MODULE, "serve", "--port", "1"],
        ["python", "-m", "dagster._daemon", "run"],
    ]


def test_a_ui_that_a_script_starts_in_the_background_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: list[object] = []
    monkeypatch.setattr(webserver, "develop", lambda _: handlers.append(signal.getsignal(signal.SIGINT)))
    monkeypatch.setattr(sys, "argv", [MODULE, "dev"])
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        webserver.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert handlers == [signal.default_int_handler]


def _start_both() -> None:
    start = vars(dev)["open_ipc_subprocess"]
    start(["python", "-m", "dagster_webserver", "--port", "1"])
    start(["python", "-m", "dagster._daemon", "run"])


def test_the_webservers_app_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = "create_app_from_workspace_process_context"
    monkeypatch.setattr(webserver_cli, made, getattr(webserver_cli, made))
    monkeypatch.setattr(webserver_cli, "cli", lambda *_arguments, **_options: None)
    webserver.serve([])
    with (
        dg.DagsterInstance.local_temp() as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        app = getattr(webserver_cli, made)(context)
        assert asyncio.run(_statuses(app)) == [200, 400, 200, 403]


async def _statuses(app: ASGIApp) -> list[int]:
    query = {"query": "{ version }"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
        answers = (
            await client.get("/server_info"),
            await client.get("/server_info", headers={"host": "evil.example"}),
            await client.post("/graphql", json=query),
            await client.post("/graphql", json=query, headers={"origin": "http://evil.example"}),
        )
    return [answer.status_code for answer in answers]
