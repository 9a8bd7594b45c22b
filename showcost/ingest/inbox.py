"""Files in the inbox: one folder per feed, files matched by the feed's patterns.

Files stay in the inbox; the register identifies landed files by name, size and modification time, and their
bytes if the file was exchanged since. So the inbox may be a read-only share. A file is taken once nothing has
written to it for a while, or once its sender has put `NAME.done` beside it.
"""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from showcost.core.durable import make_folder, replace_file
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_file
from showcost.core.personal_numbers import masked_name
from showcost.core.visible_text import visible_line
from showcost.ingest.masking import shown_name
from showcost.readers.archives import Member, UnreadableError, is_archive, members, opened
from showcost.readers.model import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.deliveries.register import Arrival

QUIET_VARIABLE: Final = "SHOWCOST_QUIET_SECONDS"
"""Environment variable that replaces the `quiet_seconds` of all feeds."""
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart")
_DONE: Final = ".done"
_NANO: Final = 10**9


@dataclass(frozen=True)
class InboxFile:
    """A file in the inbox at the time of listing.

    `size` is in bytes; `modified_ns` and `changed_ns` since the epoch, the second of the bytes or their
    description (by the file system's clock); `inode` is its number.
    """

    path: Path
    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> InboxFile:
        """Return a file as it is now."""
        status = path.stat()
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name

    @property
    def identity(self) -> tuple[str, int, int]:
        """The name, size and modification time: the entry of a file in the register."""
        return self.name, self.size, self.modified_ns

    def identity_of(self, member: Member) -> tuple[str, int, int]:
        """Return the entry in the register of a file in this archive."""
        return f"{self.name}/{member.name}", member.size, self.modified_ns

    def unchanged(self) -> bool:
        """Tell whether the file is unchanged since it was listed."""
        try:
            return InboxFile.of(self.path) == self
        except FileNotFoundError:
            return False

    def seconds_left(self, feed: FeedSpec, now_ns: int) -> int | None:
        """Return how long the file must remain unchanged to be taken; None until its sender marks it."""
        marked_ns = _modified_ns(self.path.with_name(self.name + _DONE))
        if marked_ns is not None and marked_ns >= self.modified_ns:
            return 0
        if feed.done_marker:
            return None
        latest = max(self.changed_ns, min(self.modified_ns, now_ns))
        left_ns = quiet_seconds(feed) * _NANO - (now_ns - latest)
        return max(0, -(-left_ns // _NANO))


def _modified_ns(marker: Path) -> int | None:
    """Return when a marker was modified; None if there is none."""
    try:
        status = marker.stat()
    except OSError:
        # Beside a file with a long name there can be none: the marker's would be too long.
        return None
    return status.st_mtime_ns if stat.S_ISREG(status.st_mode) else None


class SeenFiles:
    """The landed files of the inbox as they were last seen, to notice that one was exchanged.

    It only saves time: a file that is not in it is compared by its bytes.
    """

    def __init__(self, path: Path) -> None:
        """Use a JSON file; it is missing before the first landing."""
        self._path = path
        self._seen: dict[str, list[int]] = {}
        self._changed = False
        if path.is_file():
            try:
                notes = json.loads(path.read_bytes())
                self._seen = notes if isinstance(notes, dict) else {}
            except ValueError:
                self._seen = {}

    def knows(self, feed: FeedSpec, file: InboxFile) -> bool:
        """Return whether the file is the one that was seen."""
        return self._seen.get(_key(feed, file)) == _marks(file)

    def note(self, feed: FeedSpec, file: InboxFile) -> None:
        """Note a landed file."""
        self._seen[_key(feed, file)] = _marks(file)
        self._changed = True

    def save(self) -> None:
        """Write the file if something was noted."""
        if self._changed:
            make_folder(self._path.parent)
            replace_file(self._path, json.dumps(self._seen, sort_keys=True).encode())


def _key(feed: FeedSpec, file: InboxFile) -> str:
    return f"{feed.name}/{file.name}"


def _marks(file: InboxFile) -> list[int]:
    return [file.size, file.modified_ns, file.changed_ns, file.inode]


def quiet_seconds(feed: FeedSpec) -> int:
    """Return how long a file of the feed must be unchanged before it is taken.

    Raises InputError if the environment variable is not a number.
    """
    stated = os.environ.get(QUIET_VARIABLE)
    if stated is None:
        return feed.quiet_seconds
    if not stated.isdecimal():
        raise InputError(f"{QUIET_VARIABLE} is {stated!r}: use whole seconds, such as 3")
    return int(stated)


def waiting(inbox: Path, feed: FeedSpec, taken: Iterable[Arrival], seen: SeenFiles) -> list[InboxFile]:
    """Return the feed's files that have not been landed, by name; a file that was exchanged is one.

    What `passed_over` names is skipped.
    """
    landed: dict[tuple[str, int, int], set[str]] = {}
    for arrival in taken:
        landed.setdefault((arrival.name, arrival.size, arrival.modified_ns), set()).add(arrival.delivery)
    files: list[InboxFile] = []
    for file in _files(inbox / feed.inbox_folder):
        if not _matches(file, feed.patterns):
            continue
        known = landed.get(file.identity)
        if known is None:
            if not (seen.knows(feed, file) and _has_landed(file, landed)):
                files.append(file)
        elif not seen.knows(feed, file):
            if sha256_file(file.path) in known:
                seen.note(feed, file)
            else:
                files.append(file)
    return files


def _has_landed(file: InboxFile, landed: Mapping[tuple[str, int, int], object]) -> bool:
    """Return whether a file is an archive of which each file has landed."""
    contained = archived(file.path)
    return bool(contained) and all(file.identity_of(member) in landed for member in contained)


def archived(path: Path) -> tuple[Member, ...]:
    """Return the files of a zip archive that has several; none for any other file, or one that is refused."""
    try:
        if not is_archive(path):
            return ()
        with opened(path) as archive:
            found = members(archive, path.stat().st_size, Limits())
    except UnreadableError:
        return ()
    return found if len(found) > 1 else ()


def settled(
    files: Sequence[InboxFile], feed: FeedSpec, before_waiting: Callable[[Sequence[str], int], None] | None
) -> tuple[list[InboxFile], list[str]]:
    """Return the files that nobody writes to any more, and the names of the others.

    `before_waiting` is called with the names of files that were just written and the seconds to wait for
    them; without it, they are left for the next time.
    """
    now = time.time_ns()
    left = {file: file.seconds_left(feed, now) for file in files}
    recent = [file for file, seconds in left.items() if seconds]
    if recent and before_waiting is not None:
        longest = max(seconds for seconds in left.values() if seconds)
        before_waiting([shown_name(feed, file.name) for file in recent], longest)
        time.sleep(longest)
        left |= {file: 0 for file in recent if file.unchanged()}
    ready = [file for file in files if left[file] == 0]
    return ready, [shown_name(feed, file.name) for file in files if left[file] != 0]


def unclaimed(inbox: Path, feeds: Sequence[FeedSpec]) -> list[str]:
    """Return the files that match no feed, as `folder/name`, so that they can be reported."""
    if not inbox.is_dir():
        return []
    patterns: dict[str, tuple[str, ...]] = {}
    for feed in feeds:
        patterns[feed.inbox_folder] = patterns.get(feed.inbox_folder, ()) + feed.patterns
    left: list[str] = []
    for entry in _entries(inbox):
        if entry.is_dir():
            allowed = patterns.get(entry.name, ())
            left += [f"{entry.name}/{file.name}" for file in _files(entry) if not _matches(file, allowed)]
        elif not entry.name.startswith("."):
            left.append(entry.name)
    return [masked_name(name, names_person=True) for name in left]


def passed_over(inbox: Path) -> list[str]:
    """Return what is in the inbox and cannot be taken, as `folder/name: the reason`, sorted."""
    refused: list[tuple[str, str]] = []
    for entry in _entries(inbox):
        if refusal := _folder_refusal(entry):
            refused.append((entry.name, refusal))
        elif entry.is_dir():
            within = ((f"{entry.name}/{path.name}", _refusal(path)) for path in _entries(entry))
            refused += [(name, reason) for name, reason in within if reason]
    return [
        f"{visible_line(masked_name(name, names_person=True))}: {reason}" for name, reason in sorted(refused)
    ]


def _files(folder: Path) -> list[InboxFile]:
    if _folder_refusal(folder) or not folder.is_dir():
        return []
    files: list[InboxFile] = []
    for path in _entries(folder):
        if _refusal(path) or path.name.lower().endswith(_DONE):
            continue
        try:
            files.append(InboxFile.of(path))
        except FileNotFoundError:
            # Its sender has moved it away since the folder was listed.
            continue
    return files


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, by name; nothing if it cannot be listed, which `passed_over` tells."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _folder_refusal(folder: Path) -> str | None:
    """Return the reason for which a folder of the inbox is passed over; None for any other, or a file."""
    if not folder.is_dir():
        return None
    if folder.is_symlink():
        return "a link to a folder, which is not followed; move the files here"
    return None if os.access(folder, os.R_OK | os.X_OK) else "the folder cannot be read (permission denied)"


def _refusal(path: Path) -> str | None:
    """Return why an entry of a feed's folder cannot be taken, or None."""
    name, is_there = path.name, path.exists()
    tests = (
        (path.is_symlink(), "a link, which is not followed; put the file itself here"),
        (path.is_dir(), "a folder within a feed's folder; only files beside it are taken"),
        (is_there and not path.is_file(), "neither a file nor a folder"),
        (name.startswith("."), "a hidden file"),
        (name.lower().endswith(_UNFINISHED), "an unfinished transfer; its sender renames it at the end"),
        (visible_line(name) != name, "its name has characters that cannot be shown; rename it"),
        (is_there and not os.access(path, os.R_OK), "it cannot be read (permission denied)"),
    )
    return next((reason for applies, reason in tests if applies), None)


def _matches(file: InboxFile, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(file.name.lower(), pattern.lower()) for pattern in patterns)
