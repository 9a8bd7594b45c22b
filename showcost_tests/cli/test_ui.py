"""`showcost ui`: what is started, and one sentence for each mistake."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from showcost.workspace import HOME_VARIABLE, Workspace
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from showcost_tests.command_line import CommandLine

Started = list[tuple[list[str], dict[str, str]]]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return small.make_home(tmp_path / "home")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    calls: Started = []

    def note(_program: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
        calls.append((list(command), dict(variables)))

    monkeypatch.setattr(os, "execve", note)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return calls


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(("option", "begins"), [([], ["dev"]), (["--read-only"], ["serve", "--read-only"])])
def test_the_ui_is_started_on_this_machine_alone_with_the_folders_settings(
    workspace: Workspace, showcost: CommandLine, started: Started, option: list[str], begins: list[str]
) -> None:
    port = free_port()
    ended = showcost(workspace, "ui", "--port", str(port), *option)
    assert ended.status == 0
    ((command, variables),) = started
    assert command[: 3 + len(begins)] == [sys.executable, "-m", "showcost.orchestration.webserver", *begins]
    assert command[-4:] == ["--host", "127.0.0.1", "--port", str(port)]
    assert variables[HOME_VARIABLE] == str(workspace.path)
    settings = workspace.path / "dagster_home" / "dagster.yaml"
    assert variables["DAGSTER_HOME"] == str(settings.parent)
    assert "default_limit: 1" in settings.read_text(encoding="utf-8")


def test_a_mistake_in_the_folder_is_one_sentence(
    workspace: Workspace, showcost: CommandLine, started: Started
) -> None:
    feed = workspace.path / "feeds" / "broken" / "defs.yaml"
    feed.parent.mkdir(parents=True)
    feed.write_text("type: showcost.components.Feed\nattributes: {name: broken}\n", encoding="utf-8")
    ended = showcost(workspace, "ui")
    assert ended.status == 2
    assert str(feed) in ended.sentence
    workspace.path.joinpath("production.yaml").unlink()
    ended = showcost(workspace, "ui")
    assert (ended.status, "not a data folder" in ended.sentence) == (2, True)
    assert started == []


def test_a_port_in_use_is_one_sentence(workspace: Workspace, showcost: CommandLine, started: Started) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = showcost(workspace, "ui", "--port", str(port))
    assert (ended.status, started) == (2, [])
    assert ended.sentence == f"port {port} is in use on this machine; name another one with --port"


def test_a_further_name_of_the_ui_is_a_name(
    workspace: Workspace, showcost: CommandLine, started: Started
) -> None:
    ended = showcost(workspace, "ui", "--port", str(free_port()), "--allow-host", "https://a.example/")
    assert (ended.status, started) == (2, [])
    assert ended.sentence.startswith("--allow-host https://a.example/: a name such as costs.example.org")
    names = ("--allow-host", "Costs.Example.org", "--allow-host", "b.example:8443")
    assert showcost(workspace, "ui", "--port", str(free_port()), *names).status == 0
    assert started[0][1]["SHOWCOST_UI_HOSTS"] == "costs.example.org b.example:8443"
