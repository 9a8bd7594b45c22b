"""The plan of a report: approved budget, budget revisions, estimates and commitments up to its last day.

An estimate is carried forward until a later one replaces it; budget revisions add up; commitments are what is
open on purchase orders. All are at the budget rates.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.record_kinds import BUDGET_REVISION, ESTIMATE
from showcost.core.ids import ROW_ID_SQL
from showcost.ledger.plan import plan_lines_as_of
from showcost.reports.commitments import open_commitments
from showcost.reports.cost.basis import at_budget_rate

if TYPE_CHECKING:
    import duckdb

    from showcost.reports.cost.basis import ReportBasis
    from showcost.workspace import Workspace


def open_plan(connection: duckdb.DuckDBPyConnection, workspace: Workspace, basis: ReportBasis) -> None:
    """Make the table `report_plan` on the connection of `open_entries`.

    Columns: measure (`approved`, `revision`, `estimate`, `commitment`), account, series, location, currency,
    amount, stated_on, revision_no, stated_by, reason, row_id, and report_amount, in the currency of
    the report, null without a budget rate.
    """
    connection.register("approved_budget", _approved(workspace))
    open_commitments(connection, workspace.production, basis.period.end, basis.as_of)
    connection.execute(
        _PLAN.format(
            lines=plan_lines_as_of(basis.as_of), report_amount=at_budget_rate("amount", basis.currency)
        ),
        {"last": basis.period.end},
    )


def _approved(workspace: Workspace) -> pa.Table:
    amounts = workspace.budget.amounts
    return pa.table(
        {
            "account": pa.array(amounts, pa.string()),
            "amount": pa.array(amounts.values(), pa.decimal128(18, 4)),
            "currency": pa.array([workspace.production.base_currency] * len(amounts), pa.string()),
        }
    )


_PLAN: Final = f"""
CREATE OR REPLACE TEMP TABLE report_plan AS
WITH lines AS (SELECT *, {ROW_ID_SQL} AS row_id FROM {{lines}} AS lines WHERE stated_on <= $last),
estimates AS (
    SELECT * FROM lines WHERE record_kind = '{ESTIMATE.name}'
    QUALIFY row_number() OVER (
        PARTITION BY account, series, location ORDER BY stated_on DESC, seq DESC, record DESC) = 1),
measures AS (
    SELECT 'approved' AS measure, account, CAST(NULL AS VARCHAR) AS series, CAST(NULL AS VARCHAR) AS location,
        currency, amount, CAST(NULL AS DATE) AS stated_on, CAST(NULL AS VARCHAR) AS revision_no,
        CAST(NULL AS VARCHAR) AS stated_by, CAST(NULL AS VARCHAR) AS reason,
        CAST(NULL AS VARCHAR) AS row_id FROM approved_budget
    UNION ALL
    SELECT 'revision', account, series, location, currency, amount, stated_on, revision_no, stated_by, reason,
        row_id
    FROM lines WHERE record_kind = '{BUDGET_REVISION.name}'
    UNION ALL
    SELECT 'estimate', account, series, location, currency, amount, stated_on, NULL, stated_by, reason, row_id
    FROM estimates
    UNION ALL
    SELECT 'commitment', account, series, location, currency, open, stated_on, NULL, NULL, NULL, row_id
    FROM commitments WHERE open <> 0)
SELECT measures.*, {{report_amount}} AS report_amount
FROM measures LEFT JOIN report_rates USING (currency)
"""
