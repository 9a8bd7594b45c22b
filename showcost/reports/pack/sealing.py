"""Write a pack: every file of a report into a folder that appears complete, by one rename.

    index.html       the book: the report for a browser, with book/ beside it
    cover.pdf        the headline figures
    report.xlsx      every table as a sheet
    csv/, parquet/   every table, exact, with a dictionary of the columns
    manifest.json    totals, policies, and sha256 and size of every file

The same ledger, tables and settings give the same bytes.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from showcost.core.durable import fsync_folder, make_folder, rename, temporary_path, write_durably
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes
from showcost.reports.book.writing import book_of_scope
from showcost.reports.pack.manifest import CSV_FOLDER, MANIFEST, manifest_of
from showcost.reports.personal_text import masked_columns
from showcost.reports.scope import scope_of
from showcost.reports.writers.cover import write_cover
from showcost.reports.writers.flat import TableFormat, write_report_tables
from showcost.reports.writers.workbook import write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from showcost.reports.scope import ReportScope
    from showcost.reports.tables import HeadlineFigure, ReportTable
    from showcost.workspace import Workspace

_PUBLISHED: Final = "published"
_REPORTS: Final = "reports"


@dataclass(frozen=True)
class SealedPack:
    """A written pack: `sha256` is that of its manifest, which seals every file.

    `is_new` is false if the folder had the same pack already.
    """

    folder: Path
    scope: ReportScope
    sha256: str
    is_new: bool


def pack_folder(workspace: Workspace, scope: ReportScope) -> Path:
    """Return the folder of a pack that is published in the data folder."""
    name = f"{scope.first}_{scope.last}_record-{scope.as_of}"
    return workspace.path.joinpath(_PUBLISHED, _REPORTS, name)


def published_packs(workspace: Workspace) -> list[Path]:
    """Return the folders of the packs that are published in the data folder, in order of name."""
    return sorted(path for path in workspace.path.joinpath(_PUBLISHED, _REPORTS).glob("*") if path.is_dir())


def write_pack(
    workspace: Workspace,
    tables: Sequence[ReportTable],
    folder: Path | None = None,
    *,
    first: date,
    last: date,
    as_of: int | None = None,
    headline: Sequence[HeadlineFigure] = (),
) -> SealedPack:
    """Write the pack of a report into a new or empty folder, or below `published/` of the data folder.

    As known after the audit record `as_of`, or the last one; national identifiers in texts are masked. A
    folder with the same pack stays as it is.
    Raises InputError for a folder with other files, or two tables of one name.
    """
    _require_names(tables)
    tables = [replace(table, rows=masked_columns(table.rows)) for table in tables]
    scope = scope_of(workspace, first, last, as_of)
    target = folder or pack_folder(workspace, scope)
    if _is_filled(target) and not target.joinpath(MANIFEST).is_file():
        raise InputError(f"{target} is not empty; name a new folder for the report")
    with _aside(target) as aside:
        _write_files(workspace, aside, tables, scope, headline)
        manifest = manifest_of(workspace, scope, tables, headline, aside)
        write_durably(aside.joinpath(MANIFEST), manifest)
        is_new = not _is_filled(target)
        if is_new:
            rename(aside, target)
            fsync_folder(target.parent)
        elif target.joinpath(MANIFEST).read_bytes() != manifest:
            raise InputError(f"{target} has another report; name a new folder")
    return SealedPack(target, scope, sha256_bytes(manifest), is_new)


def _require_names(tables: Sequence[ReportTable]) -> None:
    names = [table.name for table in tables]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"a report has two tables named {twice[0]}")


def _is_filled(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Make a folder beside the target for the block; it is removed unless it was renamed."""
    aside = temporary_path(target)
    try:
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
    """Write all files but the manifest."""
    for name, format_ in ((CSV_FOLDER, TableFormat.CSV), ("parquet", TableFormat.PARQUET)):
        make_folder(folder.joinpath(name))
        write_report_tables(tables, folder.joinpath(name), format_)
    write_workbook(folder.joinpath("report.xlsx"), tables, scope, headline=headline)
    write_cover(folder.joinpath("cover.pdf"), scope, headline, tables)
    book_of_scope(workspace, tables, folder, headline, scope)
