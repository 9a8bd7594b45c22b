"""The journal as plain-text accounting: the input of beancount and of hledger.

One transaction per document, date, entry kind and revision, balanced in the base currency: a line in another
currency carries its base amount as total cost (`@@`). Accounts are `Expenses:<number>` for cost accounts,
`Liabilities:<number>` for the control accounts of the other side, `Assets:<number>` for the other balance
accounts. Text comes from vendors, so that everything that could end a string or a line is replaced.
"""
# ruff: noqa: S608 - statements are put together from constants of this module

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.chart import AccountKind
from showcost.core.durable import produce_file
from showcost.core.errors import InputError
from showcost.core.national_ids import masked
from showcost.ledger.journal import ENTRY, open_journal, payable_accounts

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import duckdb

    from showcost.config.chart import Account
    from showcost.config.production import Production
    from showcost.workspace import Workspace


class Syntax(StrEnum):
    """The programs whose input can be written."""

    BEANCOUNT = "beancount"
    HLEDGER = "hledger"


_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9-]")


def account_names(workspace: Workspace) -> dict[str, str]:
    """Return the name of each account of the chart in an export, by its number; no two are the same."""
    payables = set(payable_accounts(workspace.production).values())
    names: dict[str, str] = {}
    taken: set[str] = set()
    for account in workspace.chart:
        number = _NOT_IN_NAMES.sub("-", account.number)
        # A component begins with a capital letter or a digit.
        number = number if number[0].isdigit() or number[0].isupper() else f"X{number}"
        name = f"{_root(account, payables)}:{number}"
        while name in taken:
            name = f"{name}-X"
        taken.add(name)
        names[account.number] = name
    return names


def _root(account: Account, payables: Collection[str | None]) -> str:
    if account.kind is AccountKind.COST:
        return "Expenses"
    return "Liabilities" if account.number in payables else "Assets"


def write_plain_text(workspace: Workspace, path: Path, syntax: Syntax, as_of: int | None = None) -> int:
    """Write the journal to a file and return the number of its transactions.

    As known after the audit record `as_of`, or now; the same bytes whenever it is written. Raises InputError
    when production.yaml does not name the control accounts, or an account is no longer in the chart.
    """
    names = account_names(workspace)
    accounts = {
        "account": names.keys(),
        "exported": names.values(),
        "title": [account.name for account in workspace.chart],
    }
    with workspace.ledger.read() as connection:
        open_journal(connection, workspace.production, as_of)
        connection.register(
            "export_accounts",
            pa.table({name: pa.array(cells, pa.string()) for name, cells in accounts.items()}),
        )
        _refuse_unlisted(connection)
        produce_file(path, lambda aside: _write(workspace.production, connection, aside, syntax))
        return int(
            connection.execute(f"SELECT count(*) FROM (SELECT DISTINCT {_KEY} FROM journal)").fetchall()[0][0]
        )


