"""What all rows of a feed's postings have in common, from the production and the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.ledger.candidates import Terms

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home


def terms_of(home: Home, feed: FeedSpec) -> Terms:
    """Return what all rows of a feed's postings have in common."""
    production = home.production
    return Terms(production.code, production.base_currency, feed.name, feed.record_kind)
