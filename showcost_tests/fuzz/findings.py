"""Store of findings: the smallest payload for each place and kind of failure."""

from __future__ import annotations

import hashlib
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Findings:
    """A folder of payloads that violated a property, each with its traceback."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def kept(self, payload: bytes) -> Iterator[None]:
        """Keep the payload if the block fails; the failure is suppressed."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever is raised is a finding
            self._keep(payload, error)

    def _keep(self, payload: bytes, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = error if isinstance(error, AssertionError) else last.lineno
        what = f"{type(error).__name__} {last.name} {where}"
        name = hashlib.sha256(what.encode()).hexdigest()[:12]
        path = self._folder / f"{name}.bin"
        if path.exists() and path.stat().st_size <= len(payload):
            return
        path.write_bytes(payload)
        (self._folder / f"{name}.txt").write_text(f"{what}\n\n{''.join(traceback.format_exception(error))}")

    def names(self) -> list[str]:
        """Return the names of the payloads, and of the files of libFuzzer itself (time-outs, crashes)."""
        return sorted(path.name for path in self._folder.iterdir() if path.suffix != ".txt")
