"""Pull progress of a feed: a line per stored page, durable before the next page is requested.

    raw/pulls/<feed>.jsonl

A pull that was killed resumes where it stopped, and no stored page is fetched again. A window is complete
when its last page names no next one; it may be pulled again later, as another pull with its own number.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from showcost.core.hashing import sha256_bytes
from showcost.core.jsonl import JsonLines
from showcost.core.locking import exclusive_lock
from showcost.vendor_api.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A stored page: the `page`-th page (from 1) of the `pull`-th pull (from 1) of a window.

    `delivery` is the sha256 of its bytes, `items` their number, `next` the step to the next page, None
    on the last page, `at` when it was stored (UTC).
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


def page_hash(page: StoredPage) -> str:
    """Return the sha256 of the line of a page, for the audit log."""
    return sha256_bytes(_line(page))


def _line(page: StoredPage) -> bytes:
    return json.dumps(asdict(page), ensure_ascii=False).encode()


@dataclass
class WindowProgress:
    """Progress of a window: its latest pull, how many of its pages are stored, and when it began.

    `delivery` is the last of those pages, `ever_complete` when a pull of the window was last completed.
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
    """Allow one pull of a feed at a time; StoreBusyError if another runs for longer than the wait.

    Pull progress and dead letters must be opened inside the block: a writer that had read them earlier would
    cut off the lines that another pull appended since.
    """
    busy = f"another process is pulling {feed}; try again"
    with exclusive_lock(locks / f"pull_{feed}.lock", busy, wait_seconds=_WAIT_SECONDS):
        yield


class PullProgress:
    """The pull progress of one feed; one process pulls a feed at a time, its threads share the instance."""

    def __init__(self, raw: Path, feed: str) -> None:
        """Read the stored pages; IntegrityError for a line that is not a stored page."""
        self._lines = JsonLines(
            raw / "pulls" / f"{feed}.jsonl",
            lambda line, _: self._take(StoredPage(**json.loads(line))),
            entry="a stored page",
            restore="restore the pull progress from a copy",
        )
        self._progress: dict[Window, WindowProgress] = {}
        self.pages: list[StoredPage] = []
        self._lines.read_on()

    def of(self, window: Window) -> WindowProgress | None:
        """Return the progress of a window, None if no page of it was ever stored."""
        return self._progress.get(window)

    def add(self, page: StoredPage) -> None:
        """Append a page, durably."""
        self._lines.append(_line(page))

    def _take(self, page: StoredPage) -> StoredPage:
        before = self._progress.get(page.window)
        at = datetime.fromisoformat(page.at)
        began = before.began if before is not None and before.pull == page.pull else at
        complete = page.next is None
        last_complete = before.ever_complete if before is not None else None
        self._progress[page.window] = WindowProgress(
            page.pull,
            page.page,
            page.next,
            page.delivery,
            began,
            complete,
            at if complete else last_complete,
        )
        self.pages.append(page)
        return page
