"""The assets of the reports, and their checks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import dagster as dg

from showcost.checks import reports as report_checks
from showcost.checks.ledger import FRESH_WITHIN
from showcost.components import naming
from showcost.components.checks import whole_check
from showcost.components.freshness import after_every_period, every_morning
from showcost.components.metadata import column_schema, counts_table
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.production import Production
from showcost.ledger.journal import missing_control_accounts
from showcost.reports.book.ledger_charts import ledger_charts
from showcost.reports.cost.basis import ReportBasis, report_basis
from showcost.reports.cost.bridge import not_posted
from showcost.reports.cost.cost_report import COLUMNS
from showcost.reports.cost.report import (
    CostReport,
    cost_tables,
    journal_tables,
    labour_tables,
    report_warnings,
    spend_tables,
    write_report,
)
from showcost.reports.cost.trial_balance import COLUMNS as TRIAL_BALANCE_COLUMNS
from showcost.reports.hot_costs import HOT_COST_COLUMNS
from showcost.reports.incentives.qualified_spend import LINE_COLUMNS
from showcost.reports.scope import scope_of
from showcost.reports.tables import (
    DETAIL,
    INCOMPLETE,
    TOTAL,
    Cell,
    ColumnType,
    Line,
    ReportColumn,
    ReportTable,
    lines,
    totals,
)
from showcost.reports.writers.figures import figure_text
from showcost.validation.columns import ColumnInfo
from showcost.workspace import Workspace, definitions_workspace

_LINES_SHOWN: Final = 100
_MOST_LINES: Final = 20_000
"""Rows up to which the subtotals of a table are shown; above, its total."""

_FILE_COLUMNS: Final = (
    ReportColumn("file", "File", ColumnType.TEXT, "path of a file in the pack"),
    ReportColumn("bytes", "Bytes", ColumnType.COUNT, "its size"),
)


class ReportOptions(dg.Config):
    """Run options of a report: by default the last period with entries, in the base currency, as of now.

    `period` is the name of a period or a date in it, `as_of` the last audit record to include.
    """

    period: str | None = None
    currency: str | None = None
    as_of: int | None = None

    def basis(self, workspace: Workspace) -> ReportBasis:
        """Return the basis that the options describe."""
        return report_basis(workspace, self.period, self.currency, self.as_of)


@dataclass(frozen=True)
class _Report:
    """The asset of a report: `show` makes it and returns the metadata."""

    key: dg.AssetKey
    deps: Sequence[dg.AssetKey]
    columns: tuple[ReportColumn, ...]
    description: str
    show: Callable[[Workspace, ReportBasis], Mapping[str, Any]]
    kinds: frozenset[str] = frozenset({"duckdb"})


_COST_REPORT: Final = (
    "Cost of the period, cost to date, commitments, ETC, EFC, budget and variance per account and section,"
    " with the bridge from posted to cost and the FX variance. The same as `showcost report`."
)
_TRIAL_BALANCE: Final = (
    "Debits and credits per account from the journal, in base and per currency, and the aged payables."
)
_HOT_COSTS: Final = (
    "Each day's labour of the period against its budget: straight time, overtime, meal penalties, short rest,"
    " gross and fringe, per account and location."
)
_QUALIFIED_SPEND: Final = (
    "Costs under the incentive programmes that the production claims: what qualifies, what does not, what"
    " needs a look, and by which rule. Totals first, then each programme."
)
_SNAPSHOT: Final = (
    "The report as a sealed pack below `published/reports/`: book (`index.html`), workbook, cover, CSV,"
    " Parquet and a manifest with the sha256 of every file: the same bytes as of the same audit record."
)


@dg.definitions
def reports() -> dg.Definitions:
    """Build the assets of the reports and their checks."""
    workspace = definitions_workspace()
    production = workspace.production
    plans = [naming.recorded_key(feed.name) for feed in workspace.feeds if feed.kind.is_plan]
    payroll = any(feed.kind.has_pay_rules for feed in workspace.feeds)
    ledger = [naming.LEDGER_ENTRIES]
    of_report = [
        _Report(naming.COST_REPORT, [*ledger, *plans], COLUMNS, _COST_REPORT, _show_costs),
        _Report(
            *(naming.TRIAL_BALANCE, ledger, TRIAL_BALANCE_COLUMNS, _TRIAL_BALANCE),
            partial(_show_tables, journal_tables),
        ),
        _Report(
            *(naming.LENDER_SNAPSHOT, [naming.COST_REPORT, naming.TRIAL_BALANCE], _FILE_COLUMNS, _SNAPSHOT),
            *(_show_snapshot, frozenset({"xlsx", "csv", "parquet"})),
        ),
    ]
    if payroll:
        show = partial(_show_tables, labour_tables)
        of_report.append(_Report(naming.HOT_COSTS, ledger, HOT_COST_COLUMNS, _HOT_COSTS, show))
    if production.incentives:
        show = partial(_show_tables, spend_tables)
        of_report.append(_Report(naming.QUALIFIED_SPEND, ledger, LINE_COLUMNS, _QUALIFIED_SPEND, show))
    return dg.Definitions(
        assets=[_asset(production, report) for report in of_report],
        asset_checks=[
            whole_check(
                asset=naming.COST_REPORT,
                name="totals_equal_the_ledger",
                description="Per account, and in all, cost to date is the sum of the ledger's entries, added "
                "up apart from the report.",
                evaluate=report_checks.totals_equal_the_ledger,
            ),
            whole_check(
                asset=naming.COST_REPORT,
                name="budget_is_complete",
                description="Every account with costs has a budget, and every currency of the costs a budget "
                "rate.",
                evaluate=report_checks.budget_is_complete,
                severity=dg.AssetCheckSeverity.WARN,
            ),
            whole_check(
                asset=naming.TRIAL_BALANCE,
                name="trial_balance_is_zero",
                description="Debits equal credits in base and in every original currency.",
                evaluate=report_checks.trial_balance_is_zero,
                severity=dg.AssetCheckSeverity.WARN
                if missing_control_accounts(production)
                else dg.AssetCheckSeverity.ERROR,
            ),
            whole_check(
                asset=naming.LENDER_SNAPSHOT,
                name="packs_are_unchanged",
                description="Every published pack is there, sealed in the audit log, and has the files, "
                "hashes and totals of its manifest.",
                evaluate=report_checks.packs_are_unchanged,
            ),
        ],
    )


def _asset(production: Production, report: _Report) -> dg.AssetsDefinition:
    @dg.asset(
        key=report.key,
        deps=report.deps,
        description=report.description,
        metadata={"dagster/column_schema": _schema(report.columns)},
        group_name=naming.REPORTS,
        kinds=set(report.kinds),
        owners=list(production.owners),
        tags={"showcost/stage": naming.REPORTS},
        backfill_policy=dg.BackfillPolicy.single_run(),
        freshness_policy=_freshness(production, report.key),
    )
    def made(config: ReportOptions, data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            workspace = data.workspace()
            basis = config.basis(workspace)
            return dg.MaterializeResult(
                metadata={"period": basis.period.name, **report.show(workspace, basis)}
            )

    return made


def _freshness(production: Production, key: dg.AssetKey) -> dg.FreshnessPolicy | None:
    if key == naming.LENDER_SNAPSHOT:
        return after_every_period(production)
    return every_morning(production, FRESH_WITHIN) if key == naming.COST_REPORT else None


def _show_costs(workspace: Workspace, basis: ReportBasis) -> dict[str, Any]:
    tables = {table.name: table for table in (*cost_tables(workspace, basis), not_posted(workspace, basis))}
    figures = CostReport(basis, tables, ()).figures
    return {
        "dagster/row_count": tables["cost_report"].rows.num_rows,
        "currency": basis.currency,
        **{figure.column: figure_text(figure.value, figure.currency) for figure in figures},
        "incomplete_figures": ", ".join(
            figure.column for figure in figures if figure.title.endswith(INCOMPLETE)
        )
        or "none",
        **_charts(workspace, basis),
        "sections": _shown(tables["cost_report"], subtotals_only=True),
        "bridge": _shown(tables["bridge"]),
        "fx_variances": _shown(tables["fx_variance"], subtotals_only=True),
        "not_posted": _shown(tables["not_posted"]),
        "notes": _notes(tables.values()),
    }


def _show_tables(
    make: Callable[[Workspace, ReportBasis], Sequence[ReportTable]], workspace: Workspace, basis: ReportBasis
) -> dict[str, Any]:
    """Make tables and show them: short ones whole, the others as subtotals."""
    tables = make(workspace, basis)
    return {
        "dagster/row_count": sum(table.rows.num_rows for table in tables),
        **{table.name: _shown(table, subtotals_only=table.rows.num_rows > _LINES_SHOWN) for table in tables},
        "notes": _notes(tables, () if tables else report_warnings(workspace.production)),
    }


def _show_snapshot(workspace: Workspace, basis: ReportBasis) -> dict[str, Any]:
    made, pack = write_report(workspace, basis)
    return {
        "dagster/uri": pack.folder.as_uri(),
        "folder": dg.MetadataValue.path(pack.folder),
        "as_of": pack.scope.as_of,
        "sha256": pack.sha256,
        "figures": counts_table(
            ["figure", "amount", "currency"],
            [(figure.title, figure.value, figure.currency) for figure in made.figures],
        ),
        "files": counts_table(
            ["file", "bytes"],
            [
                (path.relative_to(pack.folder).as_posix(), path.stat().st_size)
                for path in sorted(pack.folder.rglob("*"))
                if path.is_file()
            ],
        ),
    }


def _charts(workspace: Workspace, basis: ReportBasis) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the charts of a report as pictures."""
    scope = scope_of(workspace, basis.period.start, basis.period.end, basis.as_of)
    return {
        f"chart_{chart.name.replace('-', '_')}": dg.MetadataValue.md(chart.markdown)
        for chart in ledger_charts(workspace, scope)
    }


