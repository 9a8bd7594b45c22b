"""Output of commands: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeAlias

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from showcost.cli.home import home_option, used_home
from showcost.core.visible_text import visible, visible_json, visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator

P = ParamSpec("P")
_PIPED_WIDTH: Final = 400
_SHORT: Final = 26
ID_SHOWN: Final = 12
"""Digits of an id that a table shows."""

_FIGURE: Final = re.compile(r"[-\d,.]*")
Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True)
class CommandResult:
    """Result of a command: facts for `--json`, a function that prints them as text, and the exit status.

    `is_data` says that the text on stdout is data for other programs; all else goes to stderr.
    """

    facts: Mapping[str, object]
    show: Callable[[], None]
    status: int = 0
    is_data: bool = False


def prints_result(function: Callable[P, CommandResult]) -> Callable[P, None]:
    """Print a command's result: one JSON object with `--json`, otherwise text.

    Both name the data folder that the command used, under the key `home` (null if it needed none) and on the
    last line. Adds the options `--home` and `--json`.
    """

    @home_option
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.pop("as_json"))
        result = function(*args, **kwargs)
        home = used_home()
        if as_json:
            facts = {"home": home, **result.facts}
            click.echo(visible_json(_as_json(facts)))
        else:
            result.show()
            if home is not None:
                say(f"Data folder: {home}", to_stderr=result.is_data)
        if result.status:
            raise SystemExit(result.status)

    return wrapped


def _as_json(facts: Mapping[str, object]) -> str:
    """Return facts as JSON; indented if it is short: Python takes minutes to indent 200,000 rows."""
    values = plain(facts)
    text = json.dumps(values, ensure_ascii=False)
    return text if len(text) > _LONG else json.dumps(values, ensure_ascii=False, indent=2)


_LONG: Final = 1_000_000
"""Characters of JSON that nobody reads."""


def plain(value: object) -> Json:
    """Return a value as plain JSON: decimals and dates as text, so that no digit is lost."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal | date | datetime | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no plain form")


def say(text: str = "", *, to_stderr: bool = False) -> None:
    """Print one line of text."""
    _console(to_stderr=to_stderr).print(visible(text), markup=False, soft_wrap=True)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as `1 row` or `3 rows`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def say_more(count: int, limit: int) -> None:
    """Print how many rows of a list were left out, if any."""
    if count > limit:
        say(f"{count - limit} more; filter the list, or raise --limit.")


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table: numbers right-aligned, short cells never wrapped."""
    cells = [["" if cell is None else visible_line(str(cell)) for cell in row] for row in rows]
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        texts = [row[number] for row in cells]
        figures = all(_FIGURE.fullmatch(text) for text in texts)
        short = max(map(len, texts), default=0) <= _SHORT
        shown.add_column(name, justify="right" if figures else "left", no_wrap=short)
    for row in cells:
        shown.add_row(*map(escape, row))
    console = _console()
    console.print(shown)
    console.print()


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr if that is a terminal; the block calls it with (done, total)."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _console(*, to_stderr: bool = False) -> Console:
    # Created on use, so that it writes to the current stdout, which tests replace. When stdout is not a
    # terminal, tables are as wide as they need to be rather than wrapped.
    console = Console(highlight=False, stderr=to_stderr)
    return console if console.is_terminal else Console(highlight=False, stderr=to_stderr, width=_PIPED_WIDTH)
