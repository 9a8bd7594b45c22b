"""Sensors request each due partition exactly once, from the stored state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.components import naming
from showcost.config.feeds import choose_feed, load_feeds
from showcost.defs.automation.sensors import land_inbox, release_rates
from showcost.ingest.landing import landed
from showcost.workspace import HOME_VARIABLE, Workspace, open_workspace
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost_tests.whole.conftest import Copy

NOW = datetime(2026, 11, 4, 9, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = small.make_home(tmp_path / "home")
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    return workspace


@pytest.fixture
def posted(posted_home: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return the production after its week was materialised."""
    workspace = copy(posted_home)
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    return workspace


@pytest.fixture
def context() -> Iterator[dg.SensorEvaluationContext]:
    with dg.instance_for_test() as instance:
        yield dg.build_sensor_context(instance=instance)


def _requests(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []


def _spans(requests: Iterable[dg.RunRequest]) -> dict[str, list[tuple[str, str]]]:
    """Return the requested ranges by the feed whose posting is requested."""
    requested: dict[str, list[tuple[str, str]]] = {}
    for request in requests:
        keys = {key.to_user_string() for key in request.asset_selection or []}
        (feed,) = {key.removeprefix("posted_") for key in keys if key.startswith("posted_")}
        span = (request.tags[naming.RANGE_START], request.tags[naming.RANGE_END])
        requested.setdefault(feed, []).append(span)
    return requested


def test_an_empty_inbox_requests_nothing(workspace: Workspace, context: dg.SensorEvaluationContext) -> None:
    assert workspace.path.exists()
    assert isinstance(land_inbox(context), dg.SkipReason)


def test_deliveries_request_the_stretches_that_they_touch(
    workspace: Workspace, context: dg.SensorEvaluationContext
) -> None:
    small.fill(workspace)
    requests = _requests(land_inbox(context))
    assert _spans(requests) == {
        "location_permits": [("2026-10-29", "2026-10-30"), ("2026-11-01", "2026-11-03")],
        "payroll_manifest": [("2026-10-28", "2026-10-28"), ("2026-11-01", "2026-11-01")],
        "vendor_invoices_de": [("2026-10-28", "2026-10-31"), ("2026-11-02", "2026-11-03")],
    }
    with_undated = [
        request.tags[naming.RANGE_START]
        for request in requests
        if naming.undated_key("vendor_invoices_de") in (request.asset_selection or [])
    ]
    assert with_undated == ["2026-10-28"]
    shared = {naming.FX_SNAPSHOTS, naming.LEDGER_ENTRIES, naming.QUEUE}
    assert all(shared <= {*(request.asset_selection or [])} for request in requests)


def test_a_landing_is_shown_once(workspace: Workspace, context: dg.SensorEvaluationContext) -> None:
    small.fill(workspace)
    first = land_inbox(context)
    assert isinstance(first, dg.SensorResult)
    shown = {event.asset_key: event.metadata["rows_read_now"].value for event in first.asset_events}
    assert shown == {
        naming.deliveries_key("location_permits"): 7,
        naming.deliveries_key("payroll_manifest"): 4,
        naming.deliveries_key("vendor_invoices_de"): 14,
    }
    second = land_inbox(context)
    assert isinstance(second, dg.SensorResult)
    assert not second.asset_events


def test_what_was_requested_but_never_run_is_requested_under_the_same_key(
    workspace: Workspace, context: dg.SensorEvaluationContext
) -> None:
    """Dagster runs a key once; a tick whose runs were not recorded is repeated."""
    small.fill(workspace)
    first, second = _requests(land_inbox(context)), _requests(land_inbox(context))
    assert [request.run_key for request in first] == [request.run_key for request in second]
    assert len({request.run_key for request in first}) == len(first)


def test_nothing_is_due_once_it_is_materialised(
    posted: Workspace, context: dg.SensorEvaluationContext
) -> None:
    assert posted.path.exists()
    assert isinstance(land_inbox(context), dg.SkipReason)


def test_a_late_delivery_requests_the_old_partitions_that_it_touches(
    posted: Workspace, context: dg.SensorEvaluationContext
) -> None:
    late = small.german([small.Invoice("R20", "28.10.2026", "1,00", "0,19", "1,19")])
    small.deliver(posted, "vendor_invoices_de", "3 later.csv", late)
    requests = _requests(land_inbox(context))
    assert _spans(requests) == {"vendor_invoices_de": [("2026-10-28", "2026-10-28")]}
    land_all(posted)
    take(posted, [small.WEDNESDAY])
    assert isinstance(land_inbox(context), dg.SkipReason)
    again = small.german([small.Invoice("R21", "28.10.2026", "2,00", "0,38", "2,38")])
    small.deliver(posted, "vendor_invoices_de", "4 later still.csv", again)
    (next_request,) = _requests(land_inbox(context))
    assert next_request.run_key != requests[0].run_key


def test_the_same_bytes_again_request_nothing(posted: Workspace, context: dg.SensorEvaluationContext) -> None:
    small.deliver(posted, "vendor_invoices_de", "copy.csv", small.german(small.FIRST))
    assert isinstance(land_inbox(context), dg.SkipReason)


def test_a_delivery_without_any_date_requests_the_undated_rows(
    posted: Workspace, context: dg.SensorEvaluationContext
) -> None:
    small.deliver(posted, "location_permits", "letter.csv", "Dear Sir,\r\nno permits this week\r\n")
    (request,) = _requests(land_inbox(context))
    assert request.asset_selection == [naming.undated_key("location_permits")]


def test_a_feed_that_cannot_be_landed_holds_up_no_other(
    workspace: Workspace, context: dg.SensorEvaluationContext
) -> None:
    small.fill(workspace)
    land_all(workspace)
    (delivery, *_) = landed(workspace, _feed("location_permits"))
    workspace.payloads.path(delivery.arrival.delivery).unlink()
    for staged in (workspace.path / "staging" / "records" / "location_permits").iterdir():
        staged.unlink()
    assert _spans(_requests(land_inbox(context))).keys() == {"payroll_manifest", "vendor_invoices_de"}


def _feed(name: str) -> FeedSpec:
    return choose_feed(load_feeds("HRB"), name)


def test_a_date_that_has_not_come_is_not_requested_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: dg.SensorEvaluationContext
) -> None:
    workspace = small.make_home(tmp_path / "long")
    settings = workspace.path / "production.yaml"
    settings.write_text(settings.read_text().replace("end: 2026-11-03", "end: 2090-12-31"))
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    far = small.german([small.Invoice("R1", "31.12.2090", "1,00", "0,19", "1,19")])
    small.deliver(open_workspace(workspace.path), "vendor_invoices_de", "far.csv", far)
    assert _requests(land_inbox(context)) == []


