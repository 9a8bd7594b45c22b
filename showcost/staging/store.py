"""The staging store: rows of an asset's partitions in shared Parquet files behind an index.

    staging/<asset>/<first 12 hex of sha256>.parquet
    staging/<asset>/index.jsonl

Partitions that are written together share files of a bounded size, so that a year of dates is a few files and
one fsync each. Readers use the rows that the index names and verify the sha256 of their file first: in most
places of a Parquet file a flipped bit silently reads back as another value.
"""

from __future__ import annotations

import io
import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from showcost.core.durable import (
    TEMPORARY_SUFFIX,
    fsync_folder,
    make_folder,
    produce_temporary,
    rename,
    replace_file,
    unlink,
)
from showcost.core.errors import InputError, IntegrityError
from showcost.core.file_ranges import FileRange
from showcost.core.hashing import sha256_bytes, sha256_file, sha256_framed
from showcost.core.locking import exclusive_lock
from showcost.staging.index import NAME, Index, StagedPartition, data_name
from showcost.staging.parquet import write_parquet
from showcost.staging.parts import Inputs, PartitionRows, check_asset, check_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

_COMPRESSION_LEVEL: Final = 1
_READ_ATTEMPTS: Final = 3
_KEPT_BYTES: Final = 1 << 26

FILE_ROWS: Final = 32_768
"""Rows up to which partitions share a file; a larger partition has one of its own."""

_T = TypeVar("_T")


class Attested(Protocol):
    """The sha256 of the files that the audit log names for a partition: its last record, and any record."""

    @property
    def latest(self) -> frozenset[str]:
        """The files of the last record."""

    @property
    def ever(self) -> frozenset[str]:
        """The files of all records."""


def _unattested(_asset: str) -> Mapping[str, Attested]:
    return {}


class NotStagedError(InputError):
    """A partition was never written, or its staging was removed: it can be made again."""


