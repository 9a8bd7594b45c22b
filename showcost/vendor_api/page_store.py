"""From a page in memory to records on disk: payload, journal, register, audit log, staging, in this order.

All of it blocks and runs in a thread, a whole page at a time: what has begun is finished even when the pull
is stopped meanwhile. A crash in between leaves a page that the journal has and the register not yet; the next
pull completes it from the stored bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from showcost.core.errors import InputError
from showcost.ingest.audit_records import record_received
from showcost.ingest.landing import fingerprint_of, read_arrival
from showcost.ingest.payloads import Payload, PayloadStore
from showcost.staging import StagingStore
from showcost.staging.assets import records_asset
from showcost.vendor_api.dead_letters import DeadLetter, DeadLetters, Keep, Place
from showcost.vendor_api.progress import Journal, StoredPage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from showcost.audit.log import AuditLog
    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home
    from showcost.ingest.register import Arrival, Register
    from showcost.vendor_api.failures import RequestFailedError
    from showcost.vendor_api.pages import PageFacts, Pagination


@dataclass(frozen=True)
class PageAnswer:
    """A page as the client got it: its bytes, and the next address as its headers have it."""

    body: bytes
    link: str | None


class Flusher:
    """Stores the pages of one feed."""

    def __init__(self, home: Home, feed: FeedSpec, audit: AuditLog, register: Register) -> None:
        """Read how far the feed got; log and register, which know all feeds, are those of the whole pull."""
        if feed.api is None:
            raise InputError(f"the feed {feed.name} has no API")
        self.home, self.feed, self.api = home, feed, feed.api
        self.journal = Journal(home.raw, feed.name)
        self.letters = DeadLetters(home.raw, feed.name)
        self._audit = audit
        self._payloads = PayloadStore(home.raw)
        self._register = register
        self._staging = StagingStore(home.path)
        self._fingerprint = fingerprint_of(home, feed)

    def complete(self) -> None:
        """Do what a crash has left undone, from the stored bytes."""
        arrivals = self._register.arrivals(self.feed.name)
        known = {arrival.name for arrival in arrivals}
        left = [page for page in self.journal.pages if page.name not in known]
        for page in left:
            self._payloads.verified(page.delivery)
            self._land(Payload(page.delivery, page.size, new=False), page.name)
        for arrival in arrivals:
            if not arrival.again and not self._is_read(arrival.delivery):
                self._read(arrival)
        self._note_had(self.letters.open())

    def _note_had(self, letters: Iterable[DeadLetter]) -> None:
        """Record those of the open dead letters whose page is there by now."""
        for letter in letters:
            if self._was_had(letter):
                self.letters.replayed(letter, self._audit, _now())

    def _was_had(self, letter: DeadLetter) -> bool:
        """Say whether the page was stored after all, or its window by a later pull that began afresh."""
        progress = self.journal.progress(letter.window)
        if progress is None or progress.pull < letter.pull:
            return False
        if progress.pull > letter.pull:
            return progress.complete
        return progress.pages >= letter.page

    def flush(self, place: Place, answer: PageAnswer, pagination: Pagination) -> PageFacts:
        """Store a page, read its records, and return what it says of itself.

        RequestFailedError when it is no page of items: then nothing was stored.
        """
        facts = pagination.facts(answer.body, answer.link, place.step)
        payload = self._payloads.put_stream(io.BytesIO(answer.body))
        window = place.window
        page = StoredPage(
            first=str(window.first),
            last=str(window.last),
            pull=place.pull,
            page=place.page,
            delivery=payload.sha256,
            size=payload.size,
            items=facts.items,
            next=facts.next,
            at=_now(),
        )
        self.journal.add(page)
        self._land(payload, page.name)
        self._note_had(letter for letter in self.letters.open() if letter.window == window)
        return facts

    def _land(self, payload: Payload, name: str) -> None:
        arrival = self._register.add(
            self.feed.name, payload, name, 0, lambda one: record_received(self._audit, one)
        )
        if not self._is_read(payload.sha256):
            self._read(arrival)

    def _read(self, arrival: Arrival) -> None:
        read_arrival(self.home, self.feed, arrival, self._audit, self._fingerprint)

    def _is_read(self, delivery: str) -> bool:
        staged = self._staging.metadata(records_asset(self.feed.name), delivery)
        return staged is not None or self._payloads.is_shredded(delivery)

    def bury(self, place: Place, failure: RequestFailedError, request: Mapping[str, Any]) -> DeadLetter:
        """Keep a page that could not be had as a dead letter."""
        keep = Keep(self._payloads, self._audit)
        return self.letters.bury(place, failure, request, keep=keep, at=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