def _refuse_unlisted(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise InputError if the journal has lines on accounts that the chart no longer lists."""
    unlisted = connection.execute(
        "SELECT DISTINCT account FROM journal ANTI JOIN export_accounts USING (account) ORDER BY account"
    ).fetchall()
    if unlisted:
        named = ", ".join(account for (account,) in unlisted[:5])
        raise InputError(f"the chart of accounts does not list {named}, which the ledger has entries on")


def _write(production: Production, connection: duckdb.DuckDBPyConnection, path: Path, syntax: Syntax) -> None:
    parts = (
        _header(production, syntax),
        *([(_COMMODITIES, {})] if syntax is Syntax.HLEDGER else []),
        _accounts(syntax),
        _transactions(production.base_currency, syntax),
    )
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for statement, parameters in parts:
            for batch in connection.sql(statement, params=parameters).to_arrow_reader(65_536):
                stream.writelines(masked(batch.column("text")).to_pylist())


def _header(production: Production, syntax: Syntax) -> tuple[str, dict[str, str]]:
    if syntax is Syntax.HLEDGER:
        return "SELECT '; ' || $rounding || chr(10) AS text", {"rounding": _rounding(production)}
    # beancount divides a total cost by the units and multiplies it back, in 28 digits.
    statement = f"""
        SELECT '; ' || $rounding || chr(10) || 'option "title" "' || {_plain("$title")} || '"' || chr(10)
            || 'option "operating_currency" "' || $base || '"' || chr(10)
            || 'option "inferred_tolerance_default" "' || $base || ':0.000001"' || chr(10) || chr(10) AS text
    """
    return statement, {
        "rounding": _rounding(production),
        "title": production.title,
        "base": production.base_currency,
    }


# hledger's strict checks want every commodity declared; four decimals lose nothing.
_COMMODITIES: Final = """
SELECT 'commodity 1.0000 ' || currency || chr(10) AS text
FROM (SELECT currency FROM journal UNION SELECT base_currency FROM ledger_entries) ORDER BY currency
"""


def _rounding(production: Production) -> str:
    return f"document rounding: {production.fx.document_rounding}"


def _accounts(syntax: Syntax) -> tuple[str, dict[str, str]]:
    number, title = _plain("account"), _plain("title")
    if syntax is Syntax.HLEDGER:
        return (
            f"SELECT 'account ' || exported || '  ; ' || {title} || chr(10) AS text FROM export_accounts",
            {},
        )
    opening = f"""
        SELECT '1970-01-01 open ' || exported || chr(10) || '  number: "' || {number} || '"' || chr(10)
            || '  name: "' || {title} || '"' || chr(10) AS text FROM export_accounts
    """
    return opening, {}


def _plain(column: str) -> str:
    """Return a text without anything that ends a string or a line, as a DuckDB expression; empty for null."""
    spaced = (
        f"regexp_replace(coalesce({column}, ''), '[\\s\\x00-\\x1f\\x7f-\\x9f\\p{{Z}}\\p{{Cf}}]+', ' ', 'g')"
    )
    return f"""translate({spaced}, '\\";|', '/'',/')"""


def _shortest(amount: str) -> str:
    """Return an amount as text with at least two decimals, as a DuckDB expression."""
    return f"regexp_replace(CAST({amount} AS VARCHAR), '(\\.[0-9]{{2,}}?)0+$', '\\1')"


_KEY: Final = "transaction_date, document_id, coalesce(entry_kind, 'rounding'), coalesce(generation, 0)"
"""The columns that tell transactions apart."""


def _transactions(base_currency: str, syntax: Syntax) -> tuple[str, dict[str, str]]:
    payee, number = _plain("vendor_name"), _plain("document_no")
    if syntax is Syntax.BEANCOUNT:
        header = (
            f"""transaction_date || ' * "' || {payee} || '" "' || {number} || '"' || chr(10)"""
            """ || '  document-id: "' || document_id || '"' || chr(10)"""
        )
        entry = """'    entry-id: "' || entry_id || '"' || chr(10)"""
    else:
        header = f"transaction_date || ' * (' || {number} || ') ' || {payee} || chr(10)"
        entry = "''"
    base = f"{_shortest('base_amount')} || ' {base_currency}'"
    original = f"{_shortest('amount')} || ' ' || currency || ' @@ '"
    # A total cost has the sign of its amount. Where rounding turned the sign, the two are lines of their own.
    amount = (
        f"CASE WHEN currency = '{base_currency}' OR amount = 0 THEN {base}"
        f" WHEN base_amount <> 0 AND sign(amount) <> sign(base_amount)"
        f" THEN {original} || '0 {base_currency}' || chr(10) || '  ' || exported || '  ' || {base}"
        f" ELSE {original} || {_shortest('abs(base_amount)')} || ' {base_currency}' END"
    )
    statement = f"""
        SELECT CASE WHEN row_number() OVER lines = 1 THEN chr(10) || {header} ELSE '' END
            || '  ' || exported || '  ' || {amount} || chr(10)
            || CASE WHEN line_kind = '{ENTRY}' THEN {entry} ELSE '' END AS text
        FROM journal JOIN export_accounts USING (account)
        WINDOW lines AS (PARTITION BY {_KEY} ORDER BY line_kind, account, entry_id, base_amount)
        ORDER BY {_KEY}, line_kind, account, entry_id, base_amount
    """
    return statement, {}
