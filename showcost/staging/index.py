"""The index of an asset: which rows of which file each of its partitions is.

    staging/<asset>/index.jsonl

One line per switched partition; the last line of a partition counts. A switch of many partitions is one
append and one fsync. Each line has a check, because its `inputs` decide whether the partition is due: a
flipped bit is refused. A crash may leave part of a line at the end: readers skip it, and the next writer cuts
it off. A file with many outdated lines is written anew.

Earlier versions wrote a pointer and a data file per partition (`<partition>.json`). Pointers count until the
partition has a line; the first switch takes them all into the index.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from showcost.core.durable import append_at, unlink, write_durably
from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import sha256_bytes
from showcost.staging.parts import Inputs, check_partition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

NAME: Final = "index.jsonl"

_CHECK: Final = "check"
_CHECK_DIGITS: Final = 16
_MEMBERS: Final = frozenset({"partition", "file", "first", "rows", "of", "sha256", "inputs"})
_NAME_DIGITS: Final = 12
_OUTDATED_LINES: Final = 2_000
_OUTDATED_SHARE: Final = 4


@dataclass(frozen=True)
class StagedPartition:
    """Description of a stored partition: a line of the index, in memory.

    Its rows are the rows `first` to `first + rows` of `file`, which has `of` rows and the bytes of `sha256`.
    A partition without a file (`file` is None) is a note of its inputs and its number of rows, and `sha256`
    the hash of that note.
    """

    asset: str
    partition: str
    file: str | None
    sha256: str
    rows: int
    inputs: Inputs
    first: int = 0
    of: int = 0

    @property
    def is_whole(self) -> bool:
        """True if it has every row of its file."""
        return self.rows == self.of


def data_name(sha256: str) -> str:
    """Return the name of the data file with these bytes."""
    return f"{sha256[:_NAME_DIGITS]}.parquet"


class Index:
    """The index of one asset; it reads on when another process has appended to the file.

    Threads may share an instance.
    """

    def __init__(self, folder: Path, asset: str) -> None:
        self.path = folder / NAME
        self._folder = folder
        self._asset = asset
        self._guard = RLock()
        self._seen: tuple[int, int] = (0, 0)
        self._last = b""
        self._lines = 0
        self._current: dict[str, StagedPartition] = {}

    def current(self) -> dict[str, StagedPartition]:
        """Return the current partitions by name; IntegrityError for a line that cannot be read."""
        with self._guard:
            self._read_on()
            return self._current

    def _read_on(self) -> None:
        try:
            seen = self.path.stat()
            # Asked for each partition: most of the time nothing was added.
            if (seen.st_ino, seen.st_size) == self._seen:
                return
            with self.path.open("rb") as stream:
                inode, size = os.fstat(stream.fileno()).st_ino, os.fstat(stream.fileno()).st_size
                if inode != self._seen[0] or size < self._seen[1] or not self._continues(stream):
                    self._start_again(inode)
                if size > self._seen[1]:
                    stream.seek(self._seen[1])
                    self._take(inode, stream.read(size - self._seen[1]))
        except FileNotFoundError:
            self._start_again(0)

    def _continues(self, stream: BinaryIO) -> bool:
        """Tell whether the last line that was read is still where it was: a new file may have its inode."""
        stream.seek(self._seen[1] - len(self._last))
        return stream.read(len(self._last)) == self._last

    def _start_again(self, inode: int) -> None:
        self._seen, self._last, self._lines, self._current = (inode, 0), b"", 0, self._pointed()

    def switch(self, staged: Sequence[StagedPartition]) -> None:
        """Make these partitions current, durably and at once; the caller keeps other writers out.

        Partitions that are as the index has them are not written again.
        """
        current = self.current()
        new = [item for item in staged if current.get(item.partition) != item]
        if not new:
            return
        pointers = list(self._pointers())
        if pointers:
            switched = {item.partition for item in new}
            new = [*(item for name, item in self._pointed().items() if name not in switched), *new]
        after = current | {item.partition: item for item in new}
        outdated = self._lines + len(new) - len(after)
        if outdated > _OUTDATED_LINES and outdated > _OUTDATED_SHARE * len(after):
            write_durably(self.path, _lines(after[name] for name in sorted(after)))
        else:
            append_at(self.path, self._seen[1], _lines(new))
        for pointer in pointers:
            unlink(pointer)
        self.current()

    def _pointers(self) -> Iterable[Path]:
        return sorted(self._folder.glob("*.json"))

    def _pointed(self) -> dict[str, StagedPartition]:
        """Return the partitions that pointers of earlier versions name."""
        pointed = {}
        for pointer in self._pointers():
            try:
                record = json.loads(pointer.read_bytes())
                pointed[pointer.stem] = self._staged(record | {"partition": pointer.stem})
            except (ValueError, KeyError, TypeError, InputError) as error:
                raise IntegrityError(
                    f"{pointer}: this pointer cannot be read; materialise the partition again"
                ) from error
        return pointed

    def _take(self, inode: int, data: bytes) -> None:
        whole = data[: data.rfind(b"\n") + 1]
        current = dict(self._current)
        for number, line in enumerate(whole.splitlines(), start=self._lines + 1):
            item = self._parse(number, line)
            current[item.partition] = item
        self._current = current
        self._lines += whole.count(b"\n")
        self._last = whole[whole.rfind(b"\n", 0, -1) + 1 :] or self._last
        self._seen = inode, self._seen[1] + len(whole)

    def _parse(self, number: int, line: bytes) -> StagedPartition:
        try:
            return self._staged(_checked(line))
        except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
            raise self._damaged(number) from error

    def _staged(self, record: dict[str, Any]) -> StagedPartition:
        """Return the partition that a record describes; ValueError if its file cannot have its rows."""
        rows = record["rows"]
        staged = StagedPartition(
            asset=self._asset,
            partition=check_partition(record["partition"]),
            file=record["file"],
            sha256=record["sha256"],
            rows=rows,
            inputs=record["inputs"],
            first=record.get("first", 0),
            of=record.get("of", rows),
        )
        name = data_name(staged.sha256)
        if staged.file not in (None, name, f"{staged.partition}.{name}"):
            raise ValueError(staged.file)
        if staged.file is not None and not 0 <= staged.first <= staged.first + staged.rows <= staged.of:
            raise ValueError(staged.first)
        return staged

    def _damaged(self, number: int) -> IntegrityError:
        return IntegrityError(
            f"{self.path}, line {number}: it does not describe a partition; delete the folder"
            f" {self._folder} and materialise {self._asset} again"
        )


def _lines(staged: Iterable[StagedPartition]) -> bytes:
    return b"".join(_line(item) + b"\n" for item in staged)


def _line(item: StagedPartition) -> bytes:
    record = {
        "partition": item.partition,
        "file": item.file,
        "first": item.first,
        "rows": item.rows,
        "of": item.of,
        "sha256": item.sha256,
        "inputs": item.inputs,
    }
    return _encoded(record | {_CHECK: _check(record)})


def _encoded(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, sort_keys=True).encode()


def _checked(line: bytes) -> dict[str, Any]:
    """Return the record of a line, without its check; ValueError if it was changed.

    The check comes first, because the keys are sorted, and it is of the bytes that follow. Earlier versions
    wrote no check, and the fingerprint of the columns, which nothing reads.
    """
    record: dict[str, Any] = json.loads(line)
    check = record.pop(_CHECK, None)
    if check is None:
        record.pop("schema", None)
    else:
        before = b'{"check": "%s", ' % check.encode()
        if not line.startswith(before) or check != _check_of(b"{" + line.removeprefix(before)):
            raise ValueError(check)
    if not record.keys() <= _MEMBERS:
        raise ValueError(record.keys())
    return record


def _check(record: Mapping[str, Any]) -> str:
    """Return the check of a line: the beginning of the sha256 of its other members."""
    return _check_of(_encoded(record))


def _check_of(encoded: bytes) -> str:
    return sha256_bytes(encoded)[:_CHECK_DIGITS]
