"""The feeds that the data folder declares itself, in `feeds/`, beside those of the package."""

from __future__ import annotations

import dagster as dg

from showcost.components.feed import feed_definitions
from showcost.components.partitions import daily_partitions
from showcost.config.feeds import load_home_feeds
from showcost.workspace import definitions_workspace


@dg.definitions
def feeds_of_home() -> dg.Definitions:
    """Build the assets and checks of each of them."""
    workspace = definitions_workspace()
    production = workspace.production
    partitions = daily_partitions(production)
    feeds = load_home_feeds(production.code, workspace.path)
    return dg.Definitions.merge(*(feed_definitions(feed, partitions) for feed in feeds))
