"""Small books to tamper with, and what verification says of them."""

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
    """Make a data folder with a posted ledger; without a checkpoint all of it is in the WAL."""
    home = make_home(folder)
    opening = Ledger._open

    def open_and_keep_the_log(self: Ledger, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        connection = opening(self, read_only=read_only)
        if not read_only:
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            connection.execute("SET checkpoint_threshold = '1 TB'")
        return connection

    if checkpoint:
        carry_out(home, lambda _: None)
    else:
        with patch.object(Ledger, "_open", open_and_keep_the_log):
            carry_out(home, lambda _: None)
    return home


def first_difference(home: Workspace, head: str | None = None) -> str | None:
    """Return what verification finds first, if anything."""
    first = verification.first_difference(home, head)
    return None if first is None else str(first)


def make_pack(home: Workspace, folder: Path) -> Path:
    """Write what an outside verifier is given."""
    write_pack(home.ledger, home.production.code, home.production.base_currency, folder)
    return folder


def first_difference_of_pack(pack: Path) -> str | None:
    """Return what the outside verifier says of a pack, unless all is as recorded."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status: int = runpy.run_path(str(VERIFIER))["main"]([str(pack)])
    return said.getvalue().strip() if status else None


def copied(home: Workspace, folder: Path) -> Workspace:
    """Return a copy of a data folder, to be spoiled."""
    shutil.copytree(home.path, folder)
    return type(home)(folder)
