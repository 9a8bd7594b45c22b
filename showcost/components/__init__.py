"""Reusable Dagster components: a feed is declared in YAML and needs no Python."""

from showcost.components.feed import Feed

__all__ = ["Feed"]
