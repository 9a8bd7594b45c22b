"""Files in the inbox: one folder per feed, files matched by the feed's patterns.

Files stay in the inbox; the register identifies landed files by name, size and modification time. So the
inbox may be a read-only share.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.deliveries.register import Arrival

_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart")


@dataclass(frozen=True)
class InboxFile:
    """A file in the inbox at the time of listing: `size` in bytes, `modified_ns` since the epoch."""

    path: Path
    size: int
    modified_ns: int

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    def unchanged(self) -> bool:
        """Tell whether the file is unchanged since it was listed."""
        now = self.path.stat()
        return (now.st_size, now.st_mtime_ns) == (self.size, self.modified_ns)


def waiting(inbox: Path, feed: FeedSpec, taken: Iterable[Arrival]) -> list[InboxFile]:
    """Return the feed's files that have not been landed, by name.

    Links, hidden files and unfinished transfers (`.part`, `.tmp`, …) are skipped.
    """
    landed = {(arrival.name, arrival.size, arrival.modified_ns) for arrival in taken}
    files = [file for file in _files(inbox / feed.inbox_folder) if _matches(file, feed.patterns)]
    return [file for file in files if (file.name, file.size, file.modified_ns) not in landed]


def unclaimed(inbox: Path, feeds: Sequence[FeedSpec]) -> list[str]:
    """Return the files that match no feed, as `folder/name`, so that they can be reported."""
    if not inbox.is_dir():
        return []
    patterns: dict[str, tuple[str, ...]] = {}
    for feed in feeds:
        patterns[feed.inbox_folder] = patterns.get(feed.inbox_folder, ()) + feed.patterns
    left: list[str] = []
    for entry in sorted(inbox.iterdir()):
        if entry.is_dir():
            allowed = patterns.get(entry.name, ())
            left += [f"{entry.name}/{file.name}" for file in _files(entry) if not _matches(file, allowed)]
        elif not entry.name.startswith("."):
            left.append(entry.name)
    return left


def _files(folder: Path) -> list[InboxFile]:
    if not folder.is_dir():
        return []
    files: list[InboxFile] = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file() or path.name.startswith("."):
            continue
        if path.name.lower().endswith(_UNFINISHED):
            continue
        status = path.stat()
        files.append(InboxFile(path, status.st_size, status.st_mtime_ns))
    return files


def _matches(file: InboxFile, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(file.name.lower(), pattern.lower()) for pattern in patterns)
