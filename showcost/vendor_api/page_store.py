"""Store a page and read its records: payload, pull progress, audit log, register, staging, in this order.

All of it blocks and runs in a thread, a whole page at a time: a page that was begun is finished even if the
pull is cancelled meanwhile. A crash in between leaves a page that is in the pull progress but not yet in the
register; the next pull completes it from the stored bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from showcost.core.errors import InputError
from showcost.deliveries.payloads import Payload
from showcost.ingest.audit_records import record_received
from showcost.ingest.landing import fingerprint_of, read_arrival
from showcost.staging.assets import records_asset
from showcost.vendor_api.dead_letters import DeadLetter, DeadLetters, DeadLetterStores, PageRef
from showcost.vendor_api.progress import PullProgress, StoredPage, page_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from showcost.audit.log import AuditLog
    from showcost.config.feed import FeedSpec
    from showcost.deliveries.register import Arrival, Register
    from showcost.vendor_api.failures import RequestFailedError
    from showcost.vendor_api.pagination import PageFacts, Pagination
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class PageContent:
    """A page as fetched: its bytes, and the address of the next page from its headers."""

    body: bytes
    link: str | None


class PageStore:
    """Stores the pages of one feed."""

    def __init__(self, home: Workspace, feed: FeedSpec, audit: AuditLog, register: Register) -> None:
        """Read the pull progress; audit log and register cover all feeds and are shared by the whole pull."""
        if feed.api is None:
            raise InputError(f"the feed {feed.name} has no API")
        self.home, self.feed, self.api = home, feed, feed.api
        self.progress = PullProgress(home.raw, feed.name)
        self.letters = DeadLetters(home.raw, feed.name)
        self._audit = audit
        self._payloads = home.payloads
        self._register = register
        self._staging = home.staging
        self._fingerprint = fingerprint_of(home, feed)

    def complete(self) -> None:
        """Complete pages that a crash left unfinished, from the stored bytes."""
        arrivals = self._register.arrivals(self.feed.name)
        registered = {arrival.name for arrival in arrivals}
        unfinished = [page for page in self.progress.pages if page.name not in registered]
        for page in unfinished:
            self._payloads.verified(page.delivery)
            self._land(Payload(page.delivery, page.size, new=False), page)
        for arrival in arrivals:
            if not arrival.again and not self._is_read(arrival.delivery):
                self._read(arrival)
        self._note_fetched(self.letters.open())

    def _note_fetched(self, letters: Iterable[DeadLetter]) -> None:
        """Record the open dead letters whose page has been fetched since."""
        for letter in letters:
            if self._was_fetched(letter):
                self.letters.replayed(letter, self._audit, _now())

    def _was_fetched(self, letter: DeadLetter) -> bool:
        """Tell whether the page was stored since, or a later pull of its window was completed."""
        progress = self.progress.of(letter.window)
        if progress is None or progress.pull < letter.pull:
            return False
        if progress.pull > letter.pull:
            return progress.complete
        return progress.pages >= letter.page

    def store(self, place: PageRef, answer: PageContent, pagination: Pagination) -> PageFacts:
        """Store a page, read its records, and return its facts.

        RequestFailedError if it is not a page of items: then nothing was stored.
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
        self.progress.add(page)
        self._land(payload, page)
        self._note_fetched(letter for letter in self.letters.open() if letter.window == window)
        return facts

    def _land(self, payload: Payload, page: StoredPage) -> None:
        arrival = self._register.add(
            *(self.feed.name, payload, page.name, 0),
            lambda arrival: record_received(self._audit, arrival, page_hash(page)),
        )
        if not self._is_read(payload.sha256):
            self._read(arrival)

    def _read(self, arrival: Arrival) -> None:
        read_arrival(self.home, self.feed, arrival, self._audit, self._fingerprint)

    def _is_read(self, delivery: str) -> bool:
        staged = self._staging.metadata(records_asset(self.feed.name), delivery)
        return staged is not None or self._payloads.is_shredded(delivery)

    def dead_letter(
        self, place: PageRef, failure: RequestFailedError, request: Mapping[str, Any]
    ) -> DeadLetter:
        """Record a page that failed as a dead letter."""
        stores = DeadLetterStores(self._payloads, self._audit)
        return self.letters.add(place, failure, request, stores=stores, at=_now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
