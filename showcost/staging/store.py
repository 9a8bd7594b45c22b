"""The staging store: one Parquet file per asset and partition behind a pointer that is switched last.

    staging/<asset>/<partition>.<first 12 hex of sha256>.parquet
    staging/<asset>/<partition>.json

Readers use the file that the pointer names and verify its sha256 first: in most places of a Parquet file a
flipped bit silently reads back as another value.
"""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

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
from showcost.core.hashing import sha256_bytes, sha256_file, sha256_framed
from showcost.core.locking import exclusive_lock
from showcost.staging.parquet import write_parquet
from showcost.staging.parts import Inputs, PartitionRows, check_asset, check_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_NAME_DIGITS: Final = 12
_COMPRESSION_LEVEL: Final = 3
_READ_ATTEMPTS: Final = 3

_T = TypeVar("_T")


@dataclass(frozen=True)
class StagedPartition:
    """Description of a stored partition: the pointer file, in memory.

    `file` is the data file's name, `schema` the fingerprint over `columns` (name and type of each).
    """

    asset: str
    partition: str
    file: str
    sha256: str
    rows: int
    schema: str
    columns: tuple[tuple[str, str], ...]
    inputs: Inputs


class StagingStore:
    """Parquet per asset and partition under `<home>/staging`, for a data folder `home`.

    A lock file admits one writer per asset at a time; others wait at most `wait_seconds`. Readers take no
    lock.
    """

    def __init__(self, home: Path, *, wait_seconds: float = 60.0) -> None:
        self.root = home / "staging"
        self._locks = home / "locks"
        self._wait_seconds = wait_seconds

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
        """Store many partitions of an asset; each is switched as a whole, in the order given.

        `parts` may be a generator: one part is in memory at a time. All data files are durable before the
        first pointer is switched.
        """
        folder = self.root / check_asset(asset)
        make_folder(folder)
        with self._writing(asset):
            staged = [_write_data(folder, asset, part) for part in parts]
            fsync_folder(folder)
            for item in staged:
                _switch_pointer(folder, item)
            fsync_folder(folder)
            _sweep(folder, staged)
        return staged

    def metadata(self, asset: str, partition: str) -> StagedPartition | None:
        """Return the record of a partition, or None if it was never written."""
        pointer = self.root / check_asset(asset) / f"{check_partition(partition)}.json"
        try:
            text = pointer.read_bytes()
        except FileNotFoundError:
            return None
        return _parse_pointer(pointer, asset, partition, text)

    def assets(self) -> list[str]:
        """Return the names of the assets with a written partition, sorted."""
        folders = {pointer.parent for pointer in self.root.rglob("*.json")}
        return sorted(folder.relative_to(self.root).as_posix() for folder in folders)

    def partitions(self, asset: str) -> list[str]:
        """Return the names of the written partitions, sorted."""
        return sorted(pointer.stem for pointer in (self.root / check_asset(asset)).glob("*.json"))

    def read(self, asset: str, partition: str) -> pa.Table:
        """Return a partition's rows, parsed from the bytes that were verified.

        Raises InputError if it was never written and IntegrityError if its bytes differ from the record.
        """

        def load(staged: StagedPartition, path: Path) -> pa.Table:
            data = path.read_bytes()
            _verify(path, staged, sha256_bytes(data))
            return pq.read_table(pa.BufferReader(data))

        return self._on_current(asset, partition, load)

    def read_many(self, asset: str, partitions: Sequence[str]) -> pa.Table:
        """Return the rows of several partitions as one table; all must have the same columns."""
        if not partitions:
            raise InputError(f"no partition of {asset} was requested")
        return pa.concat_tables([self.read(asset, partition) for partition in partitions])

    def verified_paths(self, asset: str, partitions: Iterable[str]) -> list[Path]:
        """Return the data files of the partitions, each verified, for DuckDB's `read_parquet`.

        Raises as `read` does. A file is deleted when its partition is written again, so the caller reads
        the paths within the step that asked for them.
        """

        def check(staged: StagedPartition, path: Path) -> Path:
            _verify(path, staged, sha256_file(path))
            return path

        return [self._on_current(asset, partition, check) for partition in partitions]

    def _on_current(self, asset: str, partition: str, use: Callable[[StagedPartition, Path], _T]) -> _T:
        """Apply `use` to the current data file; repeat if a writer superseded it meanwhile."""
        path = self.root
        for _ in range(_READ_ATTEMPTS):
            staged = self._existing(asset, partition)
            path = self.root / staged.asset / staged.file
            try:
                return use(staged, path)
            except FileNotFoundError:
                if self._existing(asset, partition) == staged:
                    break
        raise IntegrityError(f"{path}: this file is recorded but missing")

    def _existing(self, asset: str, partition: str) -> StagedPartition:
        staged = self.metadata(asset, partition)
        if staged is None:
            raise InputError(f"partition {partition} of {asset} is missing: materialise it first")
        return staged

    @contextmanager
    def _writing(self, asset: str) -> Iterator[None]:
        busy = f"staging of {asset}: another process was writing for more than {self._wait_seconds:g} s"
        path = self._locks / f"staging.{asset.replace('/', '.')}.lock"
        with exclusive_lock(path, busy, wait_seconds=self._wait_seconds):
            yield


