"""The assets of the reports, and their checks."""

from collections.abc import Sequence
from typing import Any, Final

import dagster as dg

from showcost.checks import reports as report_checks
from showcost.components import naming
from showcost.components.checks import whole_check
from showcost.components.metadata import column_schema, counts_table
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.production import Production
from showcost.core.money import readable_amount
from showcost.ledger.journal import missing_control_accounts
from showcost.reports.book.ledger_charts import ledger_charts
from showcost.reports.cost.basis import report_basis
from showcost.reports.cost.cost_report import COLUMNS
from showcost.reports.cost.report import CostReport, make_cost_report, write_report
from showcost.reports.cost.trial_balance import COLUMNS as TRIAL_BALANCE_COLUMNS
from showcost.reports.hot_costs import HOT_COST_COLUMNS
from showcost.reports.incentives.qualified_spend import LINE_COLUMNS
from showcost.reports.scope import scope_of
from showcost.reports.tables import DETAIL, TOTAL, Cell, ColumnType, Line, ReportColumn, ReportTable, lines
from showcost.validation.columns import ColumnInfo
from showcost.workspace import Workspace, definitions_workspace

_SECTIONS_SHOWN: Final = 100


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

    def make(self, data: DataFolder) -> CostReport:
        """Return the report that the options describe."""
        workspace = data.workspace()
        return make_cost_report(workspace, report_basis(workspace, self.period, self.currency, self.as_of))


@dg.definitions
def reports() -> dg.Definitions:
    """Build the assets of the reports and their checks."""
    workspace = definitions_workspace()
    production = workspace.production
    plans = [naming.recorded_key(feed.name) for feed in workspace.feeds if feed.kind.is_plan]
    payroll = any(feed.kind.has_pay_rules for feed in workspace.feeds)
    return dg.Definitions(
        assets=[
            _cost_report(production, plans),
            _trial_balance(production),
            *([_tables_asset(production, naming.HOT_COSTS, HOT_COST_COLUMNS, _HOT_COSTS)] if payroll else []),
            *(
                [_tables_asset(production, naming.QUALIFIED_SPEND, LINE_COLUMNS, _QUALIFIED_SPEND)]
                if production.incentives
                else []
            ),
            _lender_snapshot(production),
        ],
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
                description="Every published pack still has the files, hashes and totals of its manifest.",
                evaluate=report_checks.packs_are_unchanged,
            ),
        ],
    )


def _cost_report(production: Production, plans: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.COST_REPORT,
        deps=[naming.LEDGER_ENTRIES, *plans],
        description="Cost of the period, cost to date, commitments, ETC, EFC, budget and variance per "
        "account and section, with the bridge from posted to cost and the FX variance. The same as "
        "`showcost report`.",
        metadata={"dagster/column_schema": _schema(COLUMNS)},
        group_name=naming.REPORTS,
        kinds={"duckdb"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.REPORTS},
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=naming.LEDGER_POOL,
    )
    def cost_report(config: ReportOptions, data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            made = config.make(data)
            charts = _charts(data.workspace(), made)
        headline = {name: readable_amount(amount) for name, amount in made.headline.items()}
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": made.tables["cost_report"].rows.num_rows,
                "period": made.basis.period.name,
                "currency": made.basis.currency,
                **headline,
                **charts,
                "sections": _shown(made.tables["cost_report"], subtotals_only=True),
                "bridge": _shown(made.tables["bridge"]),
                "fx_variances": _shown(made.tables["fx_variance"], subtotals_only=True),
                "not_posted": _shown(made.tables["not_posted"]),
                "notes": dg.MetadataValue.md(_list(made)),
            }
        )

    return cost_report


def _trial_balance(production: Production) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.TRIAL_BALANCE,
        deps=[naming.LEDGER_ENTRIES],
        description="Debits and credits per account from the journal, in base and per currency, and the aged "
        "payables.",
        metadata={"dagster/column_schema": _schema(TRIAL_BALANCE_COLUMNS)},
        group_name=naming.REPORTS,
        kinds={"duckdb"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.REPORTS},
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=naming.LEDGER_POOL,
    )
    def trial_balance(config: ReportOptions, data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            made = config.make(data)
        shown: dict[str, Any] = {
            name: _shown(made.tables[name], subtotals_only=name == "payables")
            for name in ("trial_balance", "trial_balance_by_currency", "payables")
            if name in made.tables
        }
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": made.tables["trial_balance"].rows.num_rows if shown else 0,
                "period": made.basis.period.name,
                **shown,
                "notes": dg.MetadataValue.md(_list(made)),
            }
        )

    return trial_balance


