"""Files in a zip archive: which of them are deliveries, within limits on what they expand to.

What a Mac or Windows adds for itself is left out. An archive within an archive is refused.
"""

from __future__ import annotations

import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from showcost.readers.model import FILE_UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.readers.model import Limits

_MAGIC: Final = b"PK\x03\x04"
_MOST_FILES: Final = 1_000
_LONGEST_NAME: Final = 200
_IS_ENCRYPTED: Final = 0x1
_OF_SYSTEMS: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_ARCHIVES: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")
_WORKBOOKS: Final = (".xlsx", ".xlsm", ".xltx", ".ods")


class UnreadableError(Exception):
    """The delivery cannot be read in the expected format; its text is the reason, `code` its reason code."""

    code: str = FILE_UNREADABLE


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name as a person sees it, and its size in bytes."""

    name: str
    size: int
    info: zipfile.ZipInfo


def is_archive(path: Path) -> bool:
    """Return whether a file is a zip archive, but not a workbook."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return False
    with opened(path) as archive:
        return not is_workbook(archive)


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Return whether an archive is a workbook in xlsx or ods."""
    return any(name.startswith("xl/workbook") or name == "content.xml" for name in archive.namelist())


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; raises UnreadableError if it is damaged, and for what of it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError),
        OSError,
    ) as error:
        raise UnreadableError("the zip archive is damaged or encrypted") from error


def members(archive: zipfile.ZipFile, compressed: int, limits: Limits) -> tuple[Member, ...]:
    """Return the files of an archive of some size in bytes, without those of operating systems.

    Raises UnreadableError if one of them is an archive or encrypted, two have one name, or the limits are
    exceeded.
    """
    infos = [info for info in archive.infolist() if not info.is_dir() and not _is_of_system(info.filename)]
    if len(infos) > _MOST_FILES:
        raise UnreadableError(f"the zip archive has {len(infos)} files, more than {_MOST_FILES}")
    allowed = min(
        limits.payload_bytes, max(limits.expansion_floor_bytes, compressed * limits.expansion_ratio)
    )
    if sum(info.file_size for info in infos) > allowed:
        raise UnreadableError(f"the zip archive expands beyond the limit of {allowed} bytes")
    found = tuple(Member(_shown(info.filename), info.file_size, info) for info in infos)
    if len({member.name for member in found}) < len(found):
        raise UnreadableError("the zip archive has two files of one name")
    for member in found:
        if member.info.flag_bits & _IS_ENCRYPTED:
            raise UnreadableError("the zip archive is encrypted")
        if len(found) > 1 and _is_nested(archive, member):
            raise UnreadableError("the zip archive has another archive in it")
    return found


def _is_of_system(name: str) -> bool:
    parts = PurePosixPath(name).parts
    last = parts[-1].lower() if parts else ""
    return "__MACOSX" in parts or last in _OF_SYSTEMS or last.startswith("._")


def _shown(name: str) -> str:
    """Return a name without control characters, its end if it is long: metadata, never a path."""
    return "".join(char if char.isprintable() else "?" for char in name)[-_LONGEST_NAME:]


def _is_nested(archive: zipfile.ZipFile, member: Member) -> bool:
    with archive.open(member.info) as file:
        head = file.read(8)
    if head.startswith(_MAGIC):
        return not member.name.lower().endswith(_WORKBOOKS)
    return head.startswith(_ARCHIVES)
