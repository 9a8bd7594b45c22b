"""`showcost init`: a new data folder, by options or by asking."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import click
from pydantic import AfterValidator, TypeAdapter, ValidationError

from showcost.cli.home import named_home, option_home, use_home
from showcost.cli.output import CommandResult, prints_result, say
from showcost.config.loading import build_model
from showcost.config.new_production import (
    CONTROL_ACCOUNTS,
    EXAMPLE_FEED,
    check_is_new,
    is_made,
    made_files,
    make_home,
)
from showcost.config.production import (
    PRODUCTION_FILE,
    Code,
    Currency,
    Production,
    ProductionType,
    TimeZone,
)
from showcost.core.errors import InputError
from showcost.workspace import HOME_VARIABLE, open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeForm

_CODE_LENGTH: Final = 24
_OPTIONS: Final = {"kind": "type", "base_currency": "base-currency"}
"""The names of options that are not those of their parameters."""
_YEAR: Final = timedelta(days=364)
_ZONES: Final = {
    "USD": "America/Los_Angeles",
    "CAD": "America/Toronto",
    "GBP": "Europe/London",
    "EUR": "Europe/Berlin",
}
"""Suggested time zone by base currency."""


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("printable text")
    return text.strip()


def _setting(kind: TypeForm[str], expected: str) -> Callable[[str], str]:
    """Return a converter for options and answers that checks a text as production.yaml is checked."""
    adapter: TypeAdapter[str] = TypeAdapter(kind)

    def convert(text: str) -> str:
        try:
            return adapter.validate_python(text)
        except ValidationError:
            raise click.BadParameter(f"{text!r} is not {expected}") from None

    return convert


_CODE: Final = _setting(
    Code, f"a code of at most {_CODE_LENGTH} capital letters, digits, - and _, such as NIGHT-FERRY"
)
_TEXT: Final = _setting(Annotated[str, AfterValidator(_printable)], "printable text on one line")
_CURRENCY: Final = _setting(Currency, "an ISO 4217 currency code such as USD")
_ZONE: Final = _setting(TimeZone, "an IANA time zone such as America/Los_Angeles")
_TYPE: Final = click.Choice([kind.value for kind in ProductionType])
_DAY: Final = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.argument("folder", required=False)
@click.option(
    "--code", type=_CODE, metavar="CODE", help="Code of the production: capital letters, digits, - and _."
)
@click.option("--title", type=_TEXT, metavar="TEXT", help="Title of the production.")
@click.option("--company", type=_TEXT, metavar="TEXT", help="The company that keeps the books.")
@click.option("--type", "kind", type=_TYPE, help="Kind of production.")
@click.option("--base-currency", type=_CURRENCY, metavar="CODE", help="Currency of the books, such as USD.")
@click.option(
    "--currency",
    "others",
    type=_CURRENCY,
    metavar="CODE",
    multiple=True,
    help="Another currency; repeatable.",
)
@click.option(
    "--timezone", type=_ZONE, metavar="ZONE", help="Time zone of the production, such as Europe/London."
)
@click.option("--start", type=_DAY, metavar="DATE", help="First transaction date, YYYY-MM-DD.")
@click.option("--end", type=_DAY, metavar="DATE", help="Last transaction date, YYYY-MM-DD.")
@prints_result
def init(folder: str | None, others: tuple[str, ...], **options: Any) -> CommandResult:  # noqa: ANN401 -- of several types
    """Make a new production in FOLDER, which must be new or empty.

    FOLDER may also be named with --home or SHOWCOST_HOME. On a terminal, missing options are asked for, with
    a default; otherwise all are required except --currency. The folder gets production.yaml, a usual chart of
    accounts, a budget of zeros, an example feed and its inbox.
    """
    path = _folder(folder)
    missing = [f"--{_OPTIONS.get(name, name)}" for name, value in options.items() if value is None]
    if missing or not (path / PRODUCTION_FILE).is_file():
        check_is_new(path)
    if _on_terminal():
        production = _asked(path, others, options)
    else:
        if missing:
            raise InputError(f"without a terminal to ask on, `showcost init` needs {', '.join(missing)}")
        production = _production(others, options)
    already_done = is_made(path, production)
    written = made_files(production) if already_done else make_home(path, production)
    workspace = open_workspace(path)
    use_home(path)
    feeds = [feed.name for feed in workspace.feeds]
    facts = {"code": production.code, "files": written, "feeds": feeds, "already_done": already_done}

    def show() -> None:
        if already_done:
            say("Already done: the folder has these files.")
        _show(path, production, written, feeds)

    return CommandResult(facts, show)


def _folder(argument: str | None) -> Path:
    if argument is None:
        if (named := named_home()) is not None:
            return named
        if not _on_terminal():
            raise InputError("name the folder to make: `showcost init FOLDER`")
        argument = click.prompt("Folder", value_proc=_TEXT, err=True)
    elif option_home() is not None:
        raise InputError("name the folder once: as FOLDER or with --home")
    if not argument.strip():
        raise InputError("FOLDER is empty; name the folder to make")
    return Path(argument).resolve()


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _asked(path: Path, others: tuple[str, ...], options: dict[str, Any]) -> Production:
    """Ask for missing options; each question has a default, taken from earlier answers if it can be."""
    words = re.findall(r"[^\W_]+", path.name)
    answers = dict(options)

    def ask(name: str, question: str, kind: Any, default: str) -> None:  # noqa: ANN401 -- click takes types and converters
        if answers[name] is None:
            answers[name] = click.prompt(question, type=kind, default=default, err=True)

    ask("title", "Title", _TEXT, " ".join(map(str.capitalize, words)) or "New production")
    ask("code", "Code (capital letters, digits, - and _)", _CODE, _code_of(answers["title"]))
    ask("company", "Company", _TEXT, f"{answers['title']} Productions")
    ask("kind", "Type", _TYPE, ProductionType.THEATRICAL.value)
    no_currency = answers["base_currency"] is None and not others
    ask("base_currency", "Base currency", _CURRENCY, "USD")
    if no_currency:
        others = _other_currencies()
    ask("timezone", "Time zone", _ZONE, _ZONES.get(answers["base_currency"], "UTC"))
    ask("start", "First transaction date", _DAY, _today().isoformat())
    ask("end", "Last transaction date", _DAY, _year_after(answers["start"].date()).isoformat())
    return _production(others, answers)


def _year_after(day: date) -> date:
    return day + min(_YEAR, date.max - day)


def _today() -> date:
    return datetime.now().astimezone().date()


def _code_of(title: str) -> str:
    """Return a code made from a title."""
    plain = "-".join(re.findall(r"[A-Z0-9]+", title.upper()))
    return plain[:_CODE_LENGTH].rstrip("-") or "SHOW"


def _other_currencies() -> tuple[str, ...]:
    """Ask for the other currencies until all of them are codes."""

    def codes(text: str) -> tuple[str, ...]:
        return tuple(_CURRENCY(code) for code in re.split(r"[\s,]+", text) if code)

    asked: tuple[str, ...] = click.prompt(
        "Other currencies, such as EUR GBP", default="", show_default=False, value_proc=codes, err=True
    )
    return asked


def _production(others: tuple[str, ...], answers: dict[str, Any]) -> Production:
    """Return the production that the answers describe. Raises InputError if the dates are reversed."""
    start, end = answers["start"].date(), answers["end"].date()
    if end < start:
        raise InputError(f"--end {end} is before --start {start}")
    dates = {"start": start, "end": end}
    content = {
        "code": answers["code"],
        "title": answers["title"],
        "company": answers["company"],
        "type": answers["kind"],
        "base_currency": answers["base_currency"],
        "timezone": answers["timezone"],
        "dates": dates,
        "principal_photography": dates,
        "currencies": list(dict.fromkeys([answers["base_currency"], *others])),
        "control_accounts": CONTROL_ACCOUNTS,
    }
    return build_model(PRODUCTION_FILE, Production, content)


def _show(path: Path, production: Production, written: list[str], feeds: list[str]) -> None:
    say(f"Production {production.code} is set up, {production.dates.start} to {production.dates.end}.")
    for name in written:
        say(f"  {name}")
    say(f"Feeds: {', '.join(feeds)}.")
    example = shlex.quote(str(path / "feeds" / EXAMPLE_FEED / "example.csv"))
    say("\nNext: fill in production.yaml, chart and budget, and declare your feeds (docs/add-a-feed.md).")
    if unrated := [name for name in production.currencies if name != production.base_currency]:
        say(f"Reports are complete once budget_rates in production.yaml has {', '.join(unrated)}.")
    say("Then")
    say(f"  export {HOME_VARIABLE}={shlex.quote(str(path))}")
    say(f"  showcost parse {example} --feed {EXAMPLE_FEED} --out preview")
    say(f"  showcost land                    lands the files in {path / 'inbox'}")
    say("  showcost run                     posts them to the ledger")
    say("  showcost status                  counts rows and amounts")
