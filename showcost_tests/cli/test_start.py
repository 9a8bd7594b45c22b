"""The start of commands: they import what they need, and no more."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import click
import pytest

from showcost.cli.main import SUMMARIES, cli
from showcost.config.feeds import load_feeds
from showcost.core.errors import ConfigError
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all

if TYPE_CHECKING:
    from pathlib import Path

HEAVY: Final = ("dagster", "duckdb", "pandas", "pandera", "pyarrow", "pydantic")
LISTED: Final = f"""
import sys
from showcost.cli.main import cli
try:
    cli.main(sys.argv[1:], standalone_mode=False)
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


def _imported(*arguments: str) -> str:
    command = [sys.executable, "-c", LISTED, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own script
    return ended.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_the_help_needs_no_library(arguments: tuple[str, ...]) -> None:
    assert _imported(*arguments) == "[]"


def test_the_status_needs_neither_dagster_nor_pandera(tmp_path: Path) -> None:
    """It reads with DuckDB and Arrow. Arrow imports pandas by itself, if it is installed."""
    workspace = small.make_home(tmp_path / "home", small.UKSPEND)
    small.fill(workspace)
    land_all(workspace)
    imported = _imported("--home", str(workspace.path), "status")
    assert "duckdb" in imported
    assert "dagster" not in imported
    assert "pandera" not in imported


def test_the_help_says_of_each_command_what_the_command_says() -> None:
    """The list is written down, so that it can be shown without importing the commands."""
    with click.Context(cli) as context:
        assert cli.list_commands(context) == sorted(SUMMARIES)
        for name, summary in SUMMARIES.items():
            command = cli.get_command(context, name)
            assert command is not None
            assert command.name == name
            first = click.Command(name, help=summary).get_short_help_str(200)
            assert command.get_short_help_str(200) == first, name


def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(click.UsageError, match="No such command 'no-such'"):
        cli.main(["no-such"], standalone_mode=False)


def _home(tmp_path: Path, currency: str) -> Path:
    folder = tmp_path / "feeds" / "own"
    folder.mkdir(parents=True, exist_ok=True)
    lines = (
        "type: showcost.components.Feed",
        "attributes:",
        "  name: own",
        "  description: A feed of the production",
        "  record_kind: vendor_invoice",
        '  owners: ["team:production-accounting"]',
        f"  default_currency: {currency}",
        '  date_formats: ["%Y-%m-%d"]',
        '  decimal_mark: "."',
        "  fields: {}",
    )
    (folder / "defs.yaml").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_a_feed_is_read_once_and_again_after_a_change(tmp_path: Path) -> None:
    (first,) = (feed for feed in load_feeds(home=_home(tmp_path, "USD")) if feed.name == "own")
    (again,) = (feed for feed in load_feeds(home=_home(tmp_path, "USD")) if feed.name == "own")
    assert again is first
    (changed,) = (feed for feed in load_feeds(home=_home(tmp_path, "EUR")) if feed.name == "own")
    assert (first.default_currency, changed.default_currency) == ("USD", "EUR")


def test_an_error_is_not_kept(tmp_path: Path) -> None:
    """The same bytes under two names: each error names its own file."""
    for name in ("one", "two"):
        home = _home(tmp_path / name, "no currency")
        with pytest.raises(ConfigError, match=name):
            load_feeds(home=home)
