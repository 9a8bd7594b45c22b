"""Feeds over simulated vendors, in the small production of one week."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from showcost.config.feed import FeedSpec
from showcost.simulator.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.simulator.running import Simulator

CURRENCIES: Final = ("USD", "EUR", "GBP", "CAD")
KINDS: Final = ("page", "cursor", "link")
ACCOUNTS: Final = ("3310", "3630", "2520", "2530", "6830")

PATHS: Final = {
    "vendor_code": "vendor_id",
    "invoice_no": "id",
    "invoice_date": "issued_on",
    "currency": "currency",
    "line_no": "line.id",
    "account": "line.account",
    "description": "line.text",
    "net_amount": "line.net",
    "tax_amount": "tax_total",
}

PAGES: Final[dict[str, dict[str, Any]]] = {
    "page": {"kind": "page", "size": 25, "size_parameter": "size"},
    "cursor": {"kind": "cursor", "next": "next_cursor", "size": 25, "size_parameter": "size"},
    "link": {"kind": "link", "size": 25, "size_parameter": "size"},
}

RETRIES: Final = {"first_wait_ms": 20, "longest_wait_ms": 1_500, "rest_ms": 50}


def scripts(count: int, **settings: Any) -> list[Script]:  # noqa: ANN401 -- of a script
    """Return vendors that differ in currency and pagination."""
    return [
        Script(
            name=f"vendor_{number:02}",
            pages=KINDS[number % len(KINDS)],
            currency=CURRENCIES[number % len(CURRENCIES)],
            accounts=ACCOUNTS,
            **settings,
        )
        for number in range(count)
    ]


def feed_of(script: Script, base_url: str, **settings: Any) -> FeedSpec:  # noqa: ANN401 -- of the API
    """Return the feed of a simulated vendor."""
    size = {"size": script.page_size}
    api = {
        "base_url": base_url,
        "pages": PAGES[script.pages] | size,
        "limits": {
            "requests": script.requests,
            "seconds": script.period_ms // 1000,
            "concurrency": script.concurrency,
        },
        "retries": RETRIES,
    } | settings
    return FeedSpec.model_validate(
        {
            "name": script.name,
            "description": "A simulated vendor",
            "record_kind": "vendor_invoice",
            "format": "json",
            "patterns": ["*.json"],
            "date_formats": ["%Y-%m-%d"],
            "decimal_mark": ".",
            "constants": {"vendor_tax_id": "DE999000105", "vendor_country": "DE"},
            "items": {"list": "invoices", "lines": "lines", "paths": PATHS, "once": ["tax_amount"]},
            "api": api,
        }
    )


def feeds_of(
    simulator: Simulator,
    vendors: Sequence[Script],
    **settings: Any,  # noqa: ANN401 -- of the API
) -> list[FeedSpec]:
    """Return the feeds of simulated vendors."""
    return [feed_of(script, simulator.base_url(script.name), **settings) for script in vendors]
