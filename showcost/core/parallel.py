"""Parallel work on row batches in threads: numpy and Arrow release the interpreter lock."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WorkT = TypeVar("_WorkT")
_ResultT = TypeVar("_ResultT")

BATCH_ROWS: Final = 100_000
"""Rows per batch: few enough that their columns stay in the processor cache."""


def map_parallel(work: Callable[[_WorkT], _ResultT], batches: Sequence[_WorkT]) -> list[_ResultT]:
    """Return the result of `work` for each batch, in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, batches))