class StagingStore:
    """Parquet per asset and partition under `<home>/staging`, for a data folder `home`.

    A lock file admits one writer per asset at a time; others wait at most `wait_seconds`. Readers take no
    lock. `attested` returns what the audit log says about the partitions of an asset: a file that no record
    ever named for its partition is refused. A partition of which the log says nothing was written by an
    earlier version.
    """

    def __init__(
        self,
        home: Path,
        attested: Callable[[str], Mapping[str, Attested]] = _unattested,
        *,
        wait_seconds: float = 60.0,
    ) -> None:
        self._attested = attested
        self.root = home / "staging"
        self._locks = home / "locks"
        self._wait_seconds = wait_seconds
        self._indexes: dict[str, Index] = {}
        self._kept: tuple[Path, pa.Table] | None = None

    def write(
        self,
        asset: str,
        partition: str,
        table: pa.Table | pa.RecordBatchReader,
        inputs: Inputs | None = None,
    ) -> StagedPartition:
        """Replace the rows of one partition; storing the same rows again changes nothing.

        From a reader, one row group is in memory at a time.
        """
        return self.write_many(asset, [PartitionRows(partition, table, inputs or {})])[0]

    def write_many(self, asset: str, parts: Iterable[PartitionRows]) -> list[StagedPartition]:
        """Store many partitions of an asset; all are switched at once. See `write_together`."""
        return self.write_together({asset: parts})[asset]

    def write_together(
        self,
        parts: Mapping[str, Iterable[PartitionRows]],
        before_switch: Callable[[Mapping[str, Sequence[str]]], object] = lambda _: None,
    ) -> dict[str, list[StagedPartition]]:
        """Store many partitions of some assets, each asset switched at once, in the order given.

        The parts may be generators: the rows of a file are in memory at a time. All files are durable when
        `before_switch` is called with their sha256 by asset, sorted; no partition is switched if it raises.
        """
        with ExitStack() as locks:
            for asset in sorted(parts):
                make_folder(self.root / check_asset(asset))
                locks.enter_context(self._writing(asset))
            staged = {asset: self._write_files(asset, of_asset) for asset, of_asset in parts.items()}
            before_switch({asset: sorted({item.sha256 for item in items}) for asset, items in staged.items()})
            for asset, items in staged.items():
                self._index(asset).switch(items)
                self._sweep(asset)
        return staged

    def is_attested(self, asset: str, partition: str) -> bool:
        """Tell whether the rows of a partition are those of the last record of the audit log about it."""
        staged = self.metadata(asset, partition)
        return staged is not None and _is_latest(staged, self._attested(asset))

    def attested(self, asset: str) -> set[str]:
        """Return the partitions of an asset of which `is_attested` is true."""
        # The index first: a partition is recorded before it is switched.
        current = self.current(asset)
        named = self._attested(asset)
        return {partition for partition, staged in current.items() if _is_latest(staged, named)}

    def problems(self, asset: str) -> dict[str, str]:
        """Return what is wrong with the files of partitions, by partition; each file is read once."""
        verified: set[str] = set()
        problems = {}
        for partition in self.partitions(asset):
            staged = self.metadata(asset, partition)
            if staged is None or staged.file is None:
                continue
            try:
                self._range(asset, partition, verified)
            except IntegrityError as error:
                problems[partition] = str(error)
        return problems

    def note(self, asset: str, notes: Mapping[str, tuple[int, Inputs]]) -> list[StagedPartition]:
        """Store partitions as their number of rows and their inputs, without rows of their own."""
        make_folder(self.root / check_asset(asset))
        noted = [_noted(asset, check_partition(part), rows, inputs) for part, (rows, inputs) in notes.items()]
        with self._writing(asset):
            self._index(asset).switch(noted)
            self._sweep(asset)
        return noted

    def metadata(self, asset: str, partition: str) -> StagedPartition | None:
        """Return the record of a partition, or None if it was never written."""
        check_partition(partition)
        return self._index(asset).current().get(partition)

    def current(self, asset: str) -> Mapping[str, StagedPartition]:
        """Return the records of all written partitions of an asset by name, as they are now."""
        return dict(self._index(asset).current())

    def assets(self) -> list[str]:
        """Return the names of the assets with a written partition, sorted."""
        folders = {path.parent for pattern in (NAME, "*.json") for path in self.root.rglob(pattern)}
        return sorted(folder.relative_to(self.root).as_posix() for folder in folders)

    def partitions(self, asset: str) -> list[str]:
        """Return the names of the written partitions, sorted."""
        return sorted(self._index(asset).current())

    def columns(self, asset: str, partition: str) -> list[str]:
        """Return the names of the columns of a partition."""

        def names(_: StagedPartition, path: Path) -> list[str]:
            return list(pq.read_schema(path).names)

        return self._on_current(asset, partition, names)

    def read(self, asset: str, partition: str) -> pa.Table:
        """Return a partition's rows, parsed from the bytes that were verified.

        Raises InputError if it was never written and IntegrityError if its bytes differ from the record.
        """

        def load(staged: StagedPartition, path: Path) -> pa.Table:
            return self._load(staged, path).slice(staged.first, staged.rows)

        return self._on_current(asset, partition, load)

    def ranges(self, asset: str, partitions: Iterable[str]) -> list[FileRange]:
        """Return where the rows of the partitions are, each file verified once, for a view in DuckDB.

        Partitions without rows have no range. Raises as `read` does. A file is deleted when none of its
        partitions is current any more, so the caller reads within the step that asked.
        """
        verified: set[str] = set()
        ranges = [self._range(asset, partition, verified) for partition in partitions]
        return [part for part in ranges if part.rows]

    def _range(self, asset: str, partition: str, verified: set[str]) -> FileRange:
        """Return where the rows of a partition are; `verified` are the hashes of files known to be sound."""

        def check(staged: StagedPartition, path: Path) -> FileRange:
            if staged.sha256 not in verified:
                _verify(path, staged, sha256_file(path))
                verified.add(staged.sha256)
            return FileRange(path, staged.first, staged.rows, staged.of)

        return self._on_current(asset, partition, check)

    def verified_paths(self, asset: str, partitions: Iterable[str]) -> list[Path]:
        """Return the data files of partitions that have a file of their own, each verified.

        Raises as `ranges` does, and IntegrityError for a partition that shares its file.
        """
        ranges = self.ranges(asset, partitions)
        for part in ranges:
            if not part.is_whole:
                raise IntegrityError(f"{part.path}: it has rows of other partitions too")
        return [part.path for part in ranges]

    def _index(self, asset: str) -> Index:
        index = self._indexes.get(asset)
        if index is None:
            index = self._indexes.setdefault(asset, Index(self.root / check_asset(asset), asset))
        return index

    def _load(self, staged: StagedPartition, path: Path) -> pa.Table:
        """Return all rows of a data file; the last one of a moderate size is kept."""
        kept = self._kept
        if kept is not None and kept[0] == path and path.exists():
            return kept[1]
        data = path.read_bytes()
        _verify(path, staged, sha256_bytes(data))
        table = pq.read_table(pa.BufferReader(data))
        if not staged.is_whole and table.nbytes <= _KEPT_BYTES:
            self._kept = path, table
        return table

    def _on_current(self, asset: str, partition: str, use: Callable[[StagedPartition, Path], _T]) -> _T:
        """Apply `use` to the current data file; repeat if a writer superseded it meanwhile."""
        path = self.root
        for _ in range(_READ_ATTEMPTS):
            staged = self.existing(asset, partition)
            if staged.file is None:
                raise InputError(f"partition {partition} of {asset} has no rows of its own")
            path = self.root / staged.asset / staged.file
            named = self._attested(asset).get(partition)
            if named is not None and staged.sha256 not in named.ever:
                raise IntegrityError(
                    f"{path}: the audit log names other rows for {partition} of {asset}; materialise it again"
                )
            try:
                return use(staged, path)
            except FileNotFoundError:
                if self.existing(asset, partition) == staged:
                    break
        raise IntegrityError(f"{path}: this file is recorded but missing")

    def existing(self, asset: str, partition: str) -> StagedPartition:
        """Return the record of a partition; InputError if it was never written."""
        staged = self.metadata(asset, partition)
        if staged is None:
            raise NotStagedError(f"partition {partition} of {asset} is missing: materialise it first")
        return staged

    def _write_files(self, asset: str, parts: Iterable[PartitionRows]) -> list[StagedPartition]:
        """Write the data files of partitions, durably, and return the partitions in order."""
        folder = self.root / asset
        order: dict[str, int] = {}

        def numbered() -> Iterator[PartitionRows]:
            for part in parts:
                order[part.partition] = len(order)
                yield part

        staged: list[StagedPartition] = []
        for shared in _shared(numbered()):
            if len(shared) == 1 and not isinstance(shared[0].table, pa.Table):
                staged.append(_write_stream(folder, asset, shared[0], shared[0].table))
            else:
                staged += _write_tables(folder, asset, shared)
        fsync_folder(folder)
        return sorted(staged, key=lambda item: order[item.partition])

    def _sweep(self, asset: str) -> None:
        """Delete data files without a current partition, and temporary files of a crashed writer.

        The caller holds the writer's lock, so that no other writer has unfinished files.
        """
        folder = self.root / asset
        keep = {item.file for item in self._index(asset).current().values()}
        for path in folder.iterdir():
            superseded = path.suffix == ".parquet" and path.name not in keep
            if superseded or path.name.endswith(TEMPORARY_SUFFIX):
                unlink(path)

    @contextmanager
    def _writing(self, asset: str) -> Iterator[None]:
        busy = f"staging of {asset}: another process was writing for more than {self._wait_seconds:g} s"
        path = self._locks / f"staging.{asset.replace('/', '.')}.lock"
        with exclusive_lock(path, busy, wait_seconds=self._wait_seconds):
            yield


