"""Work cut into chunks of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Part = TypeVar("_Part")


def chunks(counts: Iterable[tuple[_Part, int]], most_rows: int) -> Iterator[list[_Part]]:
    """Cut parts, such as dates, with their numbers of rows into chunks of `most_rows` at most, or of one."""
    chunk: list[_Part] = []
    total = 0
    for part, rows in counts:
        if chunk and total + rows > most_rows:
            yield chunk
            chunk, total = [], 0
        chunk.append(part)
        total += rows
    if chunk:
        yield chunk
