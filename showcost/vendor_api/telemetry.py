"""Counters of pulls for OpenTelemetry; they cost next to nothing while nobody collects them.

Only names of feeds and vendors, hosts, statuses and classes of failure are told: no URL, no content. The
names of the http metrics are those of the semantic conventions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import metrics

from showcost.vendor_api.limits import seconds

if TYPE_CHECKING:
    from showcost.vendor_api.failures import Received, Trouble

VENDOR: Final = "showcost.vendor"
FEED: Final = "showcost.feed"

_METER: Final = metrics.get_meter("showcost.api")
_DURATION: Final = _METER.create_histogram(
    "http.client.request.duration", unit="s", description="How long a request to a vendor took."
)
_SIZE: Final = _METER.create_histogram(
    "http.client.response.body.size", unit="By", description="How much of an answer arrived, decompressed."
)
_RETRIES: Final = _METER.create_counter(
    "showcost.pull.retries", unit="{retry}", description="Requests that were made again."
)
_PAGES: Final = _METER.create_counter(
    "showcost.pull.pages", unit="{page}", description="Pages that were stored and read."
)
_ITEMS: Final = _METER.create_counter(
    "showcost.pull.items", unit="{item}", description="Items of the pages that were stored."
)
_DEAD: Final = _METER.create_counter(
    "showcost.pull.dead_letters", unit="{page}", description="Pages that could not be had."
)


def asked(vendor: str, host: str, took_ms: int, received: Received, trouble: Trouble | None = None) -> None:
    """Count a request: how long it took, what had arrived, and what went wrong with it, if anything did."""
    facts: dict[str, str | int] = {"http.request.method": "GET", "server.address": host, VENDOR: vendor}
    if received.status is not None:
        facts["http.response.status_code"] = received.status
    if trouble is not None:
        facts["error.type"] = str(trouble)
    _DURATION.record(seconds(took_ms), facts)
    _SIZE.record(len(received.body), facts)


def retried(vendor: str) -> None:
    """Count a request that is to be made again."""
    _RETRIES.add(1, {VENDOR: vendor})


def stored(vendor: str, feed: str, items: int) -> None:
    """Count a page that was stored and read."""
    facts = {VENDOR: vendor, FEED: feed}
    _PAGES.add(1, facts)
    _ITEMS.add(items, facts)


def buried(vendor: str, feed: str, trouble: str) -> None:
    """Count a page that could not be had."""
    _DEAD.add(1, {VENDOR: vendor, FEED: feed, "error.type": trouble})