def _schema(columns: tuple[ReportColumn, ...]) -> dg.TableSchema:
    return column_schema(ColumnInfo(column.name, column.type.value, column.meaning) for column in columns)


def _notes(tables: Iterable[ReportTable], warnings: Sequence[str] = ()) -> dg.MarkdownMetadataValue:
    """Return warnings and the notes of tables, each once, as a Markdown list."""
    notes = dict.fromkeys([*warnings, *(note for table in tables for note in table.notes)])
    return dg.MetadataValue.md("\n".join(f"- {note}" for note in notes))


def _shown(table: ReportTable, *, subtotals_only: bool = False) -> dg.TableMetadataValue:
    """Return the lines of a table, or its subtotals and total, as table metadata."""
    columns = [
        column
        for column in table.columns
        if not subtotals_only or column.is_summed or column.name in table.group_by
    ]
    if table.rows.num_rows > _MOST_LINES:
        chosen = [Line(TOTAL, totals(table), 0, table.rows.num_rows - 1)]
    else:
        chosen = [line for line in lines(table) if not subtotals_only or line.level != DETAIL]
    if not any(column.is_summed for column in columns):
        chosen = [line for line in chosen if line.level == DETAIL]
    return counts_table(
        [column.title for column in columns],
        [[_cell(line, column) for column in columns] for line in chosen[-_LINES_SHOWN:]],
    )


def _cell(line: Line, column: ReportColumn) -> Cell:
    if line.level == TOTAL and column.type is ColumnType.TEXT:
        return "Total"
    return line.cells.get(column.name)
