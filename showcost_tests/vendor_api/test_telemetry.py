"""Metrics of a pull, as an OpenTelemetry collector receives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from showcost.simulator.running import simulated
from showcost_tests.vendor_api.test_pull import home_of
from showcost_tests.vendor_api.vendors import feeds_of, scripts
from showcost_tests.vendor_api.whole import lines_of, pull_week

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def collected() -> InMemoryMetricReader:
    """Return a reader of the metrics from now on; instruments join the first provider."""
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


def _sums(reader: InMemoryMetricReader, name: str, *by: str) -> Counter[tuple[Any, ...]]:
    """Return the sums of a metric by some attributes; for a histogram, the numbers of measurements."""
    sums: Counter[tuple[Any, ...]] = Counter()
    data = reader.get_metrics_data()
    assert data is not None
    points = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]
    for point in points:
        count = point.value if isinstance(point, NumberDataPoint) else point.count
        sums[tuple((point.attributes or {}).get(attribute) for attribute in by)] += int(count)
    return sums


def test_metrics_agree_with_the_pulls(tmp_path: Path, collected: InMemoryMetricReader) -> None:
    good, bad = scripts(2, lines_per_day=6, page_size=4)
    bad = replace(bad, failing=80, faults=("503", "wrong json"))
    with simulated([good, bad]) as simulator:
        outcome = pull_week(home_of(tmp_path), feeds_of(simulator, [good, bad]))
    assert outcome.dead
    requests = _sums(collected, "http.client.request.duration", "showcost.vendor")
    assert requests == {(pull.vendor,): pull.traffic.requests for pull in outcome.feeds}
    statuses = _sums(collected, "http.client.request.duration", "http.response.status_code", "error.type")
    assert statuses.keys() == {(200, None), (503, "server error")}
    of_feed = {(pull.feed,): pull for pull in outcome.feeds}
    assert _sums(collected, "showcost.pull.pages", "showcost.feed") == {
        key: pull.pages for key, pull in of_feed.items()
    }
    items = _sums(collected, "showcost.pull.items", "showcost.feed")
    assert items == {key: pull.items for key, pull in of_feed.items()}
    assert items[good.name,] <= lines_of(good).total()
    retries = _sums(collected, "showcost.pull.retries", "showcost.vendor")
    assert retries[bad.name,] == of_feed[bad.name,].traffic.retries > 0
    dead = _sums(collected, "showcost.pull.dead_letters", "showcost.feed", "error.type")
    assert dead == Counter((letter.feed, letter.error) for letter in outcome.dead)
    assert _sums(collected, "http.client.response.body.size", "server.address").keys() == {("127.0.0.1",)}
