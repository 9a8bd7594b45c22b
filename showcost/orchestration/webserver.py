"""Dagster's webserver behind the guard of requests, alone or with the daemon.

    python -m showcost.orchestration.webserver dev OPTIONS      as `dagster dev`
    python -m showcost.orchestration.webserver serve OPTIONS    as `dagster-webserver`

Dagster starts the webserver of `dagster dev` by the name of its module. The name is replaced, and so is the
function that makes the webserver's app; the version of Dagster is pinned, and a test asks the running server.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from dagster._cli import dev
from dagster_webserver import cli as webserver_cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from showcost.orchestration.request_guard import (
    HOSTS_VARIABLE,
    TOKEN_VARIABLE,
    RequestGuard,
    RequestRules,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from dagster._core.workspace.context import IWorkspaceProcessContext
    from starlette.applications import Starlette

_DAGSTERS_MODULE: Final = "dagster_webserver"
_MODULE: Final = "showcost.orchestration.webserver"


class GuardedWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver; every request passes the guard first."""

    def build_middleware(self) -> list[Middleware]:
        """Return the middleware, the guard first."""
        rules = RequestRules(
            os.environ.get(HOSTS_VARIABLE, "").lower().split(), os.environ.get(TOKEN_VARIABLE) or None
        )
        return [Middleware(RequestGuard, rules), *super().build_middleware()]


def _guarded_app(
    context: IWorkspaceProcessContext[Any],
    path_prefix: str = "",
    live_data_poll_rate: int | None = None,
    **options: Any,  # noqa: ANN401 - passed on to Starlette, which takes any
) -> Starlette:
    """Return the app of a workspace, as Dagster's function of the same arguments."""
    return GuardedWebserver(context, path_prefix, live_data_poll_rate).create_asgi_app(**options)


def serve(arguments: Sequence[str]) -> None:
    """Run the webserver with the options of `dagster-webserver`."""
    vars(webserver_cli)["create_app_from_workspace_process_context"] = _guarded_app
    webserver_cli.cli(list(arguments), auto_envvar_prefix="DAGSTER_WEBSERVER")


def develop(arguments: Sequence[str]) -> None:
    """Run webserver and daemon with the options of `dagster dev`."""
    names = vars(dev)
    start = names["open_ipc_subprocess"]

    def guarded(parts: Sequence[str], **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401 - those of Popen
        if _DAGSTERS_MODULE in parts:
            place = parts.index(_DAGSTERS_MODULE)
            parts = [*parts[:place], _MODULE, "serve", *parts[place + 1 :]]
        process: subprocess.Popen[Any] = start(parts, **options)
        return process

    names["open_ipc_subprocess"] = guarded
    dev.dev_command(list(arguments))


def main() -> None:
    """Run what the first argument says.

    Dagster ends at SIGTERM as it does at SIGINT, and a process that a script starts in the background ignores
    that one: it could be ended by SIGKILL only.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    commands = {"dev": develop, "serve": serve}
    command, *arguments = sys.argv[1:]
    commands[command](arguments)


if __name__ == "__main__":
    main()
