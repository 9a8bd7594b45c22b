"""Requirements on every asset, check and automation, in both sample productions."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from showcost.components import naming
from showcost.config.reporting_periods import reporting_periods
from showcost.defs.automation.sensors import VENDOR_TAG
from showcost.workspace import HOME_VARIABLE, open_workspace
from showcost_tests.defs.loading import HOMES, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph, AssetNode

STAGES = {
    *(naming.DELIVERIES, naming.RAW_ROWS, naming.VALIDATION, naming.RATES, naming.LEDGER, naming.REPORTS),
}


@pytest.fixture(scope="module", params=HOMES)
def home(request: pytest.FixtureRequest) -> Path:
    return HOMES[request.param]


@pytest.fixture(scope="module")
def definitions(home: Path) -> dg.Definitions:
    return load(home)


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> AssetGraph:
    return definitions.get_repository_def().asset_graph


def _nodes(graph: AssetGraph) -> Iterator[AssetNode]:
    for key in sorted(graph.get_all_asset_keys()):
        yield graph.get(key)


def test_every_asset_has_a_description_and_owners(graph: AssetGraph) -> None:
    for node in _nodes(graph):
        assert node.description, node.key
        assert all(owner.startswith("team:") for owner in node.owners), node.key
        assert node.owners, node.key
        assert node.group_name in STAGES, node.key
        assert node.tags["showcost/stage"] == node.group_name, node.key
        assert node.kinds, node.key


def test_a_feeds_assets_are_found_by_its_tag(graph: AssetGraph) -> None:
    shared = {naming.FX_SNAPSHOTS, naming.LEDGER_ENTRIES, naming.QUEUE, naming.VERIFICATION}
    nodes = (node for node in _nodes(graph) if node.group_name != naming.REPORTS)
    for node in (node for node in nodes if node.key not in shared):
        assert node.key.path[-1].endswith(node.tags["showcost/feed"])


def test_every_asset_with_rows_describes_its_columns(graph: AssetGraph) -> None:
    for node in (node for node in _nodes(graph) if node.group_name != naming.DELIVERIES):
        schema = node.metadata["dagster/column_schema"]
        assert schema.columns, node.key
        assert all(column.description and column.type for column in schema.columns), node.key
        assert len({column.name for column in schema.columns}) == len(schema.columns)


def test_one_run_does_a_range(graph: AssetGraph) -> None:
    """One asset without the policy would drag the whole job into a run per partition."""
    for node in _nodes(graph):
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), node.key


def test_partitions_are_the_days_of_the_production(graph: AssetGraph, home: Path) -> None:
    production = open_workspace(home).production
    whole = (naming.DELIVERIES, "undated", "reconciliation_queue", "dead_letters", "verification")
    for node in _nodes(graph):
        is_report = node.group_name == naming.REPORTS and node.key != naming.GUILD_PACKS
        if is_report or node.key.path[-1].startswith(whole):
            assert node.partitions_def is None
            continue
        partitions = node.partitions_def
        assert isinstance(partitions, dg.DailyPartitionsDefinition), node.key
        assert partitions.timezone == production.timezone
        keys = partitions.get_partition_keys()
        days = (production.dates.end - production.dates.start).days + 1
        assert keys[0] == production.dates.start.isoformat()
        assert keys == [
            (production.dates.start + timedelta(number)).isoformat() for number in range(min(days, len(keys)))
        ]


def test_checks_of_partitioned_assets_know_their_partitions(graph: AssetGraph) -> None:
    whole = {"calendar_complete", "day_on_day_jump", "irs_yearly_average", "audit_chain"}
    for key in graph.asset_check_keys:
        check, asset = graph.get(key), graph.get(key.asset_key)
        assert check.description, key
        assert (check.partitions_def is not None) == (asset.is_partitioned and key.name not in whole), key


def test_only_structure_balance_and_rates_block(graph: AssetGraph) -> None:
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking == {"schema", "rows_reconcile", "snapshot_unchanged"}


def test_only_the_steps_that_write_to_the_ledger_are_in_its_pool(graph: AssetGraph) -> None:
    """Steps that only read would make other runs wait for the one slot."""
    writing = ("posted_", "recorded_", "provisional_", naming.FX_SNAPSHOTS.to_user_string())
    for node in _nodes(graph):
        writes = node.key.to_user_string().startswith(writing)
        assert (naming.LEDGER_POOL in (node.pools or ())) == writes, node.key


def test_the_ledger_has_to_be_fresh(graph: AssetGraph) -> None:
    waited_for = (naming.LEDGER_ENTRIES, naming.COST_REPORT, naming.LENDER_SNAPSHOT, naming.VERIFICATION)
    assert all(graph.get(key).freshness_policy is not None for key in waited_for)


def test_the_launchpad_offers_the_one_executor_that_is_tested(definitions: dg.Definitions) -> None:
    """A process per step would take seconds per step; a choice that nobody tries would be none."""
    for job in definitions.get_repository_def().get_all_jobs():
        assert job.executor_def is dg.in_process_executor, job.name


def test_the_job_covers_all_assets_and_checks(definitions: dg.Definitions, graph: AssetGraph) -> None:
    job = definitions.resolve_job_def(naming.JOB)
    snapshot = naming.LENDER_SNAPSHOT
    assert job.asset_layer.executable_asset_keys == graph.get_all_asset_keys() - {snapshot}
    checks = {key for key in graph.asset_check_keys if key.asset_key != snapshot}
    assert set(job.asset_layer.asset_graph.asset_check_keys) == checks
    lender = definitions.resolve_job_def(naming.LENDER_JOB)
    assert lender.asset_layer.executable_asset_keys == {snapshot}


def _evaluate(
    definitions: dg.Definitions, home: Path, name: str, moment: datetime, instance: dg.DagsterInstance
) -> list[dg.RunRequest]:
    """Return what a schedule requests at a moment of the production's clock."""
    zone = ZoneInfo(open_workspace(home).production.timezone)
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=moment.replace(tzinfo=zone).astimezone(UTC),
        repository_def=definitions.get_repository_def(),
    )
    return list(definitions.resolve_schedule_def(name).evaluate_tick(context).run_requests or [])


