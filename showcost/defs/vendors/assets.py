"""Pulls from vendor APIs: an asset per feed, one step and one worker pool for all."""

import dagster as dg

from showcost.components.api_assets import pulled_assets
from showcost.components.partitions import daily_partitions
from showcost.config.feeds import api_feeds
from showcost.workspace import definitions_workspace


@dg.definitions
def vendors() -> dg.Definitions:
    """Build the assets of the production's feeds that have an API, if any."""
    workspace = definitions_workspace()
    feeds = api_feeds(workspace.feeds)
    partitions = daily_partitions(workspace.production)
    return dg.Definitions(assets=[pulled_assets(feeds, partitions)] if feeds else [])
