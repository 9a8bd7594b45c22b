"""Dead letters: pages that failed after all retries, with request, response and attempts (SC-API-001).

    raw/dead_letters/<feed>.jsonl

A line records that a page failed, failed again, or was fetched later; the latest line of an id counts. The
part of the response that arrived is kept as a payload. Tokens are masked before anything is stored. A window
stops at the page that failed and resumes there, so to retry a page is simply to pull again.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.hashing import sha256_bytes, sha256_framed
from showcost.core.jsonl import JsonLines
from showcost.vendor_api.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from showcost.audit.log import AuditLog
    from showcost.deliveries.payloads import PayloadStore
    from showcost.vendor_api.failures import RequestFailedError

EXHAUSTED: Final = "SC-API-001"

DEAD, REPLAYED = "dead", "replayed"


@dataclass(frozen=True)
class DeadLetter:
    """A page that failed after all retries; see the module.

    `step` leads to the page, as in the pull progress of its window; `request` is method, address and headers,
    `response` the sha256 of the bytes that arrived (None for nothing), `attempts` the total of all pulls.
    """

    id: str
    event: str
    feed: str
    first: str
    last: str
    pull: int
    page: int
    step: str | None
    request: Mapping[str, Any]
    status: int | None
    response_headers: Mapping[str, str]
    response: str | None
    response_size: int
    error: str
    detail: str
    attempts: int
    first_seen: str
    last_seen: str

    @property
    def window(self) -> Window:
        """The window that is missing from this page on."""
        return Window(date.fromisoformat(self.first), date.fromisoformat(self.last))


@dataclass(frozen=True)
class PageRef:
    """A page of a pull of a window, and the step that leads to it."""

    window: Window
    pull: int
    page: int
    step: str | None


def letter_id(feed: str, place: PageRef) -> str:
    """Return the id of a page's dead letter; it depends on the page, not on when it failed."""
    window = place.window
    return sha256_framed(["dead letter", feed, str(window.first), str(window.last), place.pull, place.page])


def letter_hash(letter: DeadLetter) -> str:
    """Return the hash by which the audit log attests a line."""
    return sha256_bytes(_line(letter))


def _line(letter: DeadLetter) -> bytes:
    return json.dumps(asdict(letter), ensure_ascii=False, sort_keys=True).encode()


class DeadLetters:
    """The dead letters of a feed."""

    def __init__(self, raw: Path, feed: str) -> None:
        """Read the dead letters; IntegrityError for a line that is not one."""
        self._lines = JsonLines(
            raw / "dead_letters" / f"{feed}.jsonl",
            lambda line, _: self._take(DeadLetter(**json.loads(line))),
            entry="a dead letter",
            restore="restore the dead letters from a copy",
        )
        self._feed = feed
        self._guard = Lock()
        self._newest: dict[str, DeadLetter] = {}
        self.history: list[DeadLetter] = []
        self._lines.read_on()

    def _take(self, letter: DeadLetter) -> DeadLetter:
        self._newest[letter.id] = letter
        self.history.append(letter)
        return letter

    def open(self) -> list[DeadLetter]:
        """Return the open dead letters, by window."""
        with self._guard:
            return _missing(self._newest)

    def open_as_of(self, audit: AuditLog, as_of: int) -> list[DeadLetter]:
        """Return the dead letters that were open after an audit record, by window."""
        recorded = {
            record.facts.get("letter_hash")
            for record in audit.records()
            if record.seq <= as_of and record.kind in (AuditKind.DEAD_LETTERED, AuditKind.REPLAYED)
        }
        return _missing({letter.id: letter for letter in self.history if letter_hash(letter) in recorded})

    def missing(self) -> set[Window]:
        """Return the windows with an open dead letter."""
        return {letter.window for letter in self.open()}

    def find(self, place: PageRef) -> DeadLetter | None:
        """Return the open dead letter of a page."""
        letter = self._newest.get(letter_id(self._feed, place))
        return letter if letter is not None and letter.event == DEAD else None

    def add(
        self,
        place: PageRef,
        failure: RequestFailedError,
        request: Mapping[str, Any],
        *,
        stores: DeadLetterStores,
        at: str,
    ) -> DeadLetter:
        """Record that a page failed, in the audit log first; return the dead letter."""
        before = self.find(place)
        body = failure.received.body
        response = stores.payloads.put_stream(io.BytesIO(body)).sha256 if body else None
        letter = DeadLetter(
            id=letter_id(self._feed, place),
            event=DEAD,
            feed=self._feed,
            first=str(place.window.first),
            last=str(place.window.last),
            pull=place.pull,
            page=place.page,
            step=place.step,
            request=request,
            status=failure.received.status,
            response_headers=dict(failure.received.headers),
            response=response,
            response_size=len(body),
            error=str(failure.kind),
            detail=failure.detail,
            attempts=failure.attempts + (before.attempts if before else 0),
            first_seen=before.first_seen if before else at,
            last_seen=at,
        )
        self._record(letter, AuditKind.DEAD_LETTERED, stores.audit)
        return letter

    def replayed(self, letter: DeadLetter, audit: AuditLog, at: str) -> None:
        """Record that a page was fetched after all."""
        self._record(replace(letter, event=REPLAYED, last_seen=at), AuditKind.REPLAYED, audit)

    def _record(self, letter: DeadLetter, kind: AuditKind, audit: AuditLog) -> None:
        audit.append(
            kind,
            {
                "feed": letter.feed,
                "code": EXHAUSTED,
                "first": letter.first,
                "last": letter.last,
                "page": letter.page,
                "error": letter.error,
                "attempts": letter.attempts,
                "response": letter.response,
                "letter_hash": letter_hash(letter),
            },
            subjects=[states.delivery(letter.id)],
        )
        with self._guard:
            self._lines.append(_line(letter))


def _missing(newest: Mapping[str, DeadLetter]) -> list[DeadLetter]:
    missing = [letter for letter in newest.values() if letter.event == DEAD]
    return sorted(missing, key=lambda letter: (letter.first, letter.page))


@dataclass(frozen=True)
class DeadLetterStores:
    """The stores that a dead letter is written to: response bytes and audit record."""

    payloads: PayloadStore
    audit: AuditLog
