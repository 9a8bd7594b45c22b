"""The data folder of a command: naming it, its name in every output, and no default."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click
import pytest

from showcost.cli import demo as demo_command
from showcost.cli.main import cli
from showcost.cli.output import CommandResult
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the data folder of a production with an empty inbox."""
    return small.make_home(tmp_path_factory.mktemp("home") / "home", small.UKSPEND)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a second data folder."""
    return small.make_home(tmp_path_factory.mktemp("other") / "other", small.UKSPEND)


def _commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the names and the definition of each command and group below a group."""
    for name, command in group.commands.items():
        yield (*names, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)


COMMANDS = {" ".join(names): command for names, command in _commands(cli)}

RUNNABLE = [
    *("land", "run", "status", "status --deliveries", "verify"),
    *("queue list", "queue list --findings", "period list", "fx show", "fx check"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_group_takes_the_folder(name: str) -> None:
    assert "--home" in {text for option in COMMANDS[name].params for text in option.opts}


ORDERS = {
    "before the command": ["--home", "{home}", "fx", "show"],
    "between group and command": ["fx", "--home", "{home}", "show"],
    "after the command": ["fx", "show", "--home", "{home}"],
    "with an equals sign": ["fx", "show", "--home={home}"],
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_option_may_stand_anywhere_and_wins_over_the_variable(
    order: str, workspace: Workspace, other: Workspace, showcost: CommandLine
) -> None:
    arguments = [text.format(home=workspace.path) for text in ORDERS[order]]
    for variable in (None, other):
        ended = showcost(variable, *arguments, "--json")
        assert (ended.status, ended.err) == (0, "")
        assert ended.json["home"] == str(workspace.path)


def test_of_two_options_the_later_one_counts(
    workspace: Workspace, other: Workspace, showcost: CommandLine
) -> None:
    ended = showcost(None, "--home", str(other.path), "status", "--home", str(workspace.path), "--json")
    assert ended.json["home"] == str(workspace.path)


def test_a_relative_folder_is_shown_in_full(
    workspace: Workspace, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.path.parent)
    assert showcost(None, "status", "--home", "home", "--json").json["home"] == str(workspace.path)
    assert showcost("home", "status", "--json").json["home"] == str(workspace.path)


@pytest.mark.parametrize("command", RUNNABLE)
def test_every_output_names_the_folder(command: str, workspace: Workspace, showcost: CommandLine) -> None:
    assert showcost(workspace, *command.split(), "--json").json["home"] == str(workspace.path)
    assert showcost(workspace, *command.split()).out.splitlines()[-1] == f"Data folder: {workspace.path}"


def test_parse_needs_the_folder_for_a_feed_only_and_keeps_it_out_of_the_rows(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "week.csv"
    file.write_text(small.UK_DELIVERY, encoding="utf-8")
    alone = showcost(None, "parse", str(file))
    assert (alone.status, alone.err) == (0, "")
    assert showcost(None, "parse", str(file), "--json").json["home"] is None
    with_feed = showcost(workspace, "parse", str(file), "--feed", "uk_spend")
    assert with_feed.out == alone.out
    assert with_feed.err.splitlines()[-1] == f"Data folder: {workspace.path}"
    assert showcost(None, "parse", str(file), "--feed", "uk_spend").sentence == NONE


NONE = (
    "no data folder is named: use --home FOLDER or SHOWCOST_HOME, or make a new one with"
    " `showcost init FOLDER`"
)
NEEDING = [
    *("land", "run", "status", "digest", "verify", "pull", "queue list", "queue list --findings"),
    *("queue show 123456", "queue replay 123456", "queue resolve 123456 --discard --who a --why b"),
    *("queue dismiss 123456 --who a --why b", "trace 123456", "period list", "fx show", "fx pin", "fx check"),
    *(
        "period close P1 --from 2026-10-28 --to 2026-10-29 --who a --why b",
        "period reopen P1 --who a --why b",
    ),
    *("shred 123456 --who a --why b", "guild-pack --agreement A --out pack"),
]


@pytest.mark.parametrize("command", NEEDING)
def test_without_a_folder_a_command_says_how_to_name_or_make_one(
    command: str, workspace: Workspace, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory is a data folder, and the repository has one: neither is used."""
    monkeypatch.chdir(workspace.path)
    before = set((REPOSITORY / "data").iterdir())
    for arguments in (command.split(), [*command.split(), "--json"]):
        ended = showcost(None, *arguments)
        assert (ended.status, ended.sentence) == (2, NONE)
    assert showcost("", *command.split()).sentence == NONE
    assert set((REPOSITORY / "data").iterdir()) == before


def test_an_empty_option_is_not_the_working_directory(
    workspace: Workspace, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.path)
    ended = showcost(workspace, "status", "--home", "")
    assert (ended.status, ended.sentence) == (2, "--home is empty; name the data folder")


@pytest.mark.parametrize("command", ["land", "run", "status", "digest", "fx show", "queue list"])
def test_a_folder_that_is_not_a_data_folder_is_named(
    command: str, workspace: Workspace, tmp_path: Path, showcost: CommandLine
) -> None:
    other = "name another one with --home or SHOWCOST_HOME, or make one with `showcost init`"
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    sentences = {
        tmp_path: f"{tmp_path}: not a data folder, because it has no production.yaml; {other}",
        missing: f"{missing}: there is no such folder; {other}",
        file: f"{file}: there is no such folder; {other}",
    }
    for folder, sentence in sentences.items():
        for ended in (
            showcost(str(folder), *command.split(), "--json"),
            showcost(workspace, *command.split(), "--home", str(folder)),
        ):
            assert (ended.status, ended.sentence) == (2, sentence)
    assert list(tmp_path.iterdir()) == [file]


@pytest.fixture
def no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the Dagster runs of the demo, and land nothing."""
    monkeypatch.setattr(demo_command, "run_spans", lambda *_: [])
    monkeypatch.setattr(demo_command, "land_result", lambda *_: CommandResult({}, lambda: None))
    monkeypatch.setattr(demo_command, "status_result", lambda *_: CommandResult({}, lambda: None))
    monkeypatch.setattr(demo_command, "_totals", lambda _: [])
    monkeypatch.setattr(demo_command, "_digest", lambda _: "")


@pytest.mark.usefixtures("no_runs")
def test_the_demo_is_built_in_the_named_folder(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, option, repository = tmp_path / "variable", tmp_path / "option", tmp_path / "repository"
    shutil.copytree(REPOSITORY / "examples" / "uk_spend", repository / "examples" / "uk_spend")
    monkeypatch.setattr(demo_command, "_repository", lambda: repository)
    demo = ["demo", "--sample", "uk-spend"]
    assert showcost(str(variable), *demo, "--json").json["home"] == str(variable)
    assert showcost(str(variable), *demo, "--home", str(option)).out.endswith(f"Data folder: {option}\n")
    assert showcost(None, *demo, "--json").json["home"] == str(repository / ".demo")
    assert (variable / ".showcost-demo").exists()
    assert (option / ".showcost-demo").exists()


def test_the_demo_leaves_a_production_alone_that_the_variable_names(
    workspace: Workspace, showcost: CommandLine
) -> None:
    before = sorted(workspace.path.rglob("*"))
    ended = showcost(workspace, "demo", "--sample", "uk-spend")
    assert ended.status == 2
    assert ended.sentence.startswith(f"{workspace.path} is neither empty nor an earlier demo")
    assert sorted(workspace.path.rglob("*")) == before
