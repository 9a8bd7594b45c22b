"""A small data folder to tamper with, and the first difference that verification finds in it."""

from __future__ import annotations

import io
import runpy
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from showcost.checks import verify as verification
from showcost.ledger.audit_pack import write_pack
from showcost.ledger.store import Ledger
from showcost_tests.crash.scenario import carry_out, make_home

if TYPE_CHECKING:
    import duckdb

    from showcost.workspace import Workspace

VERIFIER = Path(__file__).resolve().parents[2] / "tools" / "verify_pack.py"


def make_books(folder: Path, *, checkpoint: bool = True) -> Workspace:
    """Make a data folder with a posted ledger; without a checkpoint all entries are in the WAL."""
    workspace = make_home(folder)
    open_ledger = Ledger._open

    def open_and_keep_the_log(self: Ledger, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        connection = open_ledger(self, read_only=read_only)
        if not read_only:
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            connection.execute("SET checkpoint_threshold = '1 TB'")
        return connection

    if checkpoint:
        carry_out(workspace, lambda _: None)
    else:
        with patch.object(Ledger, "_open", open_and_keep_the_log):
            carry_out(workspace, lambda _: None)
    return workspace


def first_difference(
    workspace: Workspace, head: str | None = None, *, files_first: bool = False
) -> str | None:
    """Return the first difference that verification finds, if any."""
    first = verification.first_difference(workspace, head, files_first=files_first)
    return None if first is None else str(first)


def make_pack(workspace: Workspace, folder: Path) -> Path:
    """Write the audit pack for an outside verifier."""
    write_pack(workspace.ledger, workspace.production.code, workspace.production.base_currency, folder)
    return folder


def first_difference_of_pack(pack: Path) -> str | None:
    """Return the output of the outside verifier for a pack, or None if it succeeds."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        status: int = runpy.run_path(str(VERIFIER))["main"]([str(pack)])
    return output.getvalue().strip() if status else None


def copied(workspace: Workspace, folder: Path) -> Workspace:
    """Return a copy of a data folder, to tamper with."""
    shutil.copytree(workspace.path, folder)
    return type(workspace)(folder)
