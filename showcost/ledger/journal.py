"""The journal: every entry with its other side, balanced per document in original and in base currency.

The contra lines and the rounding pairs are derived from the entries and the production's control accounts;
nothing of them is stored (decision record 24). A debit is positive, a credit negative. The trial balance, the
payables and every export stand on the view that `open_journal` makes.
"""
# ruff: noqa: S608 - statements are put together from constants of this package and a checked currency code

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.production import PRODUCTION_FILE
from showcost.config.record_kinds import RECORD_KINDS
from showcost.core.errors import InputError
from showcost.core.money import AMOUNT_DIGITS, AMOUNT_SCALE
from showcost.fx.conversion import AMOUNT_TYPE, conversion_sql, micro_rate_sql, rounds_documents_sql
from showcost.ledger.active_entries import entries_as_of
from showcost.ledger.documents import DOCUMENT_ID, join_numbers, register_numbers
from showcost.ledger.schema import FIRST_LINE_VERSION

if TYPE_CHECKING:
    import duckdb

    from showcost.config.production import Production

ENTRY: Final = "entry"
CONTRA: Final = "contra"
ROUNDING: Final = "rounding"
"""The kinds of line."""

LARGEST: Final = 10 ** (AMOUNT_DIGITS - AMOUNT_SCALE) - 1
"""Document totals from here on are beyond the type of amounts, and have no rounding."""

ROUNDING_ACCOUNT: Final = "currency_rounding"
"""The control account of the rounding pairs."""

_PAYABLES: Final = {name: kind.payable for name, kind in RECORD_KINDS.items() if kind.payable is not None}
"""The control account of the other side per record kind with entries."""

COLUMNS: Final = {
    "transaction_date": "date of the cost",
    "document_id": "shared by all lines of a document",
    "line_kind": f"{ENTRY}, {CONTRA} (the other side) or {ROUNDING} (of a document's total in base)",
    "entry_kind": "posting, reversal, or null for a rounding line",
    "generation": "revision of the posting, or null for a rounding line",
    "entry_id": "the ledger entry, or null for a contra or rounding line",
    "record_kind": "what the document is",
    "account": "account of the chart",
    "vendor_code": "vendor, authority or payroll company",
    "vendor_name": "its name",
    "document_no": "invoice, permit or payroll invoice",
    "due_date": "date on which payment is due",
    "description": "what was supplied",
    "currency": "original currency",
    "amount": "original amount; a debit is positive, a credit negative; zero for a rounding line",
    "base_currency": "base currency of the production",
    "base_amount": "amount in base",
}
"""The columns of the view `journal`, in order."""


def open_journal(
    connection: duckdb.DuckDBPyConnection, production: Production, as_of: int | None = None
) -> None:
    """Make the temporary view `journal` on a connection to the ledger, with the columns of `COLUMNS`.

    As known after the audit record `as_of`, or now. Entries of line version 1 get their document id here.
    A document whose total is beyond the type of amounts has no rounding. Raises InputError when
    production.yaml does not name a control account that the journal needs.
    """
    entries = entries_as_of(as_of)
    register_numbers(connection, entries)
    connection.register("journal_contra_accounts", _contra_accounts(production))
    difference = conversion_sql(
        "net",
        "currency",
        micro_rate_sql("eur_rate_original"),
        micro_rate_sql("eur_rate_base"),
        production.base_currency,
    )
    connection.execute(
        _JOURNAL.format(
            entries=entries,
            columns=", ".join(COLUMNS),
            difference=difference,
            rounding_account=production.control_accounts.currency_rounding,
            rounds=rounds_documents(production),
        )
    )


def rounds_documents(production: Production) -> str:
    """Return the SQL expression that says whether an entry's document is rounded as a whole.

    By the policy that the entry states; the setting of today is that of entries that state none.
    """
    today = "true" if production.fx.document_rounding == "document" else "false"
    return rounds_documents_sql("fx_policy", today)


