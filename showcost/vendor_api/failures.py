"""Kinds of request failure: transient ones are retried, permanent ones are not."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class FailureKind(StrEnum):
    """The kind of a failure, as stored in dead letters and counts."""

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
    {
        FailureKind.CONNECT,
        FailureKind.TIMEOUT,
        FailureKind.CUT_OFF,
        FailureKind.BUSY,
        FailureKind.SERVER,
        FailureKind.UNREADABLE,
    }
)
"""Failures that may pass on their own; all others would fail the same way again and are not retried.

An unreadable page is often a proxy's error page, or was truncated by the server.
"""

PASSING: Final = TRANSIENT | {FailureKind.DOWN, FailureKind.SETUP}
"""Failures that a later pull may get past without anybody acting; the others wait for a person."""

TRANSIENT_STATUS: Final = frozenset({408, 425, 500, 502, 503, 504})
_TOO_MANY: Final = 429
_REDIRECTS: Final = range(300, 400)
_SUCCESS: Final = frozenset({200, 204})


@dataclass(frozen=True)
class PartialAnswer:
    """The part of a response that had arrived; `status` is None if there was no response."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class RequestFailedError(Exception):
    """A request that failed. It stays within this package, where it ends as a dead letter.

    `kind` classifies it, `detail` is the observation (no content, no secret), `received` the part that
    arrived, `wait_seconds` the pause that the vendor asked for, `attempts` the number of tries.
    """

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        received: PartialAnswer | None = None,
        wait_seconds: int | None = None,
    ) -> None:
        self.kind, self.detail = kind, detail
        self.received = received or PartialAnswer()
        self.wait_seconds = wait_seconds
        self.attempts = 0
        super().__init__(f"{kind}: {detail}")

    @property
    def transient(self) -> bool:
        """True if a retry may succeed."""
        return self.kind in TRANSIENT


def failure_of_status(status: int) -> FailureKind | None:
    """Return the kind of failure of a status, None for success: a page with content, or without (204)."""
    if status in _SUCCESS:
        return None
    if status == _TOO_MANY:
        return FailureKind.BUSY
    if status in TRANSIENT_STATUS:
        return FailureKind.SERVER
    return FailureKind.REDIRECT if status in _REDIRECTS else FailureKind.REFUSED
