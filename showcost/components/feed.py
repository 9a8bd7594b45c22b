"""The `Feed` component: one YAML file becomes the assets and checks of one feed.

The path of a cost, per feed: deliveries → raw rows → valid rows and quarantine → ledger entries (of a kind of
plan: plan lines). Rows without a transaction date go to the undated rows. No business rule belongs here.
"""

from typing import Self

import dagster as dg
from pydantic import BaseModel

from showcost.components.api_assets import api_assets, api_checks
from showcost.components.feed_assets import (
    deliveries_asset,
    posted_asset,
    raw_rows_asset,
    recorded_asset,
    undated_asset,
    validated_assets,
)
from showcost.components.feed_checks import feed_checks
from showcost.components.partitions import daily_partitions
from showcost.components.pay_assets import pay_findings_asset
from showcost.components.scaffolding import FeedScaffolder
from showcost.config.feed import FeedSpec
from showcost.core.errors import ConfigError
from showcost.workspace import definitions_workspace


@dg.scaffold_with(FeedScaffolder)
class Feed(dg.Component):
    """A feed of deliveries from one sender, declared in YAML: no Python needed.

    See `docs/add-a-feed.md` for a walk-through and `showcost.config.feed.FeedSpec` for every setting.
    """

    def __init__(self, spec: FeedSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[FeedSpec]:
        """Return the model that the YAML's attributes are checked against."""
        return FeedSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:  # noqa: ARG003 -- the interface
        """Return the feed that the attributes describe."""
        if not isinstance(attributes, FeedSpec):
            raise ConfigError("defs.yaml", "attributes", "the settings of a feed")
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002 -- the interface
        """Return the feed's assets and checks; empty if the feed does not serve this production."""
        production = definitions_workspace().production
        if not self.spec.is_active(production.code):
            return dg.Definitions()
        return feed_definitions(self.spec, daily_partitions(production))


def feed_definitions(feed: FeedSpec, partitions: dg.TimeWindowPartitionsDefinition) -> dg.Definitions:
    """Return the assets and checks of a feed."""
    return dg.Definitions(
        assets=[
            deliveries_asset(feed),
            undated_asset(feed),
            raw_rows_asset(feed, partitions),
            validated_assets(feed, partitions),
            *((pay_findings_asset(feed, partitions),) if feed.kind.has_pay_rules else ()),
            recorded_asset(feed, partitions) if feed.kind.is_plan else posted_asset(feed, partitions),
            *api_assets(feed, partitions),
        ],
        asset_checks=[*feed_checks(feed, partitions), *api_checks(feed, partitions)],
    )
