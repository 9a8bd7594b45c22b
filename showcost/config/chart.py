"""The chart of accounts, with the union category of each cost code.

The chart is configuration: the numbering in the United States is near-common, elsewhere there is none.
The mapping from cost code to union category is total; nothing is defaulted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from showcost.config.loading import read_csv_rows
from showcost.config.production import PRODUCTION_FILE
from showcost.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from showcost.config.production import Production

_MemberT = TypeVar("_MemberT", bound=StrEnum)
_REQUIRED = ("account", "name", "kind", "union_category")
_OPTIONAL = ("closed_on", "fringe_account")


class AccountKind(StrEnum):
    """Whether an account is a cost of the production or a balance to be settled (tax, deposits)."""

    COST = "cost"
    BALANCE = "balance"


class UnionCategory(StrEnum):
    """The guild or union whose agreement covers the labour of a cost code; `none` where it has none."""

    SAG_AFTRA = "sag-aftra"
    DGA = "dga"
    WGA = "wga"
    IATSE = "iatse"
    TEAMSTERS = "teamsters"
    BECTU = "bectu"
    NONE = "none"


@dataclass(frozen=True)
class Account:
    """One account; `closed_on` is the first day on which it takes no more postings."""

    number: str
    name: str
    kind: AccountKind
    union_category: UnionCategory
    closed_on: date | None
    fringe_account: str | None


@dataclass(frozen=True)
class Chart:
    """The accounts of a production by number, in the order of the file."""

    accounts: Mapping[str, Account]

    def __contains__(self, number: str) -> bool:
        return number in self.accounts

    def __getitem__(self, number: str) -> Account:
        return self.accounts[number]

    def __iter__(self) -> Iterator[Account]:
        return iter(self.accounts.values())


def load_chart(path: Path, production: Production) -> Chart:
    """Read and check the chart; ConfigError names file, line and what was expected."""
    accounts: dict[str, Account] = {}
    for row in read_csv_rows(path, _REQUIRED, _OPTIONAL):
        line = f"line {row['line']}"
        number = row["account"]
        if not number or number in accounts:
            raise ConfigError(path, f"{line}, account", "an account number that stands once", number)
        accounts[number] = Account(
            number=number,
            name=_present(path, line, row, "name"),
            kind=_member(path, line, row, "kind", AccountKind),
            union_category=_member(path, line, row, "union_category", UnionCategory),
            closed_on=_day(path, line, row.get("closed_on", "")),
            fringe_account=row.get("fringe_account") or None,
        )
    for account in accounts.values():
        if account.fringe_account is not None and account.fringe_account not in accounts:
            raise ConfigError(
                path,
                f"account {account.number}, fringe_account",
                "an account of this chart",
                account.fringe_account,
            )
    _check_unions(path, accounts, production)
    for name, number in production.control_accounts.model_dump().items():
        if number not in accounts:
            raise ConfigError(path, f"control account {name}", "this account in the chart", number)
    return Chart(accounts)


def _check_unions(path: Path, accounts: Mapping[str, Account], production: Production) -> None:
    """Refuse a chart in which work under a signed agreement could be coded to no account, or to a balance."""
    labour: set[str] = set()
    for account in accounts.values():
        if account.union_category is UnionCategory.NONE:
            continue
        if account.kind is AccountKind.BALANCE:
            found = account.union_category.value
            raise ConfigError(path, f"account {account.number}, union_category", "none for a balance", found)
        labour.add(account.union_category.value)
    for agreement in production.agreements:
        if agreement.union not in set(UnionCategory):
            known = ", ".join(UnionCategory)
            raise ConfigError(
                path.parent / PRODUCTION_FILE,
                f"agreements, {agreement.name}, union",
                f"one of {known}",
                agreement.union,
            )
        if agreement.union not in labour:
            raise ConfigError(
                path, "union_category", f"an account of {agreement.union}, for {agreement.name} is signed"
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
