"""A new data folder: settings, a usual chart of accounts, an empty budget, an example feed and its inbox."""

from __future__ import annotations

import csv
import io
import json
import shutil
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Final

from showcost.config.feeds import HOME_FEEDS
from showcost.config.production import PRODUCTION_FILE, Production
from showcost.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE_FEED: Final = "example_invoices"
CONTROL_ACCOUNTS: Final = {
    "recoverable_tax": "9110",
    "refundable_deposit": "9120",
    "fringe": "6990",
    "accounts_payable": "9210",
    "payroll_clearing": "9220",
    "permits_payable": "9230",
    "currency_rounding": "6895",
}

_UNFINISHED: Final = ".showcost-init"
"""The settings until everything else is written; a folder that has it is not a data folder yet."""

_TOP: Final = frozenset(
    {_UNFINISHED, "chart_of_accounts.csv", "budget.csv", HOME_FEEDS, "inbox", "dagster_home"}
)


def check_is_new(folder: Path) -> None:
    """Raise InputError unless the folder is missing, empty, or left behind by an interrupted `make_home`."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; choose another folder")
    names = {path.name for path in folder.iterdir()}
    if names and not (_UNFINISHED in names and names <= _TOP):
        raise InputError(f"{folder} is not empty; choose a new or empty folder")


def is_made(folder: Path, production: Production) -> bool:
    """Tell whether a folder is what `make_home` makes for a production; more files may have come since."""
    contents = _contents(production)
    return all(
        folder.joinpath(name).is_file() and folder.joinpath(name).read_bytes() == text.encode()
        for name, text in contents.items()
    )


def made_files(production: Production) -> list[str]:
    """Return the paths of the files of a new data folder, relative to it."""
    return list(_contents(production))


def make_home(folder: Path, production: Production) -> list[str]:
    """Write a new data folder and return the paths of its files, relative to it.

    The production's code, title, company, type, currencies, time zone and dates are written; everything else
    has the values of the template. The settings appear last, so that an interrupted call leaves no data
    folder behind and can be repeated. Raises InputError if the folder is not empty or cannot be written.
    """
    check_is_new(folder)
    contents = _contents(production)
    settings = contents.pop(PRODUCTION_FILE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / _UNFINISHED
        unfinished.write_text(settings, encoding="utf-8")
        for name in (HOME_FEEDS, "inbox", "dagster_home"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "inbox" / EXAMPLE_FEED).mkdir(parents=True)
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        unfinished.rename(folder / PRODUCTION_FILE)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); choose another folder") from None
    return [PRODUCTION_FILE, *contents]


def _contents(production: Production) -> dict[str, str]:
    """Return the text of each file by its path in the folder."""
    chart = _template("chart_of_accounts.csv")
    feed = f"{HOME_FEEDS}/{EXAMPLE_FEED}"
    texts = {
        "code": production.code,
        "title": production.title,
        "company": production.company,
        "type": production.type.value,
        "base_currency": production.base_currency,
        "timezone": production.timezone,
        "currencies": list(production.currencies),
    }
    # JSON is YAML: a quoted text, or a list of them. Quotes keep codes such as NO or 007 text.
    quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in texts.items()}
    dates = {name: getattr(production.dates, name).isoformat() for name in ("start", "end")}
    example = {"base_currency": production.base_currency, "feed": EXAMPLE_FEED, **dates}
    return {
        PRODUCTION_FILE: Template(_template(PRODUCTION_FILE)).substitute(quoted, **dates),
        "chart_of_accounts.csv": chart,
        "budget.csv": _empty_budget(chart),
        f"{feed}/defs.yaml": Template(_template("defs.yaml")).substitute(example),
        f"{feed}/example.csv": Template(_template("example.csv")).substitute(example),
        "dagster_home/dagster.yaml": files("showcost").joinpath("dagster.yaml").read_text(encoding="utf-8"),
    }


def _template(name: str) -> str:
    return files("showcost.config.new_production").joinpath("data", name).read_text(encoding="utf-8")


def _empty_budget(chart: str) -> str:
    """Return a budget of zero for each cost account of a chart."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["account", "amount", "description"])
    for row in csv.DictReader(io.StringIO(chart)):
        if row["kind"] == "cost":
            lines.writerow([row["account"], "0", row["name"]])
    return text.getvalue()
