"""Opening a statement: the bytes decide the format, unless the user states it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from showcost.core.errors import InputError
from showcost.readers.model import Limits
from showcost.readers.source import UnreadableError, decompress, kind_of
from showcost.readers.statements.camt053 import read_camt053
from showcost.readers.statements.model import AccountStatement, StatementFormat, TableHints
from showcost.readers.statements.mt940 import looks_like_mt940, read_mt940
from showcost.readers.statements.table import read_table_statements

_HEAD: Final = 4096
_LIMITS: Final = Limits()
NO_TABLE_HINTS: Final = TableHints()
"""No hints: a table that does not tell its currency or order of dates has lines that cannot be read."""
_COMPRESSED: Final = frozenset({"gzip", "zip", "zstd"})


def read_statements(
    path: Path, format_: StatementFormat = StatementFormat.AUTO, hints: TableHints = NO_TABLE_HINTS
) -> tuple[StatementFormat, tuple[AccountStatement, ...]]:
    """Return the format and the statements of a file; the hints are for a table.

    Raises InputError, which names the file, for one that cannot be read as a statement.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="statement-") as folder:
            plain = _plain(path, Path(folder))
            found = _detected(plain) if format_ is StatementFormat.AUTO else format_
            if found is StatementFormat.CSV:
                return found, read_table_statements(plain, path.name, hints)
            if found is StatementFormat.MT940:
                return found, read_mt940(_bounded(plain))
            return found, read_camt053(_bounded(plain))
    except UnreadableError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _plain(path: Path, folder: Path) -> Path:
    """Return the path of the file without its compression."""
    kind = kind_of(path)
    return decompress(path, kind, folder, _LIMITS) if kind in _COMPRESSED else path


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > _LIMITS.xml_bytes:
        raise UnreadableError(f"the file is larger than {_LIMITS.xml_bytes} bytes")
    return path.read_bytes()


def _detected(path: Path) -> StatementFormat:
    if kind_of(path) != "text":
        return StatementFormat.CSV
    with path.open("rb") as file:
        head = file.read(_HEAD).replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if looks_like_mt940(head):
        return StatementFormat.MT940
    return StatementFormat.CAMT053 if head.startswith(b"<") else StatementFormat.CSV
