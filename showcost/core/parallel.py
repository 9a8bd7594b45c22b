"""Work on rows spread over the cores: numpy and Arrow let other threads run while they calculate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WorkT = TypeVar("_WorkT")
_DoneT = TypeVar("_DoneT")

PART: Final = 100_000
"""Rows that are worked on at once, about: few enough that their columns stay near the processor."""


def on_all_cores(work: Callable[[_WorkT], _DoneT], parts: Sequence[_WorkT]) -> list[_DoneT]:
    """Return what the work makes of each part, in their order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, parts))
