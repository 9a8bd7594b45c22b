"""Checks of the reports: totals equal to the ledger, a complete budget, a trial balance of zero."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from showcost.checks.result import CheckOutcome
from showcost.core.money import readable_amount
from showcost.ledger.journal import missing_control_accounts
from showcost.ledger.plan import plan_lines_as_of
from showcost.ledger.queries import base_by_account
from showcost.reports.cost.basis import budget_rates, report_basis
from showcost.reports.cost.report import cost_tables, journal_tables
from showcost.reports.pack.verification import verify_published_packs

if TYPE_CHECKING:
    from showcost.reports.tables import ReportTable
    from showcost.workspace import Workspace


def totals_equal_the_ledger(workspace: Workspace) -> CheckOutcome:
    """Check that the cost to date of each account is the sum of its entries, added up apart."""
    basis = report_basis(workspace)
    (table,) = (table for table in cost_tables(workspace, basis) if table.name == "cost_report")
    reported = {row["account"]: row["cost_to_date"] for row in table.rows.to_pylist()}
    with workspace.ledger.read() as connection:
        posted = base_by_account(connection, date.min, basis.period.end)
    costs = {
        number: amount for number, amount in posted.items() if number not in workspace.chart.balance_accounts
    }
    wrong = sorted(
        account
        for account in reported.keys() | costs.keys()
        if reported.get(account, Decimal(0)) != costs.get(account, 0)
    )
    total = sum(costs.values(), Decimal(0))
    return CheckOutcome(
        passed=not wrong,
        message=f"accounts that differ from the ledger: {', '.join(wrong[:5])}"
        if wrong
        else f"{readable_amount(total)} {basis.currency} cost to {basis.period.end}, as in the ledger",
        facts={"accounts": len(costs), "differing": len(wrong), "cost_to_date": str(total)},
    )


def budget_is_complete(workspace: Workspace) -> CheckOutcome:
    """Check that every account with costs has a budget, and every currency used a budget rate.

    Currencies of costs, purchase orders, estimates and budget revisions.
    """
    balances = workspace.chart.balance_accounts
    with workspace.ledger.read() as connection:
        pairs = connection.execute("SELECT DISTINCT account, currency FROM ledger_entries ORDER BY ALL")
        used = [(account, currency) for account, currency in pairs.fetchall() if account not in balances]
        planned = connection.execute(f"SELECT DISTINCT currency FROM {plan_lines_as_of(None)}").fetchall()  # noqa: S608 - a constant
    unbudgeted = sorted({account for account, _ in used} - workspace.budget.amounts.keys())
    currencies = {currency for _, currency in used} | {currency for (currency,) in planned}
    unrated = sorted(currencies - budget_rates(workspace.production).keys())
    faults = [
        *([f"no budget for {', '.join(unbudgeted[:5])}"] if unbudgeted else []),
        *([f"no budget rate for {', '.join(unrated)}"] if unrated else []),
    ]
    return CheckOutcome(
        passed=not faults,
        message="; ".join(faults) or "every account with costs has a budget, every currency a budget rate",
        facts={"accounts_without_budget": len(unbudgeted), "currencies_without_rate": len(unrated)},
    )


def trial_balance_is_zero(workspace: Workspace) -> CheckOutcome:
    """Check that the journal's lines come to zero in base and per currency; fails if it cannot be made."""
    if missing := missing_control_accounts(workspace.production):
        message = f"not checked: production.yaml names no control_accounts for {', '.join(missing)}"
        return CheckOutcome(passed=False, message=message, facts={})
    tables = {table.name: table for table in journal_tables(workspace, report_basis(workspace))}
    sums = _balances(tables["trial_balance"], "in base")
    sums |= _balances(tables["trial_balance_by_currency"], None)
    wrong = {name: amount for name, amount in sums.items() if amount}
    shown = ", ".join(f"{name} {readable_amount(amount)}" for name, amount in sorted(wrong.items()))
    return CheckOutcome(
        passed=not wrong,
        message=f"not zero: {shown}" if wrong else f"zero in base and in {len(sums) - 1} currencies",
        facts={"currencies": len(sums) - 1, "not_zero": len(wrong)},
    )


def packs_are_unchanged(workspace: Workspace) -> CheckOutcome:
    """Check that every published pack is sealed, there, and as its manifest says."""
    packs, wrong = verify_published_packs(workspace, workspace.audit.records())
    return CheckOutcome(
        passed=not wrong,
        message="; ".join(str(found[0]) for found in wrong.values()) or f"packs as sealed: {packs}",
        facts={"packs": packs, "changed": len(wrong)},
    )


def _balances(table: ReportTable, name: str | None) -> dict[str, Decimal]:
    """Return the sums of the balances, under one name or per currency."""
    sums: dict[str, Decimal] = {} if name is None else {name: Decimal(0)}
    for row in table.rows.to_pylist():
        key = row["currency"] if name is None else name
        sums[key] = sums.get(key, Decimal(0)) + row["balance"]
    return sums
