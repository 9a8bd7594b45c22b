"""Pulls from vendor APIs: an asset per feed, one step and one worker pool for all."""

import dagster as dg

from showcost.components.api_assets import pulled_assets
from showcost.components.partitions import daily_partitions
from showcost.config.feeds import api_feeds, load_feeds
from showcost.workspace import open_workspace


@dg.definitions
def vendors() -> dg.Definitions:
    """Build the assets of the production's feeds that have an API, if any."""
    production = open_workspace().production
    feeds = api_feeds(load_feeds(production.code))
    return dg.Definitions(assets=[pulled_assets(feeds, daily_partitions(production))] if feeds else [])
