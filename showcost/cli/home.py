"""The data folder of a command: `--home`, otherwise `SHOWCOST_HOME`; there is no other default."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from showcost.core.errors import InputError

if TYPE_CHECKING:
    from showcost.workspace import Workspace

_NAMED: Final = "showcost.cli.home.named"
_USED: Final = "showcost.cli.home.used"


def _remember(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    """Store the folder for the command; the option nearest to the end of the line wins."""
    if value is None:
        return
    # An unset shell variable must not become the working directory.
    if not value.strip():
        raise InputError("--home is empty; name the data folder")
    context.meta[_NAMED] = Path(value).resolve()


home_option = click.option(
    "--home",
    metavar="FOLDER",
    callback=_remember,
    expose_value=False,
    help="Data folder of the production. [default: SHOWCOST_HOME]",
)
"""The option of the data folder, for the command line as a whole and for each group and command."""


def option_home() -> Path | None:
    """Return the folder that `--home` names; None without the option."""
    named: Path | None = click.get_current_context().meta.get(_NAMED)
    return named


def named_home() -> Path | None:
    """Return the folder that `--home` or else `SHOWCOST_HOME` names; None if neither does."""
    from showcost.workspace import variable_home  # noqa: PLC0415 -- `--help` needs no stores

    return option_home() or variable_home()


def open_home() -> Workspace:
    """Open the named data folder for this command.

    Raises InputError if none is named or the folder is not a data folder, ConfigError if its settings are
    invalid.
    """
    from showcost.workspace import open_workspace, required_home  # noqa: PLC0415 -- `--help` needs no stores

    workspace = open_workspace(named_home() or required_home())
    use_home(workspace.path)
    return workspace


def use_home(folder: Path) -> None:
    """Record the folder that the command uses; its output names it."""
    click.get_current_context().meta[_USED] = folder


def used_home() -> Path | None:
    """Return the folder that the command used; None if it needed none."""
    used: Path | None = click.get_current_context().meta.get(_USED)
    return used
