"""Staging names of the pipeline's tables: one word per table, then the feed."""

from __future__ import annotations


def raw_asset(feed: str) -> str:
    """Return the staging name of a feed's raw rows."""
    return f"raw/{feed}"


def valid_asset(feed: str) -> str:
    """Return the staging name of a feed's valid rows."""
    return f"valid/{feed}"


def quarantine_asset(feed: str) -> str:
    """Return the staging name of a feed's quarantined rows."""
    return f"quarantine/{feed}"


def undated_asset(feed: str) -> str:
    """Return the staging name of a feed's rows without a transaction date."""
    return f"undated/{feed}"


def records_asset(feed: str) -> str:
    """Return the staging name of a feed's records, which are stored per delivery."""
    return f"records/{feed}"
