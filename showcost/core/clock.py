"""Timestamps in the form in which the database stores them."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_timestamp(moment: datetime) -> datetime:
    """Return an aware timestamp converted to UTC, without its zone, for a TIMESTAMP column."""
    return moment.astimezone(UTC).replace(tzinfo=None)