def test_rows_that_wait_for_a_rate_are_requested_when_a_file_has_it(posted: Workspace) -> None:
    assert isinstance(release_rates(NOW), dg.SkipReason)
    small.know_rates(posted, until=small.MONDAY)
    assert _spans(_requests(release_rates(NOW))) == {
        "location_permits": [("2026-11-02", "2026-11-02")],
        "vendor_invoices_de": [("2026-11-02", "2026-11-02")],
    }
    take(posted, [small.MONDAY])
    assert isinstance(release_rates(NOW), dg.SkipReason)


def test_rates_are_requested_from_the_ecb_once_an_hour_if_allowed(posted: Workspace) -> None:
    settings = posted.path / "production.yaml"
    settings.write_text(settings.read_text().replace("[file]", "[file, ecb]"))
    keys = [
        {request.run_key for request in _requests(release_rates(time))}
        for time in (NOW, NOW.replace(minute=45), NOW.replace(hour=10))
    ]
    assert len(keys[0]) == 2
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]


def test_a_rate_that_cannot_be_published_yet_is_not_requested(posted: Workspace) -> None:
    settings = posted.path / "production.yaml"
    settings.write_text(settings.read_text().replace("[file]", "[file, ecb]"))
    before = datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert isinstance(release_rates(before), dg.SkipReason)
