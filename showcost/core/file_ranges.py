"""Ranges of rows in Parquet files, and a view over them: rows of many partitions share a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import duckdb


class FileRange(NamedTuple):
    """The rows `first` (from 0) to `first + rows` of a file that has `of` rows."""

    path: Path
    first: int
    rows: int
    of: int

    @property
    def is_whole(self) -> bool:
        """True if the range has every row of the file."""
        return self.rows == self.of


def merged(ranges: Iterable[FileRange]) -> list[FileRange]:
    """Return the ranges with neighbours joined, by file in the order given, then by row."""
    by_path: dict[Path, list[FileRange]] = {}
    for part in ranges:
        by_path.setdefault(part.path, []).append(part)
    joined: list[FileRange] = []
    for parts in by_path.values():
        open_range: FileRange | None = None
        for part in sorted(parts):
            if open_range is not None and part.first <= open_range.first + open_range.rows:
                end = max(open_range.first + open_range.rows, part.first + part.rows)
                open_range = open_range._replace(rows=end - open_range.first)
                continue
            if open_range is not None:
                joined.append(open_range)
            open_range = part
        if open_range is not None:
            joined.append(open_range)
    return joined


def view_ranges(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    ranges: Sequence[FileRange],
    *,
    union_by_name: bool = False,
) -> None:
    """Create a temporary view over ranges of Parquet files, on this connection only; at least one range.

    `union_by_name` is that of `read_parquet`. The relation API of DuckDB would create a permanent view.
    """
    parts = merged(ranges)
    whole = [part for part in parts if part.is_whole]
    sources = [f"FROM {_read([part.path for part in whole], union_by_name=union_by_name)}"] if whole else []
    sources += [
        f"SELECT * EXCLUDE (file_row_number) FROM {_read([part.path], numbered=True)}"  # noqa: S608 - our own files
        f" WHERE file_row_number BETWEEN {part.first} AND {part.first + part.rows - 1}"
        for part in parts
        if not part.is_whole
    ]
    union = " UNION ALL BY NAME " if union_by_name else " UNION ALL "
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {union.join(sources)}")


def _read(paths: Sequence[Path], *, union_by_name: bool = False, numbered: bool = False) -> str:
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{listed}], union_by_name = {union_by_name}, file_row_number = {numbered})"
