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
_SERVER: Final = "showcost.orchestration.webserver"


@click.command()
@click.option("--port", default=_PORT, show_default=True, type=click.IntRange(1, 65535), help="Port to use.")
@click.option("--read-only", is_flag=True, help="Only to look at: no daemon, and nothing can be started.")
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    callback=lambda _context, _option, names: [_host(name) for name in names],
    help="Further name of the UI, such as that of a proxy: costs.example.org. Can be repeated.",
)
@prints_result
def ui(port: int, allow_host: list[str], *, read_only: bool) -> CommandResult:
    """Open the Dagster UI of the data folder on this machine, with its schedules and sensors.

    The folder is checked first, and gets the settings of its Dagster instance if it has none. Requests of
    other sites' pages are refused. Ctrl-C ends it.
    """
    workspace = open_home()
    # An error in a feed would be a stack trace in the UI.
    _ = workspace.feeds
    from showcost.orchestration.request_guard import HOSTS_VARIABLE  # noqa: PLC0415 -- loads the GraphQL library
    from showcost.orchestration.runs import DAGSTER_HOME_VARIABLE, dagster_home  # noqa: PLC0415 -- Dagster takes seconds to import

    if _is_taken(port):
        raise InputError(f"port {port} is in use on this machine; name another one with --port")
    folder = dagster_home(workspace)
    options = ["serve", "--read-only"] if read_only else ["dev"]
    command = [sys.executable, "-m", _SERVER, *options, "-m", _MODULE, "--host", _LOCAL, "--port", str(port)]
    variables = {
        HOME_VARIABLE: str(workspace.path),
        DAGSTER_HOME_VARIABLE: str(folder),
        HOSTS_VARIABLE: " ".join(allow_host),
    }
    facts = {"url": f"http://{_LOCAL}:{port}", "dagster_home": folder, "read_only": read_only}

    def start() -> None:
        say(f"The UI of {workspace.path} is on {facts['url']} in a moment; Ctrl-C ends it.")
        sys.stdout.flush()
        os.execve(sys.executable, command, os.environ | variables)  # noqa: S606 - the same interpreter, without a shell

    return CommandResult(facts, start)


def _host(name: str) -> str:
    """Return a further name of the UI in lower case. Raises InputError if it is none."""
    from showcost.orchestration.request_guard import HOST_FORM  # noqa: PLC0415 -- loads the GraphQL library

    if not HOST_FORM.fullmatch(name.lower()):
        raise InputError(f"--allow-host {name}: a name such as costs.example.org or costs.example.org:8443")
    return name.lower()


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((_LOCAL, port)) == 0
