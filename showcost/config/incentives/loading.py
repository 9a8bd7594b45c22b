"""Loading of programmes, from the package and from a production's data folder, and their claims.

An invalid file or claim raises ConfigError with file, key and expected value. `model` defines programmes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.config.incentives.model import CreditRate, Programme
from showcost.config.loading import load_model
from showcost.config.production import PRODUCTION_FILE
from showcost.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from showcost.config.chart import Chart
    from showcost.config.claims import IncentiveClaim
    from showcost.config.production import Production

PACKAGED: Final = Path(__file__).resolve().parent / "data"
"""The folder of the package's programmes."""

FOLDER: Final = "incentives"
"""The folder of a production's own programmes, below its data folder."""

_RANGE: Final = re.compile(r"([0-9]+)-([0-9]+)")


@dataclass(frozen=True)
class ClaimedProgramme:
    """A programme with the production's claim, its rate, and the accounts that its conditions name.

    `categories` maps each category of accounts that the production defines to its accounts, and `named`
    each text in a rule's `accounts` and a declaration's `accounts` to the accounts that it covers.
    """

    programme: Programme
    claim: IncentiveClaim
    rate: CreditRate
    categories: Mapping[str, tuple[str, ...]]
    named: Mapping[str, tuple[str, ...]]


def load_programmes(home: Path) -> dict[str, Programme]:
    """Return the programmes of the package and of a data folder, by id; ConfigError for an invalid file."""
    programmes = dict(packaged_programmes())
    for path in sorted((home / FOLDER).glob("*.yaml")):
        programme = load_model(path, Programme)
        if programme.programme in programmes:
            raise ConfigError(path, "programme", "an id that no other file has", programme.programme)
        programmes[programme.programme] = programme
    return programmes


@cache
def packaged_programmes() -> Mapping[str, Programme]:
    """Return the package's programmes by id, read once."""
    programmes = [load_model(path, Programme) for path in sorted(PACKAGED.glob("*.yaml"))]
    return {programme.programme: programme for programme in programmes}


def claimed_programmes(home: Path, production: Production, chart: Chart) -> tuple[ClaimedProgramme, ...]:
    """Return the programmes that a production claims, in the order of its file.

    ConfigError for an unknown programme, category or account, for a programme claimed twice, and for two
    programmes that exclude each other.
    """
    file = home / PRODUCTION_FILE
    categories = {
        name: _accounts_of(file, f"account_categories.{name}", patterns, chart)
        for name, patterns in production.account_categories.items()
    }
    has_own = (home / FOLDER).is_dir()
    programmes = load_programmes(home) if production.incentives or has_own else {}
    if production.incentives:
        _check_categories(file, categories, programmes.values())
    claimed: list[ClaimedProgramme] = []
    for number, claim in enumerate(production.incentives):
        key = f"incentives.{number}"
        programme = programmes.get(claim.programme)
        if programme is None:
            raise ConfigError(file, f"{key}.programme", f"one of {', '.join(programmes)}", claim.programme)
        _check_together(file, key, programme, claimed)
        claimed.append(_claimed(file, key, programme, claim, chart, categories))
    return tuple(claimed)


def _check_categories(file: Path, categories: Iterable[str], programmes: Iterable[Programme]) -> None:
    """Raise ConfigError for a category that no programme names: it is misspelt."""
    conditions = [
        when
        for programme in programmes
        for rule in programme.rules
        for when in (rule.when, *([rule.unless] if rule.unless else []))
    ]
    known = {name for when in conditions for name in when.categories}
    for name in categories:
        if name not in known:
            raise ConfigError(file, "account_categories", f"one of {', '.join(sorted(known))}", name)


def _check_together(file: Path, key: str, programme: Programme, others: Sequence[ClaimedProgramme]) -> None:
    """Raise ConfigError if the programme is claimed before, or excluded by one that is."""
    for other in others:
        name = other.programme.programme
        if name == programme.programme:
            raise ConfigError(file, f"{key}.programme", "each programme once", name)
        if name in programme.not_with or programme.programme in other.programme.not_with:
            expected = f"no programme that may not be claimed together with {name}"
            raise ConfigError(file, f"{key}.programme", expected, programme.programme)


def _claimed(
    file: Path,
    key: str,
    programme: Programme,
    claim: IncentiveClaim,
    chart: Chart,
    categories: Mapping[str, tuple[str, ...]],
) -> ClaimedProgramme:
    rates = {rate.category: rate for rate in programme.rates}
    if claim.category is not None and claim.category not in rates:
        raise ConfigError(file, f"{key}.category", f"one of {', '.join(rates)}", claim.category)
    named: dict[str, tuple[str, ...]] = {}
    for number, declared in enumerate(claim.residence):
        for text in declared.accounts:
            named[text] = _accounts_of(file, f"{key}.residence.{number}.accounts", [text], chart)
    # An account of a rule may be missing from this chart: the programme was not written for it alone.
    for rule in programme.rules:
        for text in (*rule.when.accounts, *(rule.unless.accounts if rule.unless else ())):
            named[text] = _matching(text, chart)
    rate = rates[claim.category] if claim.category is not None else programme.rates[0]
    return ClaimedProgramme(programme, claim, rate, categories, named)


def _accounts_of(file: Path, key: str, texts: Iterable[str], chart: Chart) -> tuple[str, ...]:
    """Return the accounts that texts cover; ConfigError for a text that covers none."""
    accounts: set[str] = set()
    for text in texts:
        covered = _matching(text, chart)
        if not covered:
            raise ConfigError(file, key, "accounts of the chart, such as 1410, 1410-1490 or 14*", text)
        accounts.update(covered)
    return tuple(sorted(accounts))


def _matching(text: str, chart: Chart) -> tuple[str, ...]:
    """Return the accounts of the chart that a number, a range or a pattern covers."""
    numbers = [account.number for account in chart]
    if text in numbers:
        return (text,)
    if (bounds := _RANGE.fullmatch(text)) is not None:
        first, last = bounds.groups()
        return tuple(
            number
            for number in numbers
            if number.isascii()
            and number.isdigit()
            and len(first) <= len(number) <= len(last)
            and int(first) <= int(number) <= int(last)
        )
    return tuple(number for number in numbers if fnmatchcase(number, text))
