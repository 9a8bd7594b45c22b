"""The chart of accounts, with the union category of each account.

The chart is configuration: numbering is nearly uniform in the United States, but not elsewhere. Every account
has a union category; there is no default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from showcost.config.loading import read_csv_rows
from showcost.config.production import PRODUCTION_FILE
from showcost.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from showcost.config.production import Production

_MemberT = TypeVar("_MemberT", bound=StrEnum)
_REQUIRED = ("account", "name", "kind", "union_category")
_OPTIONAL = ("closed_on", "fringe_account", "section")
_NUMBERED = re.compile(r"([0-9]{2})[0-9]{2,}")


class AccountKind(StrEnum):
    """Kind of an account: a cost of the production, or a balance to be settled (tax, deposits)."""

    COST = "cost"
    BALANCE = "balance"


NO_UNION: Final = "none"
"""The union category of accounts without union labour: a real answer, not a missing one."""


@dataclass(frozen=True)
class Account:
    """One account; `closed_on` is the first day without postings.

    `section` is the part of the chart with a subtotal of its own in cost reports.
    """

    number: str
    name: str
    kind: AccountKind
    union_category: str
    closed_on: date | None
    fringe_account: str | None
    section: str


@dataclass(frozen=True)
class Chart:
    """The accounts of a production by number, in the order of the file."""

    accounts: Mapping[str, Account]

    @cached_property
    def balance_accounts(self) -> frozenset[str]:
        """The numbers of the balance accounts; entries on all others, in the chart or not, are costs."""
        return frozenset(account.number for account in self if account.kind is AccountKind.BALANCE)

    def __contains__(self, number: str) -> bool:
        return number in self.accounts

    def __getitem__(self, number: str) -> Account:
        return self.accounts[number]

    def __iter__(self) -> Iterator[Account]:
        return iter(self.accounts.values())


def load_chart(path: Path, production: Production, unions: Collection[str]) -> Chart:
    """Read and check the chart; ConfigError names the file, the line and the expected value.

    `unions` are those of the agreements' files, and others that the production may name.
    """
    accounts: dict[str, Account] = {}
    for row in read_csv_rows(path, _REQUIRED, _OPTIONAL):
        line = f"line {row['line']}"
        number = row["account"]
        if not number or number in accounts:
            raise ConfigError(path, f"{line}, account", "a unique account number", number)
        accounts[number] = Account(
            number=number,
            name=_present(path, line, row, "name"),
            kind=_member(path, line, row, "kind", AccountKind),
            union_category=_union(path, line, row, unions),
            closed_on=_day(path, line, row.get("closed_on", "")),
            fringe_account=row.get("fringe_account") or None,
            section=row.get("section") or _usual_section(number),
        )
    for account in accounts.values():
        if account.fringe_account is not None and account.fringe_account not in accounts:
            raise ConfigError(
                path,
                f"account {account.number}, fringe_account",
                "an account of this chart",
                account.fringe_account,
            )
    _check_unions(path, accounts, production, unions)
    for name, number in production.control_accounts.model_dump().items():
        if number is not None and number not in accounts:
            raise ConfigError(path, f"control account {name}", "this account in the chart", number)
    _check_settings(path, accounts, production)
    return Chart(accounts)


def _check_settings(path: Path, accounts: Mapping[str, Account], production: Production) -> None:
    """Raise ConfigError for an account that other settings of the production name, but the chart lacks."""
    settings = path.parent / PRODUCTION_FILE
    for code in production.tax_codes:
        if code.account is not None and code.account not in accounts:
            key = f"tax_codes, {code.country} {code.code}"
            raise ConfigError(settings, key, "an account of the chart", code.account)
    for number in production.purchase_orders.accounts:
        if number not in accounts:
            raise ConfigError(settings, "purchase_orders.accounts", "accounts of the chart", number)


def _usual_section(number: str) -> str:
    """Return the section of an account for which the chart names none: by its first two digits.

    1110 belongs to 1100, as in the charts that are usual in the United States.
    """
    numbered = _NUMBERED.fullmatch(number)
    return f"{numbered[1]}00" if numbered else "Other accounts"


def _union(path: Path, line: str, row: dict[str, str], unions: Collection[str]) -> str:
    category = row["union_category"]
    if category != NO_UNION and category not in unions:
        raise ConfigError(path, f"{line}, union_category", f"one of {_listed(unions)}", category)
    return category


def _listed(unions: Collection[str]) -> str:
    return ", ".join([*sorted(unions), NO_UNION])


def _check_unions(
    path: Path, accounts: Mapping[str, Account], production: Production, unions: Collection[str]
) -> None:
    """Raise ConfigError for a signed agreement without a cost account, or a balance with a union category."""
    labour: set[str] = set()
    for account in accounts.values():
        if account.union_category == NO_UNION:
            continue
        if account.kind is AccountKind.BALANCE:
            key = f"account {account.number}, union_category"
            raise ConfigError(path, key, "none for a balance", account.union_category)
        labour.add(account.union_category)
    for agreement in production.agreements:
        if agreement.union == NO_UNION:
            continue
        if agreement.union not in unions:
            raise ConfigError(
                path.parent / PRODUCTION_FILE,
                f"agreements, {agreement.name}, union",
                f"one of {_listed(unions)}",
                agreement.union,
            )
        if agreement.union not in labour:
            raise ConfigError(
                path, "union_category", f"an account of {agreement.union}, because {agreement.name} is signed"
            )


def _present(path: Path, line: str, row: dict[str, str], column: str) -> str:
    if not row[column]:
        raise ConfigError(path, f"{line}, {column}", "a value")
    return row[column]


def _member(path: Path, line: str, row: dict[str, str], column: str, kind: type[_MemberT]) -> _MemberT:
    try:
        return kind(row[column])
    except ValueError:
        raise ConfigError(path, f"{line}, {column}", f"one of {', '.join(kind)}", row[column]) from None


def _day(path: Path, line: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(path, f"{line}, closed_on", "a date such as 2026-10-31", text) from None
