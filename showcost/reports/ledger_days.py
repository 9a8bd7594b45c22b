"""The ledger by date, over all feeds: counts, sums, digest, the largest accounts, and cost to date."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.ledger.digest import digest
from showcost.ledger.queries import balances

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.workspace import Workspace

_ACCOUNTS_SHOWN: Final = 10

_ACCOUNTS: Final = """
SELECT transaction_date, account, sum(base_amount) AS base_amount
FROM ledger_entries WHERE transaction_date BETWEEN $first AND $last
GROUP BY transaction_date, account
QUALIFY row_number() OVER (
    PARTITION BY transaction_date ORDER BY abs(sum(base_amount)) DESC, account) <= $most
ORDER BY transaction_date, abs(sum(base_amount)) DESC, account
"""


_COSTS: Final = """
SELECT transaction_date, sum(base_amount), sum(sum(base_amount)) OVER (ORDER BY transaction_date)
FROM ledger_entries WHERE transaction_date <= $last AND NOT list_contains($balances, account)
GROUP BY transaction_date ORDER BY transaction_date
"""


@dataclass(frozen=True)
class LedgerDay:
    """The ledger of one date.

    `totals` are (feed, currency, entries, amount, base amount); `accounts` the accounts with the largest
    base amounts, as (account, name, base amount). `cost` is the base amount on other than balance accounts,
    `cost_to_date` the sum up to the date.
    """

    entries: int
    digest: str
    totals: tuple[tuple[str, str, int, Decimal, Decimal], ...]
    accounts: tuple[tuple[str, str, Decimal], ...]
    cost: Decimal
    cost_to_date: Decimal


def ledger_days(workspace: Workspace, dates: Sequence[date]) -> dict[date, LedgerDay]:
    """Return the ledger of each of `dates` (ascending, without gaps)."""
    ledger = workspace.ledger
    ledger.create()
    between = {"first": dates[0], "last": dates[-1]}
    with ledger.read() as connection:
        hashes = digest(connection, dates[0], dates[-1]).partitions
        sums = balances(connection, dates[0], dates[-1]).to_pylist()
        top = connection.execute(_ACCOUNTS, between | {"most": _ACCOUNTS_SHOWN}).fetchall()
        balance_accounts = sorted(workspace.chart.balance_accounts)
        costs = connection.execute(_COSTS, {"last": dates[-1], "balances": balance_accounts}).fetchall()
    cost = {day: amount for day, amount, _ in costs}
    cost_days, to_date = [row[0] for row in costs], [Decimal(0), *(row[2] for row in costs)]
    totals: dict[date, list[tuple[str, str, int, Decimal, Decimal]]] = {day: [] for day in dates}
    for row in sums:
        totals[row["transaction_date"]].append(
            (row["feed"], row["currency"], row["entry_count"], row["amount"], row["base_amount"])
        )
    accounts: dict[date, list[tuple[str, str, Decimal]]] = {day: [] for day in dates}
    for day, account, amount in top:
        name = workspace.chart[account].name if account in workspace.chart else ""
        accounts[day].append((account, name, amount))
    return {
        day: LedgerDay(
            entries=hashes[day][0] if day in hashes else 0,
            digest=hashes[day][1] if day in hashes else "",
            totals=tuple(totals[day]),
            accounts=tuple(accounts[day]),
            cost=cost.get(day, Decimal(0)),
            cost_to_date=to_date[bisect_right(cost_days, day)],
        )
        for day in dates
    }