def payable_accounts(production: Production) -> dict[str, str | None]:
    """Return the accounts of the other side of documents, by the names of their control accounts."""
    named = production.control_accounts.model_dump()
    return {name: named[name] for name in sorted(set(_PAYABLES.values()))}


def missing_control_accounts(production: Production) -> list[str]:
    """Return the names of the control accounts that the journal needs and production.yaml does not name."""
    needed = payable_accounts(production) | {ROUNDING_ACCOUNT: production.control_accounts.currency_rounding}
    return [name for name, number in needed.items() if number is None]


def _contra_accounts(production: Production) -> pa.Table:
    """Return the control account of the other side per record kind; InputError if one is not named."""
    if missing := missing_control_accounts(production):
        raise InputError(
            f"{PRODUCTION_FILE}: the journal needs control_accounts for {', '.join(missing)};"
            " name an account of the chart for each"
        )
    payables = payable_accounts(production)
    return pa.table(
        {
            "record_kind": pa.array(_PAYABLES.keys(), pa.string()),
            "contra_account": pa.array([payables[name] for name in _PAYABLES.values()], pa.string()),
        }
    )


_JOURNAL: Final = f"""
CREATE OR REPLACE TEMP VIEW journal AS
WITH entries AS (
    SELECT entries.* REPLACE (
        CASE WHEN line_version > {FIRST_LINE_VERSION} THEN document_id ELSE {DOCUMENT_ID} END AS document_id)
    FROM {{entries}} AS entries {join_numbers("entries")} WHERE amount <> 0 OR base_amount <> 0),
accounted AS (SELECT * FROM entries LEFT JOIN journal_contra_accounts USING (record_kind)),
heads AS (
    SELECT document_id, min(vendor_code) AS vendor_code, min(vendor_name) AS vendor_name,
        min(document_no) AS document_no, min(due_date) AS due_date
    FROM entries GROUP BY document_id),
sides AS (
    SELECT transaction_date, document_id, '{CONTRA}' AS line_kind, entry_kind, generation,
        CAST(NULL AS VARCHAR) AS entry_id, record_kind, contra_account AS account,
        CAST(NULL AS VARCHAR) AS description, currency, -sum(amount) AS amount,
        base_currency, -sum(base_amount) AS base_amount
    FROM accounted
    GROUP BY transaction_date, document_id, entry_kind, generation, record_kind, contra_account, currency,
        base_currency),
contra AS (SELECT * FROM sides JOIN heads USING (document_id)),
documents AS (
    SELECT transaction_date, document_id, record_kind, contra_account, currency, base_currency,
        eur_rate_original, eur_rate_base, sum(amount) AS net,
        sum(base_amount) AS base_net, bool_or({{rounds}}) AS is_rounded
    FROM accounted
    GROUP BY transaction_date, document_id, record_kind, contra_account, currency, base_currency,
        eur_rate_original, eur_rate_base),
differences AS (
    SELECT *, CASE WHEN abs(net) < {LARGEST} AND abs(base_net) < {LARGEST}
        THEN {{difference}} - base_net ELSE 0 END AS difference
    FROM documents JOIN heads USING (document_id) WHERE is_rounded),
rounding AS (
    SELECT transaction_date, document_id, '{ROUNDING}' AS line_kind, CAST(NULL AS VARCHAR) AS entry_kind,
        CAST(NULL AS INTEGER) AS generation, CAST(NULL AS VARCHAR) AS entry_id, record_kind,
        unnest(['{{rounding_account}}', contra_account]) AS account, vendor_code, vendor_name, document_no,
        due_date, CAST(NULL AS VARCHAR) AS description, currency, CAST(0 AS {AMOUNT_TYPE}) AS amount,
        base_currency, unnest([difference, -difference]) AS base_amount
    FROM differences WHERE difference <> 0)
SELECT {{columns}} FROM (
    SELECT *, '{ENTRY}' AS line_kind FROM entries
    UNION ALL BY NAME FROM contra
    UNION ALL BY NAME FROM rounding)
"""