def _encode(table: pa.Table) -> bytes:
    """Return the Parquet bytes of a table, which do not depend on its chunks."""
    sink = io.BytesIO()
    write_parquet(table, sink, compression_level=_COMPRESSION_LEVEL)
    return sink.getvalue()


def _write_data(folder: Path, asset: str, part: PartitionRows) -> StagedPartition:
    partition = check_partition(part.partition)
    if isinstance(part.table, pa.Table):
        rows, data = part.table.num_rows, _encode(part.table)
        path, sha256 = _data_path(folder, partition, sha256_bytes(data))
        if not (path.exists() and sha256_file(path) == sha256):
            replace_file(path, data)
    else:
        rows, path, sha256 = _write_stream(folder, partition, part.table)
    columns = tuple((column.name, str(column.type)) for column in part.table.schema)
    return StagedPartition(
        asset=asset,
        partition=partition,
        file=path.name,
        sha256=sha256,
        rows=rows,
        schema=sha256_framed(text for column in columns for text in column),
        columns=columns,
        inputs=dict(part.inputs),
    )


def _data_path(folder: Path, partition: str, sha256: str) -> tuple[Path, str]:
    return folder / f"{partition}.{sha256[:_NAME_DIGITS]}.parquet", sha256


def _write_stream(folder: Path, partition: str, reader: pa.RecordBatchReader) -> tuple[int, Path, str]:
    """Write the rows of a reader to a temporary file, then rename it after the hash of its bytes."""
    rows = 0

    def make(aside: Path) -> None:
        nonlocal rows
        rows = write_parquet(reader, aside, compression_level=_COMPRESSION_LEVEL)

    aside = produce_temporary(folder / partition, make)
    path, sha256 = _data_path(folder, partition, sha256_file(aside))
    rename(aside, path)
    return rows, path, sha256


def _pointer_bytes(staged: StagedPartition) -> bytes:
    record = {
        "columns": [list(column) for column in staged.columns],
        "file": staged.file,
        "inputs": staged.inputs,
        "rows": staged.rows,
        "schema": staged.schema,
        "sha256": staged.sha256,
    }
    return json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def _switch_pointer(folder: Path, staged: StagedPartition) -> None:
    pointer = folder / f"{staged.partition}.json"
    data = _pointer_bytes(staged)
    if not (pointer.exists() and pointer.read_bytes() == data):
        replace_file(pointer, data)


def _sweep(folder: Path, staged: Sequence[StagedPartition]) -> None:
    """Delete superseded data files of the partitions written, and temporary files of a crashed writer.

    The caller must hold the writer's lock, so that no other writer has unfinished files.
    """
    keep = {item.partition: item.file for item in staged}
    for path in folder.iterdir():
        partition = path.name.split(".", 1)[0]
        superseded = path.suffix == ".parquet" and keep.get(partition, path.name) != path.name
        if superseded or path.name.endswith(TEMPORARY_SUFFIX):
            unlink(path)


def _parse_pointer(pointer: Path, asset: str, partition: str, text: bytes) -> StagedPartition:
    try:
        record = json.loads(text)
        staged = StagedPartition(
            asset=asset,
            partition=partition,
            file=record["file"],
            sha256=record["sha256"],
            rows=record["rows"],
            schema=record["schema"],
            columns=tuple((name, kind) for name, kind in record["columns"]),
            inputs=record["inputs"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{pointer}: this pointer cannot be read; materialise the partition again"
        ) from error
    if staged.file != f"{partition}.{staged.sha256[:_NAME_DIGITS]}.parquet":
        raise IntegrityError(
            f"{pointer}: it names the file {staged.file!r}, which is not one of its partition"
        )
    return staged


def _verify(path: Path, staged: StagedPartition, observed: str) -> None:
    if observed != staged.sha256:
        raise IntegrityError(
            f"{path}: its bytes have the sha256 {observed[:12]}… but {staged.sha256[:12]}… was recorded"
        )
