"""Opening a statement: the bytes decide the format, unless the user states it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.core.errors import InputError
from showcost.readers.model import Limits
from showcost.readers.source import UnreadableError, kind_of
from showcost.readers.statements.camt053 import read_camt053
from showcost.readers.statements.model import AccountStatement, StatementFormat
from showcost.readers.statements.table import read_table_statement

if TYPE_CHECKING:
    from pathlib import Path

_HEAD: Final = 4096
_LIMITS: Final = Limits()


def read_statements(
    path: Path, format_: StatementFormat = StatementFormat.AUTO, currency: str | None = None
) -> tuple[StatementFormat, tuple[AccountStatement, ...]]:
    """Return the format and the statements of a file; `currency` is for a table that does not name one.

    Raises InputError, which names the file, for one that cannot be read as a statement.
    """
    try:
        found = _detected(path) if format_ is StatementFormat.AUTO else format_
        if found is StatementFormat.CSV:
            return found, (read_table_statement(path, currency),)
        return found, read_camt053(_bounded(path))
    except UnreadableError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > _LIMITS.xml_bytes:
        raise UnreadableError(f"the file is larger than {_LIMITS.xml_bytes} bytes")
    return path.read_bytes()


def _detected(path: Path) -> StatementFormat:
    if kind_of(path) != "text":
        return StatementFormat.CSV
    with path.open("rb") as file:
        head = file.read(_HEAD).replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return StatementFormat.CAMT053 if head.startswith(b"<") else StatementFormat.CSV
