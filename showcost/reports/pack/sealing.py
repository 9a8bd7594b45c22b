"""Write a pack: every file of a report into a folder that appears complete, by one rename.

    index.html       the book: the report for a browser, with book/ beside it
    cover.pdf        the headline figures
    report.xlsx      every table as a sheet
    csv/, parquet/   every table, exact, with a dictionary of the columns
    manifest.json    totals, policies, and sha256 and size of every file

The same ledger, tables and settings give the same bytes. The seal, which is the sha256 of the manifest, is in
the audit log before the rename, so that `showcost verify` names a published pack that is missing or replaced.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.durable import fsync_folder, make_folder, rename, temporary_path, write_durably
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes
from showcost.core.locking import exclusive_lock
from showcost.core.once import is_filled
from showcost.reports.book.collecting import collect
from showcost.reports.book.writing import book_of_facts
from showcost.reports.pack.folders import PUBLISHED, is_published, pack_folder, pack_name, remove_debris
from showcost.reports.pack.manifest import CSV_FOLDER, MANIFEST, manifest_of
from showcost.reports.personal_text import masked_columns
from showcost.reports.writers.cover import write_cover
from showcost.reports.writers.flat import TableFormat, write_report_tables
from showcost.reports.writers.workbook import write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from showcost.audit.log import Fact
    from showcost.reports.scope import ReportScope
    from showcost.reports.tables import HeadlineFigure, ReportTable
    from showcost.workspace import Workspace

_WAIT_SECONDS: Final = 600
"""Maximum wait for another process that writes a pack."""


@dataclass(frozen=True)
class SealedPack:
    """A written pack: `sha256` is that of its manifest, which seals every file.

    `is_new` is false if the folder had the same pack already.
    """

    folder: Path
    scope: ReportScope
    sha256: str
    is_new: bool


def write_pack(
    workspace: Workspace,
    scope: ReportScope,
    tables: Sequence[ReportTable],
    folder: Path | None = None,
    headline: Sequence[HeadlineFigure] = (),
) -> SealedPack:
    """Write the pack of a report into a new or empty folder, or below `published/` of the data folder.

    The tables are those of the scope; national identifiers in their texts are masked. A folder with the same
    pack stays as it is; its seal is recorded once. Raises InputError for a folder with other files, or two
    tables of one name, StoreBusyError if another process is writing a pack for too long.
    """
    _require_names(tables)
    tables = [replace(table, rows=masked_columns(table.rows)) for table in tables]
    target = folder or pack_folder(workspace, scope)
    if is_filled(target) and not target.joinpath(MANIFEST).is_file():
        raise InputError(f"{target} is not empty; name a new folder for the report")
    lock = workspace.path.joinpath("locks", "reports.lock")
    busy = f"another process has been writing a report for more than {_WAIT_SECONDS:g} s; try again"
    with exclusive_lock(lock, busy, wait_seconds=_WAIT_SECONDS), _aside(workspace, target) as aside:
        _write_files(workspace, aside, tables, scope, headline)
        manifest = manifest_of(workspace, scope, tables, headline, aside)
        write_durably(aside.joinpath(MANIFEST), manifest)
        is_new = not is_filled(target)
        if not is_new and target.joinpath(MANIFEST).read_bytes() != manifest:
            raise InputError(f"{target} has another report; name a new folder")
        seal = sha256_bytes(manifest)
        _record_seal(workspace, scope, target, seal)
        if is_new:
            rename(aside, target)
            fsync_folder(target.parent)
    return SealedPack(target, scope, seal, is_new)


def _record_seal(workspace: Workspace, scope: ReportScope, target: Path, seal: str) -> None:
    """Record the seal of a pack, unless the last record of its folder has it.

    The folder of a pack elsewhere is nobody's business: it may name a person, and its absence proves nothing.
    """
    is_own = is_published(workspace, target)
    facts: dict[str, Fact] = {
        "folder": f"{PUBLISHED}/{target.name}" if is_own else None,
        "manifest": seal,
        "from": str(scope.first),
        "to": str(scope.last),
        "currency": scope.currency,
        "as_of": scope.as_of,
    }
    recorded = [
        record.facts
        for record in workspace.audit.records(scope.as_of + 1)
        if record.kind is AuditKind.SNAPSHOT_PUBLISHED and record.facts["folder"] == facts["folder"]
    ]
    if facts not in (recorded[-1:] if is_own else recorded):
        name = target.name if is_own else pack_name(scope)
        workspace.audit.append(AuditKind.SNAPSHOT_PUBLISHED, facts, subjects=[states.publication(name)])


def _require_names(tables: Sequence[ReportTable]) -> None:
    names = [table.name for table in tables]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"a report has two tables named {twice[0]}")


@contextmanager
def _aside(workspace: Workspace, target: Path) -> Iterator[Path]:
    """Make a folder beside the target for the block; it is removed unless it was renamed."""
    aside = temporary_path(target)
    try:
        remove_debris(workspace, target)
        make_folder(target.parent)
        make_folder(aside)
    except OSError as error:
        raise InputError(f"{target}: the folder cannot be made ({error.strerror})") from None
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_files(
    workspace: Workspace,
    folder: Path,
    tables: Sequence[ReportTable],
    scope: ReportScope,
    headline: Sequence[HeadlineFigure],
) -> None:
    """Write all files but the manifest.

    The flat files are written beside the book, since each alone leaves processors idle; not while the book's
    facts are collected, which takes the most memory.
    """
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(max_workers=1) as beside:
        facts = collect(workspace, scope, Path(scratch))
        flat = beside.submit(_write_flat_files, folder, tables)
        book_of_facts(workspace, tables, folder, headline, scope, facts)
        write_workbook(folder.joinpath("report.xlsx"), tables, scope, headline=headline)
        write_cover(folder.joinpath("cover.pdf"), scope, headline, tables)
        flat.result()


def _write_flat_files(folder: Path, tables: Sequence[ReportTable]) -> None:
    for name, format_ in ((CSV_FOLDER, TableFormat.CSV), ("parquet", TableFormat.PARQUET)):
        make_folder(folder.joinpath(name))
        write_report_tables(tables, folder.joinpath(name), format_)
