"""How far each window of a feed got: a line per page that is stored, durable before the next is asked for.

    raw/pulls/<feed>.jsonl

So a pull that was killed goes on where it was, and no page that is stored is fetched again. A window is
complete when its last page names no next one; it may be pulled again later, under a number of its own.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from showcost.core.jsonl import JsonLines
from showcost.core.locking import exclusive_lock
from showcost.vendor_api.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A line of the journal: the `page`-th page (from 1) of the `pull`-th pull (from 1) of a window.

    `delivery` is the sha256 of its bytes, `items` their number, `next` the step that leads on, None on the
    last page, `at` when it was stored (UTC).
    """

    first: str
    last: str
    pull: int
    page: int
    delivery: str
    size: int
    items: int
    next: str | None
    at: str

    @property
    def window(self) -> Window:
        """The window."""
        return Window(date.fromisoformat(self.first), date.fromisoformat(self.last))

    @property
    def name(self) -> str:
        """The page's name in the register."""
        return f"{self.first}..{self.last} pull {self.pull} page {self.page}"


@dataclass
class Progress:
    """Where a window stands: its newest pull, the pages that are stored of it, and when it began.

    `delivery` is the last of those pages, `ever_complete` when a pull of the window last came to its end.
    """

    pull: int
    pages: int
    next: str | None
    delivery: str
    began: datetime
    complete: bool
    ever_complete: datetime | None


@contextmanager
def only_pull(locks: Path, feed: str) -> Iterator[None]:
    """Keep other pulls of a feed out; StoreBusyError when one is under way for long.

    What a pull writes to (journal, dead letters) is to be read within, or another's lines would be cut off.
    """
    busy = f"another process is pulling {feed}; try again"
    with exclusive_lock(locks / f"pull_{feed}.lock", busy, wait_seconds=_WAIT_SECONDS):
        yield


class Journal:
    """The journal of one feed; one process pulls a feed at a time, its threads share the instance."""

    def __init__(self, raw: Path, feed: str) -> None:
        """Read what is there; IntegrityError when a line is none of the journal's."""
        self._lines = JsonLines(
            raw / "pulls" / f"{feed}.jsonl",
            lambda line, _: self._take(StoredPage(**json.loads(line))),
            entry="a stored page",
            restore="restore the pull progress from a copy",
        )
        self._progress: dict[Window, Progress] = {}
        self.pages: list[StoredPage] = []
        self._lines.read_on()

    def progress(self, window: Window) -> Progress | None:
        """Return where a window stands, None when no page of it was ever stored."""
        return self._progress.get(window)

    def add(self, page: StoredPage) -> None:
        """Append a page, durably."""
        self._lines.append(json.dumps(asdict(page), ensure_ascii=False).encode())

    def _take(self, page: StoredPage) -> StoredPage:
        known = self._progress.get(page.window)
        at = datetime.fromisoformat(page.at)
        began = known.began if known is not None and known.pull == page.pull else at
        complete = page.next is None
        before = known.ever_complete if known is not None else None
        ever = at if complete else before
        self._progress[page.window] = Progress(
            page.pull, page.page, page.next, page.delivery, began, complete, ever
        )
        self.pages.append(page)
        return page
