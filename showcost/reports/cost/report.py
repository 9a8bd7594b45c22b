"""All tables of a cost report, on one basis, and the figures of its headline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.ledger.journal import missing_control_accounts
from showcost.ledger.recovery import writing
from showcost.reports.cost.basis import open_accounts, open_entries
from showcost.reports.cost.bridge import bridge, not_posted
from showcost.reports.cost.cost_report import cost_by_location, cost_by_series, cost_report
from showcost.reports.cost.entries import entries
from showcost.reports.cost.fx_variance import fx_variance
from showcost.reports.cost.plan import open_plan
from showcost.reports.cost.plan_tables import plan_tables
from showcost.reports.cost.trial_balance import (
    open_report_journal,
    payables,
    trial_balance,
    trial_balance_by_currency,
)
from showcost.reports.hot_costs import HotCostOptions, hot_costs
from showcost.reports.incentives.qualified_spend import SpendOptions, qualified_spend
from showcost.reports.scope import scope_of
from showcost.reports.tables import ColumnType, HeadlineFigure, totals

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from showcost.config.production import Production
    from showcost.reports.cost.basis import ReportBasis
    from showcost.reports.pack.sealing import SealedPack
    from showcost.reports.tables import ReportTable
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class CostReport:
    """The tables of a cost report by name, in the order in which they are shown.

    `warnings` are sentences about tables that could not be made.
    """

    basis: ReportBasis
    tables: Mapping[str, ReportTable]
    warnings: tuple[str, ...]

    @property
    def headline(self) -> dict[str, Decimal]:
        """The totals of the cost report by column, and the FX variance in base; zero for what has none."""
        costs, variance = totals(self.tables["cost_report"]), totals(self.tables["fx_variance"])
        found = {column: costs[column] for column in _HEADLINE} | {"fx_variance": variance["fx_variance"]}
        return {name: total if isinstance(total, Decimal) else Decimal(0) for name, total in found.items()}

    @property
    def figures(self) -> list[HeadlineFigure]:
        """The headline with title, currency and meaning of each figure."""
        tables = dict.fromkeys(_HEADLINE, "cost_report") | {"fx_variance": "fx_variance"}
        columns = {name: self.tables[table].by_name[name] for name, table in tables.items()}
        return [
            HeadlineFigure(
                title=columns[name].title,
                value=amount,
                type=ColumnType.MONEY,
                meaning=columns[name].meaning,
                currency=self.tables[tables[name]].currency,
                table=tables[name],
                column=name,
            )
            for name, amount in self.headline.items()
        ]


_HEADLINE: Final = (
    *("cost_period", "cost_to_date", "commitments", "total_cost", "etc", "efc"),
    *("budget_approved", "budget_revised", "variance"),
)


_OF_NOW: Final = "hot_costs"
"""The beginning of the names of tables that cannot be made again as of a past record."""


def cost_tables(workspace: Workspace, basis: ReportBasis) -> list[ReportTable]:
    """Make the tables of costs and plans."""
    with open_entries(workspace, basis) as connection:
        open_plan(connection, workspace, basis)
        return [
            cost_report(connection, basis),
            cost_by_location(connection, basis),
            cost_by_series(connection, basis),
            bridge(connection, basis),
            fx_variance(connection, workspace.production, basis),
            *plan_tables(connection, basis),
        ]


def entry_tables(workspace: Workspace, basis: ReportBasis) -> list[ReportTable]:
    """Make the table of the ledger's entries."""
    with open_accounts(workspace, basis) as connection:
        return [entries(connection, workspace.production, basis)]


def journal_tables(workspace: Workspace, basis: ReportBasis) -> list[ReportTable]:
    """Make the trial balance and the payables; none without control accounts in production.yaml."""
    production = workspace.production
    if missing_control_accounts(production):
        return []
    with open_accounts(workspace, basis) as connection:
        open_report_journal(connection, production, basis)
        return [
            trial_balance(connection, production, basis),
            trial_balance_by_currency(connection, production, basis),
            payables(connection, production, basis),
        ]


def spend_tables(workspace: Workspace, basis: ReportBasis) -> list[ReportTable]:
    """Make the qualified spend of the programmes that the production claims, if any, up to the last day."""
    if not workspace.incentives:
        return []
    return [*qualified_spend(workspace, SpendOptions(last=basis.period.end), basis.as_of)]


def labour_tables(workspace: Workspace, basis: ReportBasis) -> list[ReportTable]:
    """Make the hot costs of the period, for a production with payroll."""
    if not any(feed.kind.has_pay_rules for feed in workspace.feeds):
        return []
    options = HotCostOptions(basis.period.start, basis.period.end)
    return [*hot_costs(workspace, options, basis.as_of)]


def make_cost_report(workspace: Workspace, basis: ReportBasis) -> CostReport:
    """Make all tables of a report; a warning names those that could not be made."""
    parts = (cost_tables, entry_tables, journal_tables, spend_tables, labour_tables)
    tables = [table for make in parts for table in make(workspace, basis)]
    return CostReport(
        basis,
        {table.name: table for table in (*tables, not_posted(workspace, basis))},
        report_warnings(workspace.production),
    )


def report_warnings(production: Production) -> tuple[str, ...]:
    """Return sentences about the tables that the settings do not allow."""
    if missing := missing_control_accounts(production):
        return (
            f"no trial balance and no payables: production.yaml names no account for {', '.join(missing)}",
        )
    return ()


def write_report(
    workspace: Workspace, basis: ReportBasis, folder: Path | None = None
) -> tuple[CostReport, SealedPack]:
    """Make a report and write it as a sealed pack into a new folder, or below `published/`.

    All of it is as of one audit record: that of the basis, or the last one, after what a crash left open was
    finished. Hot costs are left out: their hours and penalties are those of current rows, so that the pack of
    a past record would not stay the same. Raises InputError for a folder with other files, or that cannot be
    made.
    """
    from showcost.reports.pack.sealing import write_pack  # noqa: PLC0415 -- slow to import: loads the workbook library

    if workspace.ledger.exists():
        with writing(workspace.ledger):
            pass
    period = basis.period
    scope = scope_of(workspace, period.start, period.end, basis.as_of, basis.currency)
    made = make_cost_report(workspace, replace(basis, as_of=scope.as_of))
    tables = [table for name, table in made.tables.items() if not name.startswith(_OF_NOW)]
    return made, write_pack(workspace, scope, tables, folder, made.figures)