def _tables_asset(
    production: Production, key: dg.AssetKey, columns: tuple[ReportColumn, ...], description: str
) -> dg.AssetsDefinition:
    """Return the asset of the tables of a report whose names begin with that of the asset."""

    @dg.asset(
        key=key,
        deps=[naming.LEDGER_ENTRIES],
        metadata={"dagster/column_schema": _schema(columns)},
        description=description,
        group_name=naming.REPORTS,
        kinds={"duckdb"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.REPORTS},
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=naming.LEDGER_POOL,
    )
    def tables(config: ReportOptions, data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            made = config.make(data)
        return _tables_shown(made, key.path[-1])

    return tables


_HOT_COSTS: Final = (
    "Each day's labour of the period against its budget: straight time, overtime, meal penalties, short rest,"
    " gross and fringe, per account and location."
)
_QUALIFIED_SPEND: Final = (
    "Costs under the incentive programmes that the production claims: what qualifies, what does not, what"
    " needs a look, and by which rule. Totals first, then each programme."
)


def _tables_shown(made: CostReport, prefix: str) -> dg.MaterializeResult[None]:
    """Return the tables whose names begin with a prefix: short ones whole, the others as subtotals."""
    tables = [table for name, table in made.tables.items() if name.startswith(prefix)]
    shown: dict[str, Any] = {
        table.name: _shown(table, subtotals_only=table.rows.num_rows > _SECTIONS_SHOWN) for table in tables
    }
    notes = dict.fromkeys(note for table in tables for note in table.notes)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(table.rows.num_rows for table in tables),
            "period": made.basis.period.name,
            **shown,
            "notes": dg.MetadataValue.md("\n".join(f"- {note}" for note in notes)),
        }
    )


def _lender_snapshot(production: Production) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.LENDER_SNAPSHOT,
        deps=[naming.COST_REPORT, naming.TRIAL_BALANCE],
        metadata={"dagster/column_schema": _schema(_FILE_COLUMNS)},
        description="The report as a sealed pack below `published/reports/`: workbook, CSV, Parquet and a "
        "manifest with the sha256 of every file. As of the same audit record it has the same bytes.",
        group_name=naming.REPORTS,
        kinds={"xlsx", "csv", "parquet"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.REPORTS},
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=naming.LEDGER_POOL,
    )
    def lender_snapshot(config: ReportOptions, data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            made = config.make(data)
            pack = write_report(data.workspace(), made)
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": pack.folder.as_uri(),
                "folder": dg.MetadataValue.path(pack.folder),
                "as_of": pack.scope.as_of,
                "sha256": pack.sha256,
                "period": made.basis.period.name,
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
        )

    return lender_snapshot


def _charts(workspace: Workspace, made: CostReport) -> dict[str, dg.MarkdownMetadataValue]:
    """Return the charts of a report as pictures."""
    period = made.basis.period
    scope = scope_of(workspace, period.start, period.end, made.basis.as_of)
    return {
        f"chart_{chart.name.replace('-', '_')}": dg.MetadataValue.md(chart.markdown)
        for chart in ledger_charts(workspace, scope)
    }


def _schema(columns: tuple[ReportColumn, ...]) -> dg.TableSchema:
    return column_schema(ColumnInfo(column.name, column.type.value, column.meaning) for column in columns)


def _list(made: CostReport) -> str:
    """Return the notes of all tables as a Markdown list."""
    notes = [note for table in made.tables.values() for note in table.notes]
    return "\n".join(f"- {note}" for note in dict.fromkeys([*made.warnings, *notes]))


def _shown(table: ReportTable, *, subtotals_only: bool = False) -> dg.TableMetadataValue:
    """Return the lines of a table, or its subtotals and total, as table metadata."""
    columns = [
        column
        for column in table.columns
        if not subtotals_only or column.is_summed or column.name in table.group_by
    ]
    chosen = [line for line in lines(table) if not subtotals_only or line.level != DETAIL]
    if not any(column.is_summed for column in columns):
        chosen = [line for line in chosen if line.level == DETAIL]
    return counts_table(
        [column.title for column in columns],
        [[_cell(line, column) for column in columns] for line in chosen[-_SECTIONS_SHOWN:]],
    )


def _cell(line: Line, column: ReportColumn) -> Cell:
    if line.level == TOTAL and column.type is ColumnType.TEXT:
        return "Total"
    return line.cells.get(column.name)
