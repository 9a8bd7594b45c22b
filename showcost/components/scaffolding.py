"""Scaffolder behind `dg scaffold defs showcost.components.Feed NAME`: writes a feed that loads as is.

The file has the settings that every feed needs; its comment names the page that describes the others.
"""

from __future__ import annotations

import dagster as dg
from pydantic import BaseModel, Field

from showcost.config.record_kinds import VENDOR_INVOICE, RecordKindName


class FeedParams(BaseModel):
    """Options of the scaffold command."""

    record_kind: RecordKindName = Field(
        default=VENDOR_INVOICE.name, description="record kind of the feed's rows"
    )
    currency: str = Field(default="USD", description="currency of rows without a currency")


class FeedScaffolder(dg.Scaffolder[FeedParams]):
    """Writes a `defs.yaml` for a new feed, named after its folder."""

    @classmethod
    def get_scaffold_params(cls) -> type[FeedParams]:
        """Return the options of the command."""
        return FeedParams

    def scaffold(self, request: dg.ScaffoldRequest[FeedParams]) -> None:
        """Write the file."""
        name = request.target_path.name.lower().replace("-", "_")
        dg.scaffold_component(
            request,
            {
                "name": name,
                "description": f"Deliveries of {name.replace('_', ' ')}: say who sends them and how often.",
                "record_kind": request.params.record_kind,
                "owners": ["team:production-accounting"],
                "default_currency": request.params.currency,
                "date_formats": ["%Y-%m-%d"],
                "decimal_mark": ".",
                "fields": {},
            },
        )
