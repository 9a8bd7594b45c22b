"""`showcost ui`: the Dagster UI of a data folder, with its daemon."""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

import click

from showcost.cli.home import open_home
from showcost.cli.output import CommandResult, prints_result, say
from showcost.core.errors import InputError
from showcost.workspace import HOME_VARIABLE

_LOCAL: Final = "127.0.0.1"
_PORT: Final = 3000
_MODULE: Final = "showcost.definitions"


@click.command()
@click.option("--port", default=_PORT, show_default=True, type=click.IntRange(1, 65535), help="Port to use.")
@click.option("--read-only", is_flag=True, help="Only to look at: no daemon, and nothing can be started.")
@prints_result
def ui(port: int, *, read_only: bool) -> CommandResult:
    """Open the Dagster UI of the data folder on this machine, with its schedules and sensors.

    The folder is checked first, and gets the settings of its Dagster instance if it has none. Ctrl-C ends it.
    """
    workspace = open_home()
    # An error in a feed would be a stack trace in the UI.
    _ = workspace.feeds
    from showcost.orchestration.runs import DAGSTER_HOME_VARIABLE, dagster_home  # noqa: PLC0415 -- Dagster takes seconds to import

    if _is_taken(port):
        raise InputError(f"port {port} is in use on this machine; name another one with --port")
    folder = dagster_home(workspace)
    module = "dagster_webserver" if read_only else "dagster"
    options = ["--read-only"] if read_only else ["dev"]
    command = [sys.executable, "-m", module, *options, "-m", _MODULE, "--host", _LOCAL, "--port", str(port)]
    variables = {HOME_VARIABLE: str(workspace.path), DAGSTER_HOME_VARIABLE: str(folder)}
    facts = {"url": f"http://{_LOCAL}:{port}", "dagster_home": folder, "read_only": read_only}

    def start() -> None:
        say(f"The UI of {workspace.path} is on {facts['url']} in a moment; Ctrl-C ends it.")
        sys.stdout.flush()
        os.execve(sys.executable, command, os.environ | variables)  # noqa: S606 - the same interpreter, without a shell

    return CommandResult(facts, start)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_LOCAL, port)) == 0