def _is_latest(staged: StagedPartition, named: Mapping[str, Attested]) -> bool:
    of_partition = named.get(staged.partition)
    return of_partition is not None and staged.sha256 in of_partition.latest


def _shared(parts: Iterable[PartitionRows]) -> Iterator[list[PartitionRows]]:
    """Yield the partitions that share a file: up to `FILE_ROWS` rows; those without rows share another."""
    empty: list[PartitionRows] = []
    group: list[PartitionRows] = []
    rows = 0
    for part in parts:
        if not isinstance(part.table, pa.Table):
            yield [part]
            continue
        if not part.table.num_rows:
            empty.append(part)
            continue
        if group and (rows + part.table.num_rows > FILE_ROWS or part.table.schema != group[0].table.schema):
            yield group
            group, rows = [], 0
        group.append(part)
        rows += part.table.num_rows
    if group:
        yield group
    by_schema: dict[pa.Schema, list[PartitionRows]] = {}
    for part in empty:
        by_schema.setdefault(part.table.schema, []).append(part)
    yield from by_schema.values()


def _write_tables(folder: Path, asset: str, parts: Sequence[PartitionRows]) -> list[StagedPartition]:
    """Write the rows of some partitions to one file; its bytes do not depend on the tables' chunks."""
    tables = [part.table for part in parts if isinstance(part.table, pa.Table)]
    table = pa.concat_tables(tables)
    sink = io.BytesIO()
    write_parquet(table, sink, compression_level=_COMPRESSION_LEVEL)
    data = sink.getvalue()
    sha256 = sha256_bytes(data)
    path = folder / data_name(sha256)
    if not (path.exists() and sha256_file(path) == sha256):
        replace_file(path, data)
    staged, first = [], 0
    for part, rows in zip(parts, (each.num_rows for each in tables), strict=True):
        staged.append(_staged(asset, part, sha256, (first, rows, table.num_rows)))
        first += rows
    return staged