@pytest.fixture
def own(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the settings, which the schedules open as their data folder."""
    ignored = shutil.ignore_patterns(
        "inbox", "raw", "staging", "audit", "published", "dagster_home", "*.duckdb*"
    )
    copy = tmp_path / "own"
    shutil.copytree(home, copy, ignore=ignored)
    monkeypatch.setenv(HOME_VARIABLE, str(copy))
    return copy


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def test_snapshots_are_requested_after_their_periods_also_when_days_were_missed(
    definitions: dg.Definitions, own: Path, instance: dg.DagsterInstance
) -> None:
    periods = reporting_periods(open_workspace(own).production)
    first, second = periods[0].end, periods[1].end
    requests = [
        [
            request.tags["showcost/period"]
            for request in _evaluate(definitions, own, "period_end", datetime.combine(day, time(7)), instance)
        ]
        for day in (first, first + timedelta(days=1), second + timedelta(days=3), second + timedelta(days=60))
    ]
    names = [period.name for period in periods]
    assert requests[:3] == [[], names[:1], names[:2]]
    # Long ago is not made up for by itself.
    assert names[0] not in requests[3]


def test_a_snapshot_that_is_there_or_under_way_is_not_requested(
    definitions: dg.Definitions, own: Path, instance: dg.DagsterInstance
) -> None:
    period, following = reporting_periods(open_workspace(own).production)[:2]
    moment = datetime.combine(following.end + timedelta(days=1), time(7))
    run = dg.DagsterRun(
        job_name=naming.LENDER_JOB,
        tags={"showcost/period": following.name},
        status=dg.DagsterRunStatus.STARTED,
    )
    instance.add_run(run)
    (request,) = _evaluate(definitions, own, "period_end", moment, instance)
    assert request.run_config == {"ops": {"lender_snapshot": {"config": {"period": period.name}}}}
    folder = own / "published" / "reports" / f"{period.start}_{period.end}_record-7"
    folder.mkdir(parents=True)
    assert _evaluate(definitions, own, "period_end", moment, instance) == []


def _dates(request: dg.RunRequest) -> tuple[str, str]:
    return request.tags[naming.RANGE_START], request.tags[naming.RANGE_END]


def test_every_night_requests_yesterday_or_the_last_date_of_the_production(
    definitions: dg.Definitions, own: Path, instance: dg.DagsterInstance
) -> None:
    dates = open_workspace(own).production.dates
    # After the last date, that one.
    for day in (dates.start, dates.start + timedelta(days=3), dates.end, dates.end + timedelta(days=9)):
        moment = datetime.combine(day + timedelta(days=1), time(6))
        requests = _evaluate(definitions, own, "nightly", moment, instance)
        last = min(day, dates.end).isoformat()
        assert all(_dates(request)[1] == last for request in requests)
        if any(VENDOR_TAG in request.tags for request in requests):
            continue
        (request,) = requests
        assert _dates(request) == (last, last)
        assert request.tags["showcost/dates"] == last
    before = _evaluate(definitions, own, "nightly", datetime.combine(dates.start, time(6)), instance)
    assert [request for request in before if VENDOR_TAG not in request.tags] == []


def test_every_night_ends_with_a_verification_and_the_reports(
    definitions: dg.Definitions, own: Path, instance: dg.DagsterInstance
) -> None:
    moment = datetime.combine(open_workspace(own).production.dates.start, time(6, 30))
    own.joinpath("ledger.duckdb").touch()
    requests = _evaluate(definitions, own, "nightly", moment, instance)
    assert [request.tags["showcost/work"] for request in requests] == [
        "verification of the whole ledger",
        "reports",
    ]
    verification, reports = requests
    assert verification.asset_selection == [naming.VERIFICATION]
    assert {naming.COST_REPORT, naming.TRIAL_BALANCE, naming.QUEUE} <= {*(reports.asset_selection or [])}


@pytest.mark.parametrize("day", [date(2026, 10, 25), date(2026, 11, 1), date(2027, 3, 14), date(2027, 3, 28)])
def test_the_nights_of_changing_clocks_have_their_ticks(
    definitions: dg.Definitions, home: Path, day: date
) -> None:
    """Around the ends of daylight saving in Europe and North America, by Dagster's own calendar of ticks."""
    schedule = definitions.resolve_schedule_def("nightly")
    zone = ZoneInfo(open_workspace(home).production.timezone)
    assert schedule.execution_timezone == str(zone)
    start = datetime.combine(day - timedelta(days=1), time(12), zone).timestamp()
    crons = schedule.cron_schedule
    assert not isinstance(crons, str)
    ticks = schedule_execution_time_iterator(start, crons, str(zone), ascending=True)
    local = [next(ticks).astimezone(zone) for _ in range(6)]
    assert [(tick.date(), tick.hour, tick.minute) for tick in local] == [
        (date.fromordinal(day.toordinal() + later), hour, minute)
        for later in (0, 1)
        for hour, minute in ((5, 30), (6, 0), (6, 30))
    ]
