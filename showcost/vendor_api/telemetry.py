"""OpenTelemetry metrics of pulls; they cost next to nothing while nobody collects them.

They carry only names of feeds and vendors, hosts, statuses and kinds of failure: no URL, no content. The HTTP
metrics are named by the semantic conventions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import metrics

from showcost.vendor_api.limits import seconds

if TYPE_CHECKING:
    from showcost.vendor_api.failures import FailureKind, PartialAnswer

VENDOR: Final = "showcost.vendor"
FEED: Final = "showcost.feed"

_METER: Final = metrics.get_meter("showcost.api")
_DURATION: Final = _METER.create_histogram(
    "http.client.request.duration", unit="s", description="Duration of a request to a vendor."
)
_SIZE: Final = _METER.create_histogram(
    "http.client.response.body.size",
    unit="By",
    description="Size of the response that arrived, decompressed.",
)
_RETRIES: Final = _METER.create_counter(
    "showcost.pull.retries", unit="{retry}", description="Requests that were retried."
)
_PAGES: Final = _METER.create_counter(
    "showcost.pull.pages", unit="{page}", description="Pages that were stored and read."
)
_ITEMS: Final = _METER.create_counter(
    "showcost.pull.items", unit="{item}", description="Items of the pages that were stored."
)
_DEAD: Final = _METER.create_counter(
    "showcost.pull.dead_letters", unit="{page}", description="Pages that failed after all retries."
)


def requested(
    vendor: str, host: str, took_ms: int, received: PartialAnswer, failure: FailureKind | None = None
) -> None:
    """Count a request: its duration, the bytes that arrived, and the kind of failure, if any."""
    facts: dict[str, str | int] = {"http.request.method": "GET", "server.address": host, VENDOR: vendor}
    if received.status is not None:
        facts["http.response.status_code"] = received.status
    if failure is not None:
        facts["error.type"] = str(failure)
    _DURATION.record(seconds(took_ms), facts)
    _SIZE.record(len(received.body), facts)


def retried(vendor: str) -> None:
    """Count a retry."""
    _RETRIES.add(1, {VENDOR: vendor})


def stored(vendor: str, feed: str, items: int) -> None:
    """Count a page that was stored and read."""
    facts = {VENDOR: vendor, FEED: feed}
    _PAGES.add(1, facts)
    _ITEMS.add(items, facts)


def dead_lettered(vendor: str, feed: str, failure: str) -> None:
    """Count a page that failed after all retries."""
    _DEAD.add(1, {VENDOR: vendor, FEED: feed, "error.type": failure})
