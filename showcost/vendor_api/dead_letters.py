"""Pages that could not be had: what was asked, what came of it, how often it was tried. SC-API-001.

    raw/dead_letters/<feed>.jsonl

A line says that a page failed, or failed again, or has been had after all; the newest line of an id counts.
What had arrived of the answer is kept as a payload. Tokens are masked before anything is kept. A window stops
at the page that failed and goes on there, so that trying again is nothing but pulling again.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import Kind
from showcost.core.hashing import sha256_bytes, sha256_framed
from showcost.core.jsonl import JsonLines
from showcost.vendor_api.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from showcost.audit.log import AuditLog
    from showcost.ingest.payloads import PayloadStore
    from showcost.vendor_api.failures import RequestFailedError

EXHAUSTED: Final = "SC-API-001"

DEAD, REPLAYED = "dead", "replayed"


@dataclass(frozen=True)
class DeadLetter:
    """One page that could not be had; see the module.

    `step` leads to the page as its window's journal would, `request` is method, address and headers,
    `response` the sha256 of what had arrived (None for nothing), `attempts` of all pulls together.
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
class Place:
    """Which page: of which pull of which window, and the step that leads there."""

    window: Window
    pull: int
    page: int
    step: str | None


def letter_id(feed: str, place: Place) -> str:
    """Return the id of a page's dead letter: what it is about, not when it failed."""
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
        """Read what is there; IntegrityError when a line is no dead letter."""
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
        """Return the pages that are still missing, by window."""
        with self._guard:
            return _missing(self._newest)

    def open_as_of(self, audit: AuditLog, as_of: int) -> list[DeadLetter]:
        """Return the pages that were missing, by window, as known after an audit record."""
        known = {
            record.facts.get("letter_hash")
            for record in audit.records()
            if record.seq <= as_of and record.kind in (Kind.DEAD_LETTERED, Kind.REPLAYED)
        }
        return _missing({one.id: one for one in self.history if letter_hash(one) in known})

    def missing(self) -> set[Window]:
        """Return the windows of which a page is still missing."""
        return {letter.window for letter in self.open()}

    def find(self, place: Place) -> DeadLetter | None:
        """Return the open dead letter of a page."""
        letter = self._newest.get(letter_id(self._feed, place))
        return letter if letter is not None and letter.event == DEAD else None

    def bury(
        self,
        place: Place,
        failure: RequestFailedError,
        request: Mapping[str, Any],
        *,
        keep: Keep,
        at: str,
    ) -> DeadLetter:
        """Record that a page could not be had, the audit log first; return the dead letter."""
        before = self.find(place)
        body = failure.received.body
        response = keep.payloads.put_stream(io.BytesIO(body)).sha256 if body else None
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
            error=str(failure.trouble),
            detail=failure.detail,
            attempts=failure.attempts + (before.attempts if before else 0),
            first_seen=before.first_seen if before else at,
            last_seen=at,
        )
        self._record(letter, Kind.DEAD_LETTERED, keep.audit)
        return letter

    def replayed(self, letter: DeadLetter, audit: AuditLog, at: str) -> None:
        """Record that a page was had after all."""
        self._record(replace(letter, event=REPLAYED, last_seen=at), Kind.REPLAYED, audit)

    def _record(self, letter: DeadLetter, kind: Kind, audit: AuditLog) -> None:
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
class Keep:
    """Where what a dead letter needs is kept."""

    payloads: PayloadStore
    audit: AuditLog
