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
from showcost.core.durable import fsync_folder, produce_temporary, rename
from showcost.core.errors import InputError
from showcost.ledger.journal import ENTRY, open_journal

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from showcost.config.chart import Account
    from showcost.workspace import Workspace


class Syntax(StrEnum):
    """The programs whose input can be written."""

    BEANCOUNT = "beancount"
    HLEDGER = "hledger"


_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9-]")


def account_names(workspace: Workspace) -> dict[str, str]:
    """Return the name of each account of the chart in an export, by its number; no two are the same."""
    payables = {
        number
        for name, number in workspace.production.control_accounts.model_dump().items()
        if name in {"accounts_payable", "payroll_clearing", "permits_payable"}
    }
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


def _root(account: Account, payables: set[str]) -> str:
    if account.kind is AccountKind.COST:
        return "Expenses"
    return "Liabilities" if account.number in payables else "Assets"


def write_plain_text(workspace: Workspace, path: Path, syntax: Syntax, as_of: int | None = None) -> int:
    """Write the journal to a file and return the number of its transactions.

    As known after the audit record `as_of`, or now; the same bytes whenever it is written. Raises InputError
    when production.yaml does not name the control accounts, or an account is no longer in the chart.
    """
    names = account_names(workspace)
    with workspace.ledger.read() as connection:
        open_journal(connection, workspace.production, as_of)
        connection.register(
            "export_accounts",
            pa.table(
                {
                    "account": pa.array(names.keys(), pa.string()),
                    "exported": pa.array(names.values(), pa.string()),
                }
            ),
        )
        _refuse_unlisted(connection)
        rename(produce_temporary(path, lambda aside: _write(workspace, connection, aside, syntax)), path)
        fsync_folder(path.parent)
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


def _write(workspace: Workspace, connection: duckdb.DuckDBPyConnection, path: Path, syntax: Syntax) -> None:
    production = workspace.production
    names = account_names(workspace)
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        if syntax is Syntax.BEANCOUNT:
            stream.write(f"; document rounding: {production.fx.document_rounding}\n")
            stream.write(f'option "title" "{_plain(production.title)}"\n')
            stream.write(f'option "operating_currency" "{production.base_currency}"\n')
            # beancount divides a total cost by the units and multiplies it back, in 28 digits.
            stream.write(f'option "inferred_tolerance_default" "{production.base_currency}:0.000001"\n\n')
        for account in workspace.chart:
            name, title = names[account.number], _plain(account.name)
            if syntax is Syntax.BEANCOUNT:
                stream.write(
                    f'1970-01-01 open {name}\n  number: "{_plain(account.number)}"\n  name: "{title}"\n'
                )
            else:
                stream.write(f"account {name}  ; {title}\n")
        lines = connection.sql(_statement(production.base_currency, syntax)).to_arrow_reader(65_536)
        for batch in lines:
            stream.writelines(batch.column("text").to_pylist())


def _plain(text: str) -> str:
    """Return text without anything that ends a string or a line."""
    return re.sub(r"[\s\x00-\x1f]+", " ", text).replace("\\", "/").replace('"', "'").replace(";", ",")


def _plain_sql(column: str) -> str:
    """Return the same as `_plain` as a DuckDB expression; empty for null."""
    spaced = (
        f"regexp_replace(coalesce({column}, ''), '[\\s\\x00-\\x1f\\x7f-\\x9f\\p{{Z}}\\p{{Cf}}]+', ' ', 'g')"
    )
    return f"""translate({spaced}, '\\";|', '/'',/')"""


def _shortest(amount: str) -> str:
    """Return an amount as text with at least two decimals, as a DuckDB expression."""
    return f"regexp_replace(CAST({amount} AS VARCHAR), '(\\.[0-9]{{2,}}?)0+$', '\\1')"


_KEY: Final = "transaction_date, document_id, coalesce(entry_kind, 'rounding'), coalesce(generation, 0)"
"""The columns that tell transactions apart."""


def _statement(base_currency: str, syntax: Syntax) -> str:
    payee, number = _plain_sql("vendor_name"), _plain_sql("document_no")
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
    return f"""
        SELECT CASE WHEN row_number() OVER lines = 1 THEN chr(10) || {header} ELSE '' END
            || '  ' || exported || '  ' || {amount} || chr(10)
            || CASE WHEN line_kind = '{ENTRY}' THEN {entry} ELSE '' END AS text
        FROM journal JOIN export_accounts USING (account)
        WINDOW lines AS (PARTITION BY {_KEY} ORDER BY line_kind, account, entry_id, base_amount)
        ORDER BY {_KEY}, line_kind, account, entry_id, base_amount
    """
