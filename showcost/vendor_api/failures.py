"""What can go wrong with a request, and whether it may pass by itself: the only thing that is tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Trouble(StrEnum):
    """The class of a failure, as it stands in dead letters and counts."""

    CONNECT = "no connection"
    TIMEOUT = "timeout"
    CUT_OFF = "answer cut off"
    BUSY = "status 429"
    SERVER = "server error"
    DOWN = "vendor down"
    SETUP = "not set up"
    REFUSED = "refused status"
    REDIRECT = "redirect refused"
    ADDRESS = "address refused"
    TOO_LARGE = "answer too large"
    ENCODING = "encoding refused"
    UNREADABLE = "unreadable page"
    ENDLESS = "pages without end"


TRANSIENT: Final = frozenset(
    {Trouble.CONNECT, Trouble.TIMEOUT, Trouble.CUT_OFF, Trouble.BUSY, Trouble.SERVER, Trouble.UNREADABLE}
)
"""What may pass while one waits; everything else fails the same way again, so it is not tried again.

A page that is unreadable is often a proxy's excuse, or was cut off by whoever made it.
"""

PASSING: Final = TRANSIENT | {Trouble.DOWN, Trouble.SETUP}
"""What another pull may find gone though nothing was done about the page; the rest waits for a person."""

TRANSIENT_STATUS: Final = frozenset({408, 425, 500, 502, 503, 504})
_TOO_MANY: Final = 429
_REDIRECTS: Final = range(300, 400)
_FINE: Final = frozenset({200, 204})


@dataclass(frozen=True)
class Received:
    """What had arrived of an answer when it failed; `status` is None when there was none."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class RequestFailedError(Exception):
    """A request that failed. It stays within this package: what becomes of it is a dead letter.

    `trouble` is its class, `detail` what was observed (no content, no secret), `received` what had arrived,
    `wait_seconds` how long the vendor asked to be left alone, `attempts` how often it was tried.
    """

    def __init__(
        self,
        trouble: Trouble,
        detail: str,
        received: Received | None = None,
        wait_seconds: int | None = None,
    ) -> None:
        self.trouble, self.detail = trouble, detail
        self.received = received or Received()
        self.wait_seconds = wait_seconds
        self.attempts = 0
        super().__init__(f"{trouble}: {detail}")

    @property
    def transient(self) -> bool:
        """Whether it may pass while one waits."""
        return self.trouble in TRANSIENT


def trouble_of_status(status: int) -> Trouble | None:
    """Return the class of a status that is no success: a page has content, or there is none (204)."""
    if status in _FINE:
        return None
    if status == _TOO_MANY:
        return Trouble.BUSY
    if status in TRANSIENT_STATUS:
        return Trouble.SERVER
    return Trouble.REDIRECT if status in _REDIRECTS else Trouble.REFUSED
