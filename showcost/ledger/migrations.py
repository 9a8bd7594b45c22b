"""Migrations: a ledger of an earlier schema version becomes one of this version, whole or not at all.

The new file is made beside the old one from this program's own tables and filled with its rows. Both are
compared: the rows of every table, and the digest of every batch. The old file is kept as
`ledger.duckdb.version-N`, and each step from one version to the next is recorded in the audit log before the
new file takes its place.
Killed anywhere, the ledger is the old one or the new one, and the next access migrates again.

Nothing that was posted changes. A later column is null in rows from before it, or has the default that
`schema` gives it, so that these rows keep their recorded digests.
"""
# ruff: noqa: S608 - names of tables of this package only

from __future__ import annotations

import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.durable import TEMPORARY_SUFFIX, fsync_folder, produce_file, produce_temporary, rename
from showcost.core.engine import config
from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import sha256_file
from showcost.ledger import schema
from showcost.ledger.digest import batch_hashes

if TYPE_CHECKING:
    from showcost.audit.log import AuditLog

_SCHEMAS: Final = Path(__file__).parent / "schemas"
"""The tables and triggers of each earlier version, by name, as that version made them."""

STEPS: Final = {
    5: "fallback steps recorded, each by a record of its own",
    6: "accruals and fallback steps announced by their audit record",
    7: "document ids, purchase order, tax code, service and due dates, jurisdiction, loan-out, earning type;"
    " plan lines",
    8: "repinned FX snapshots",
}
"""The schema versions that can be migrated, with the additions of the version after each."""


def migrate(path: Path, audit: AuditLog, version: int) -> None:
    """Replace the ledger file at `path`, of an earlier `version`, by one of this program's version.

    The caller holds the ledger's lock. Raises IntegrityError when the old file is not as its version made it,
    or the copy differs from it, InputError when its folder cannot be written to; then nothing was changed.
    """
    if not os.access(path.parent, os.W_OK):
        raise InputError(
            f"{path}: its schema version {version} must be migrated to {schema.VERSION}, but its folder"
            " cannot be written to; copy the data folder to a place that can"
        )
    for debris in path.parent.glob(f"{path.name}.*{TEMPORARY_SUFFIX}*"):
        debris.unlink()
    try:
        with duckdb.connect(path, config=config()) as old:
            _refuse_altered(old, path, version)
            old.execute("CHECKPOINT")
        aside = produce_temporary(path, lambda target: _copy(path, target))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise IntegrityError(f"{path}: it cannot be migrated ({reason}); nothing was migrated") from error
    kept, sha256 = _keep(path, path.with_name(f"{path.name}.version-{version}"))
    for number in range(version, schema.VERSION):
        audit.append(
            AuditKind.SCHEMA_MIGRATED,
            {
                "from": number,
                "to": number + 1,
                "additions": STEPS[number],
                "kept": kept.name,
                "sha256": sha256,
            },
            subjects=[states.ledger_schema()],
        )
    rename(aside, path)
    fsync_folder(path.parent)


def _refuse_altered(connection: duckdb.DuckDBPyConnection, path: Path, version: int) -> None:
    """Raise IntegrityError unless tables and triggers are as the version made them."""
    expected = json.loads(_SCHEMAS.joinpath(f"version-{version}.json").read_text(encoding="utf-8"))
    problems = schema.differences_from(connection, expected)
    if connection.execute("SELECT count(*) FROM schema_version").fetchall() != [(1,)]:
        problems.append("the table schema_version has not one row")
    if problems:
        raise IntegrityError(f"{path}: {problems[0]}; nothing was migrated; restore the ledger from a copy")


def _keep(path: Path, name: Path) -> tuple[Path, str]:
    """Return the copy of a file under a name, or that name and a number, and its sha256.

    A copy with the same bytes, from a migration that was cut off, is kept as it is; no other is overwritten.
    """
    sha256 = sha256_file(path)
    taken, kept = 1, name
    while kept.exists():
        if sha256_file(kept) == sha256:
            return kept, sha256
        taken += 1
        kept = name.with_name(f"{name.name}-{taken}")
    produce_file(kept, lambda target: shutil.copyfile(path, target))
    return kept, sha256


def _copy(source: Path, target: Path) -> None:
    """Make a ledger of this version with the rows of another, and compare the two."""
    with duckdb.connect(target, config=config()) as connection:
        schema.create(connection)
        connection.execute(f"ATTACH '{_quoted(source)}' AS old (READ_ONLY)")
        tables = connection.execute(_TABLES).fetchall()
        for (table,) in tables:
            connection.execute(f"INSERT INTO {table} BY NAME FROM old.{table}")
        for (table,) in tables:
            _compare_rows(connection, table, source)
        _compare_batches(connection, source)
        connection.execute("DETACH old")
        connection.execute("CHECKPOINT")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _compare_rows(connection: duckdb.DuckDBPyConnection, table: str, source: Path) -> None:
    """Raise unless a table has the rows of the old one, in all columns that the old one has."""
    names = [name for (name,) in connection.execute(_COLUMNS, {"table": table}).fetchall()]
    columns = ", ".join(f'"{name}"' for name in names)
    different = connection.execute(
        f"WITH before AS (SELECT {columns} FROM old.{table}), after AS (SELECT {columns} FROM main.{table})"
        " SELECT count(*) FROM ("
        "(FROM before EXCEPT ALL FROM after) UNION ALL (FROM after EXCEPT ALL FROM before))"
    ).fetchall()[0][0]
    if different:
        raise IntegrityError(
            f"{source}: {different} rows of {table} would change by the migration; nothing was migrated"
        )


def _compare_batches(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    """Raise unless the entries of every batch hash to the digest that was recorded with it."""
    recorded = {
        (day, batch_id): (entries, digest)
        for day, batch_id, entries, digest in connection.execute(
            "SELECT partition_date, batch_id, entry_count, digest FROM batches"
        ).fetchall()
    }
    hashes = batch_hashes(connection, date.min, date.max)
    for day, batch_id in sorted(recorded.keys() | hashes.keys()):
        if recorded.get((day, batch_id)) != hashes.get((day, batch_id)):
            raise IntegrityError(
                f"{source}: the entries of batch {batch_id} of {day} do not hash to its digest; nothing was"
                " migrated; run the version of showcost that wrote the ledger with `showcost verify`"
            )


_TABLES: Final = """
SELECT table_name FROM duckdb_tables()
WHERE database_name <> 'old' AND NOT temporary AND table_name <> 'schema_version'
    AND table_name IN (
        SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' AND schema_name = 'main')
ORDER BY ALL
"""

_COLUMNS: Final = """
SELECT column_name FROM duckdb_columns()
WHERE database_name = 'old' AND schema_name = 'main' AND table_name = $table
ORDER BY column_index
"""
