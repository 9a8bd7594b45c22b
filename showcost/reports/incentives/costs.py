"""The costs of the ledger as programmes look at them: the temporary table `spend`.

Active entries of cost accounts, each with where it was performed, the kind of cost, and if it is a lump sum.
An account that the chart no longer has counts as a cost account, as in the cost report.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.claims import JURISDICTION_FORM
from showcost.config.record_kinds import PAYROLL
from showcost.fx.pinned_snapshots import with_rates
from showcost.ledger.active_entries import active_condition, entries_as_of
from showcost.reports.incentives.conditions import LABOUR_SQL

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    import duckdb

    from showcost.workspace import Workspace

LUMP_SUM_WORDS: Final = (
    *("lump sum", "lumpsum", "flat fee", "all-in", "all in fee", "sundry", "sundries", "various"),
    *("miscellaneous", "misc", "pauschal", "pauschale", "pauschalbetrag", "diverses", "forfait", "divers"),
)
"""Words of a description that say that it has no detail."""


def make_spend(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, as_of: int | None, last: date | None
) -> None:
    """Make the temporary table `spend` on a connection to the ledger, as of an audit record, or now.

    With the costs up to the transaction date `last`, or all of them.
    """
    balances = sorted(workspace.chart.balance_accounts)
    connection.register("balance_accounts", pa.table({"account": pa.array(balances, pa.string())}))
    # A view of all entries first, so that the condition on reversals sees the reversals of other accounts.
    until = "" if last is None else f" WHERE transaction_date <= DATE '{last}'"
    entries = with_rates(entries_as_of(as_of), as_of)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW spend_entries AS FROM {entries}{until}")
    connection.execute(_SPEND)


def unlisted_accounts(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace
) -> list[tuple[str, int, Decimal]]:
    """Return the accounts of active entries that the chart does not list, with entries and base amounts.

    `make_spend` has made the views.
    """
    listed = [account.number for account in workspace.chart]
    connection.register("listed_accounts", pa.table({"account": pa.array(listed, pa.string())}))
    rows: list[tuple[str, int, Decimal]] = connection.execute(_UNLISTED).fetchall()
    return rows


_WORDS: Final = "|".join(LUMP_SUM_WORDS)

# Two words with letters are the least detail; a dash or a number is none.
_DETAIL: Final = r"regexp_extract_all(coalesce(description, ''), '\p{L}{2,}')"


def _code_sql(text: str) -> str:
    """Return the expression of a country or region in upper case, `GB` for `UK` and `GR` for `EL`."""
    code = f"upper(trim({text}))"
    code = rf"regexp_replace(regexp_replace({code}, '^UK($|-)', 'GB\1'), '^EL($|-)', 'GR\1')"
    return f"CASE WHEN regexp_full_match({code}, '{JURISDICTION_FORM}') THEN {code} END"


_SPEND: Final = rf"""
CREATE OR REPLACE TEMP TABLE spend AS
SELECT entry_id, transaction_date, account, union_category, record_kind, component, vendor_code, vendor_name,
    description, document_no, location, jurisdiction, currency, amount, base_amount, rate, rate_date,
    eur_rate_original, snapshot_id, service_from, service_to, loan_out, earning_type,
    {_code_sql("jurisdiction")} AS place,
    {_code_sql("vendor_country")}[:2] AS country,
    {LABOUR_SQL} AS cost_kind,
    service_from IS NULL OR service_to IS NULL AS is_undated,
    record_kind <> '{PAYROLL.name}' AND (service_from IS NULL OR service_to IS NULL)
        AND (len({_DETAIL}) < 2 OR regexp_matches(lower(description), '\b({_WORDS})\b')) AS is_lump_sum
FROM spend_entries ANTI JOIN balance_accounts USING (account)
WHERE {active_condition("spend_entries")}
"""

_UNLISTED: Final = f"""
SELECT account, count(*), sum(base_amount) FROM spend_entries ANTI JOIN listed_accounts USING (account)
WHERE {active_condition("spend_entries")} GROUP BY account ORDER BY account
"""
