"""Audit pack: everything that an outside verifier needs to check the ledger, without showcost or a database.

    pack.json        base currency, digest of everything, head of the audit log, names of the columns
    log.jsonl        the audit log, byte for byte
    entries.txt      batch id, a tab, the canonical line of an entry (see `digest`); by date and entry id
    plan_lines.txt   number of the audit record, a tab, the canonical line of a plan line; in this order
    rates.csv        snapshot, date, currency, units per euro, publication date
    heads.csv        number and hash of the audit record of each transaction in the ledger

`tools/verify_pack.py` reads it, with nothing but Python's standard library.
"""

from __future__ import annotations

import csv
import json
from datetime import date
from typing import TYPE_CHECKING, Final

from showcost.core.durable import TEMPORARY_SUFFIX, make_folder, produce_file, write_durably
from showcost.core.errors import InputError
from showcost.ledger.digest import CANONICAL_LINE, digest, line_columns
from showcost.ledger.plan_lines import CANONICAL_PLAN_LINE
from showcost.ledger.schema import LINE_VERSION, PLAN_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

    from showcost.ledger.store import Ledger

FORM: Final = "showcost-pack-3"
"""The form of the pack; form 1 had the entries of line version 1 alone, form 2 had no plan lines."""


def write_pack(ledger: Ledger, production: str, base_currency: str, folder: Path) -> dict[str, str | int]:
    """Write the pack into a new or empty folder, and return the facts of `pack.json`.

    Raises InputError if the folder is not empty, or there is no ledger.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; choose a new folder for the audit pack")
    ledger.require()
    make_folder(folder)
    log = ledger.audit.path.read_bytes()
    with ledger.read() as connection:
        ledger_digest = digest(connection, date.min, date.max)
        produce_file(folder / "entries.txt", lambda path: _lines(connection, _ENTRIES, path))
        produce_file(folder / "plan_lines.txt", lambda path: _lines(connection, _PLAN_LINES, path))
        plan_lines = connection.execute("SELECT count(*) FROM plan_lines").fetchall()[0][0]
        rates, heads = connection.execute(_RATES).fetchall(), connection.execute(_HEADS).fetchall()
    _csv(folder / "rates.csv", ["snapshot_id", "date", "currency", "rate", "publication_date"], rates)
    _csv(folder / "heads.csv", ["seq", "hash"], heads)
    write_durably(folder / "log.jsonl", log)
    for path in sorted(ledger.audit.configurations.glob("*")):
        if not path.name.endswith(TEMPORARY_SUFFIX):
            make_folder(folder / path.parent.name)
            write_durably(folder / path.parent.name / path.name, path.read_bytes())
    facts: dict[str, str | int] = {
        "form": FORM,
        "production": production,
        "base_currency": base_currency,
        "entries": sum(rows for rows, _ in ledger_digest.partitions.values()),
        "plan_lines": plan_lines,
        "digest": ledger_digest.hash,
        "head": ledger.audit.head().hash,
        "records": ledger.audit.head().seq,
    }
    columns = {
        "columns": [column.name for column in line_columns(LINE_VERSION)],
        "plan_columns": [column.name for column in PLAN_COLUMNS if column.name != "seq"],
    }
    write_durably(folder / "pack.json", json.dumps(facts | columns, indent=1).encode() + b"\n")
    return facts


def _lines(connection: duckdb.DuckDBPyConnection, statement: str, path: Path) -> None:
    with path.open("wb") as stream:
        for batch in connection.sql(statement).to_arrow_reader(65_536):
            for line in batch.column("line").to_pylist():
                stream.write(line.encode())


def _csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    def make(aside: Path) -> None:
        with aside.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)

    produce_file(path, make)


_ENTRIES: Final = f"""
SELECT batch_id || chr(9) || {CANONICAL_LINE} AS line FROM ledger_entries
ORDER BY transaction_date, entry_id, line
"""  # noqa: S608 - constants of this package only

_PLAN_LINES: Final = f"""
SELECT seq || chr(9) || {CANONICAL_PLAN_LINE} AS line FROM plan_lines ORDER BY seq, stated_on, line_id
"""  # noqa: S608 - constants of this package only

_RATES: Final = """
SELECT snapshot_id, snapshot_date, currency, rate, publication_date
FROM fx_snapshots JOIN fx_rates USING (snapshot_id) ORDER BY ALL
"""

_HEADS: Final = "SELECT seq, hash FROM chain_heads ORDER BY seq"
"""In the order of the log."""
