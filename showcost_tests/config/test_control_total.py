"""Setting of a feed for the line with the total that the sender states."""

from __future__ import annotations

import pytest

from showcost.config.feed import FeedSpec
from showcost.config.loading import build_model
from showcost.core.errors import ConfigError

FEED = {"name": "register", "description": "An invoice register", "record_kind": "vendor_invoice"}


def test_a_control_total_names_its_label_and_the_amount_that_it_sums() -> None:
    total = {"labels": ["Report total"], "field": "gross_amount"}
    feed = build_model("defs.yaml", FeedSpec, FEED | {"control_total": total})
    assert feed.control_total is not None
    assert feed.control_total.labels == ("Report total",)


@pytest.mark.parametrize("field", ["invoice_no", "gross"])
def test_a_control_total_of_a_field_that_is_not_an_amount_is_refused(field: str) -> None:
    total = {"labels": ["Report total"], "field": field}
    with pytest.raises(ConfigError, match=r"an amount field of the record kind as control_total\.field"):
        build_model("defs.yaml", FeedSpec, FEED | {"control_total": total})


def test_a_control_total_without_a_label_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"control_total\.labels"):
        build_model("defs.yaml", FeedSpec, FEED | {"control_total": {"labels": [], "field": "net_amount"}})
