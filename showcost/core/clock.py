"""Moments as they are stored."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_timestamp(moment: datetime) -> datetime:
    """Return an aware moment in UTC and without a zone: what a TIMESTAMP of the database holds."""
    return moment.astimezone(UTC).replace(tzinfo=None)