def _write_stream(
    folder: Path, asset: str, part: PartitionRows, reader: pa.RecordBatchReader
) -> StagedPartition:
    """Write the rows of a reader to a temporary file, then rename it after the hash of its bytes."""
    rows = 0

    def make(aside: Path) -> None:
        nonlocal rows
        rows = write_parquet(reader, aside, compression_level=_COMPRESSION_LEVEL)

    aside = produce_temporary(folder / part.partition, make)
    sha256 = sha256_file(aside)
    rename(aside, folder / data_name(sha256))
    return _staged(asset, part, sha256, (0, rows, rows))


def _staged(asset: str, part: PartitionRows, sha256: str, place: tuple[int, int, int]) -> StagedPartition:
    first, rows, of = place
    return StagedPartition(
        asset=asset,
        partition=check_partition(part.partition),
        file=data_name(sha256),
        sha256=sha256,
        rows=rows,
        inputs=_plain(part.inputs),
        first=first if rows else 0,
        of=of,
    )


def _noted(asset: str, partition: str, rows: int, inputs: Inputs) -> StagedPartition:
    plain = _plain(inputs)
    sha256 = sha256_framed([partition, rows, json.dumps(plain, sort_keys=True)])
    return StagedPartition(asset, partition, None, sha256, rows, plain)


def _plain(inputs: Inputs) -> Inputs:
    """Return inputs as they are read back from the index."""
    plain: Inputs = json.loads(json.dumps(dict(inputs)))
    return plain


def _verify(path: Path, staged: StagedPartition, observed: str) -> None:
    if observed != staged.sha256:
        raise IntegrityError(
            f"{path}: its bytes have the sha256 {observed[:12]}… but {staged.sha256[:12]}… was recorded"
        )
