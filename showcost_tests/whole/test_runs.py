"""Runs through Dagster: the same ledger as without it, and metadata per partition."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionResolvedStatus

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.config.feeds import choose_feed, load_feeds
from showcost.orchestration.runs import RunOutcome
from showcost.staging import ALL
from showcost.workspace import HOME_VARIABLE, Workspace, open_workspace
from showcost_tests.defs.loading import load
from showcost_tests.whole import entries, small
from showcost_tests.whole.running import instance_of, metadata, row_counts, run
from showcost_tests.whole.steps import counts, land_all, ledger_digest, take

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

    from showcost_tests.whole.conftest import Copy

FEED = "uk_spend"
SPENDING = choose_feed(load_feeds(small.UKSPEND), FEED)
DAYS = [day.isoformat() for day in small.WEEK]
PARTITIONED = [*naming.dated_keys(SPENDING), naming.FX_SNAPSHOTS, naming.LEDGER_ENTRIES]
Ran: TypeAlias = tuple[Workspace, RunOutcome]
COUNTS = {"received": 8, "posted": 5, "quarantined": 2, "duplicate": 0, "pending": 1, "discarded": 0}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a production with a delivery in the inbox that is not landed."""
    workspace = small.make_home(tmp_path_factory.mktemp("filled") / "home", small.UKSPEND)
    small.fill(workspace)
    return workspace


@pytest.fixture(scope="module")
def ranged(filled: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Return the production after one run over its week, and the outcome of the run."""
    folder = tmp_path_factory.mktemp("ranged") / "home"
    shutil.copytree(filled.path, folder)
    workspace = open_workspace(folder)
    return workspace, run(workspace, small.WEDNESDAY, small.TUESDAY)


@pytest.fixture(scope="module")
def repeated(ranged: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Return the production after repeating the run, and the outcome of the second run."""
    folder = tmp_path_factory.mktemp("repeated") / "home"
    shutil.copytree(ranged[0].path, folder)
    workspace = open_workspace(folder)
    return workspace, run(workspace, small.WEDNESDAY, small.TUESDAY)


def test_one_run_over_the_range_lands_and_posts(ranged: Ran) -> None:
    workspace, outcome = ranged
    assert outcome.failures == ()
    assert (outcome.success, outcome.partitions) == (True, 7)
    assert counts(workspace) == COUNTS
    assert entries.wrongly_converted(workspace) == []
    with instance_of(workspace) as instance:
        parts = {run.tags["showcost/part"]: run for run in instance.get_runs()}
        assert parts.keys() == {"land", "costs", "close"}
        assert parts["costs"].run_id == outcome.run_id
        assert {run.tags["showcost/run"] for run in parts.values()} == {outcome.run_id}


def test_a_run_stores_no_more_events_than_its_dates_and_rows_need(ranged: Ran) -> None:
    """Each event costs a millisecond or more; a range of dates multiplies what is stored per date."""
    workspace, _ = ranged
    with instance_of(workspace) as instance:
        stored: Counter[tuple[str, str]] = Counter(
            (run.tags["showcost/part"], entry.dagster_event.event_type_value)
            for run in instance.get_runs()
            for entry in instance.all_logs(run.run_id)
            if entry.dagster_event is not None
        )
        graph = load(workspace.path).get_repository_def().asset_graph
    whole = len(graph.get_all_asset_keys()) - len(PARTITIONED)
    # Made by schedules of their own.
    whole -= len({naming.LENDER_SNAPSHOT, naming.VERIFICATION})
    # Once per date, for the assets with dates; once per run, for the others.
    for kind in ("ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION"):
        assert stored["costs", kind] == len(DAYS) * len(PARTITIONED) == 42
        assert stored["land", kind] + stored["close", kind] == whole == 5
    # Of the 14 checks over the dates, 10 are by date: one event per date with rows, one for the others.
    assert stored["costs", "ASSET_CHECK_EVALUATION_PLANNED"] == 14
    assert stored["costs", "ASSET_CHECK_EVALUATION"] == 14 + 10 + 39
    assert stored["land", "ASSET_CHECK_EVALUATION"] + stored["close", "ASSET_CHECK_EVALUATION"] == 6


def test_what_warns_is_told_in_one_sentence_each(ranged: Ran) -> None:
    assert {
        (check.asset, check.check, check.severity, check.failed, check.checked)
        for check in ranged[1].failed_checks
    } == {
        ("undated_uk_spend", "all_rows_dated", "WARN", 1, 1),
        ("quarantine_uk_spend", "no_rejected_rows", "WARN", 2, 5),
    }
    messages = {check.asset: check.message for check in ranged[1].failed_checks}
    assert messages["quarantine_uk_spend"] == (
        "2026-10-30: 1 rows: SC-AMT-001 amount unreadable (1); "
        "2026-11-02: 1 rows: SC-FX-001 rate not yet published (1); next: work through `showcost queue list`"
    )


def test_the_ledger_is_the_same_as_without_dagster(ranged: Ran, filled: Workspace, copy: Copy) -> None:
    workspace = copy(filled)
    land_all(workspace)
    take(workspace, small.WEEK)
    assert ledger_digest(workspace) == ledger_digest(ranged[0])


def test_every_partition_is_materialised_with_its_row_count(ranged: Ran) -> None:
    raw, valid, quarantine, posted = naming.dated_keys(SPENDING)
    with instance_of(ranged[0]) as instance:
        for key in PARTITIONED:
            assert instance.get_materialized_partitions(key) == set(DAYS), key
        assert [row_counts(instance, raw)[day] for day in DAYS] == [2, 1, 2, 0, 1, 1, 0]
        assert [row_counts(instance, valid)[day] for day in DAYS] == [2, 1, 1, 0, 1, 0, 0]
        assert [row_counts(instance, quarantine)[day] for day in DAYS] == [0, 0, 1, 0, 0, 1, 0]
        assert row_counts(instance, posted) == row_counts(instance, naming.LEDGER_ENTRIES)
        assert [row_counts(instance, posted)[day] for day in DAYS] == [2, 1, 1, 0, 1, 0, 0]
        states = metadata(instance, naming.FX_SNAPSHOTS, "state")
        assert [states[day].value for day in DAYS] == ["pinned"] * 5 + ["pending"] * 2


def test_the_digest_of_each_partition_is_shown(ranged: Ran) -> None:
    workspace = ranged[0]
    with instance_of(workspace) as instance:
        shown = metadata(instance, naming.LEDGER_ENTRIES, "digest")
    partitions = ledger_digest(workspace).partitions
    assert {day: value.value for day, value in shown.items() if value.value} == {
        day.isoformat(): value for day, (_, value) in partitions.items()
    }


def test_lineage_leads_to_columns_that_there_are(ranged: Ran) -> None:
    graph = load(ranged[0].path).get_repository_def().asset_graph
    columns = {
        node.key: {column.name for column in node.metadata["dagster/column_schema"].columns}
        for node in graph.asset_nodes
        if "dagster/column_schema" in node.metadata
    }
    raw, valid, _, posted = naming.dated_keys(SPENDING)
    with instance_of(ranged[0]) as instance:
        for key in (raw, valid, posted):
            lineages = metadata(instance, key, "dagster/column_lineage")
            # The UI reads the last event.
            assert set(lineages) == {max(DAYS)}
            for column, sources in lineages[max(DAYS)].value.deps_by_column.items():
                assert column in columns[key], (key, column)
                # Deliveries have the sender's columns, which are described by no schema.
                described = [source for source in sources if source.asset_key in columns]
                assert all(source.column_name in columns[source.asset_key] for source in described), (
                    key,
                    column,
                )
                assert described or key == raw, (key, column)


def test_columns_are_described_as_they_are_stored(ranged: Ran) -> None:
    workspace, _ = ranged
    graph = load(workspace.path).get_repository_def().asset_graph
    store = workspace.staging
    day = small.WEDNESDAY.isoformat()
    (delivery, *_) = store.partitions(f"records/{FEED}")
    for asset, stored_as, partition in (
        ("raw", "records", delivery),
        ("valid", "valid", day),
        ("quarantine", "quarantine", day),
        ("undated", "undated", ALL),
    ):
        assert _described(graph, f"{asset}_{FEED}") == store.columns(f"{stored_as}/{FEED}", partition)
    with workspace.ledger.read() as connection:
        for asset, table in ((f"posted_{FEED}", "ledger_entries"), ("fx_snapshots", "fx_rates")):
            stored = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            assert _described(graph, asset) == stored


def _described(graph: AssetGraph, asset: str) -> list[str]:
    return [column.name for column in graph.get(dg.AssetKey(asset)).metadata["dagster/column_schema"].columns]


@pytest.mark.slow
def test_what_the_inbox_sensor_requests_takes_everything_to_its_place(filled: Workspace, copy: Copy) -> None:
    """The runs are made from the sensor's requests, as the daemon does."""
    workspace = copy(filled)
    definitions = load(workspace.path)
    job, sensor = definitions.resolve_job_def(naming.JOB), definitions.resolve_sensor_def("inbox")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(workspace.path))
        (workspace.path / "dagster_home").mkdir()
        with instance_of(workspace) as instance:
            context = dg.build_sensor_context(instance=instance, definitions=definitions)
            requests = sensor.evaluate_tick(context).run_requests or []
            for request in requests:
                selected = job.get_subset(asset_selection=set(request.asset_selection or []))
                result = selected.execute_in_process(
                    instance=instance, tags=request.tags, raise_on_error=False
                )
                assert result.success
            assert not sensor.evaluate_tick(context).run_requests
    assert len(requests) == 2
    assert counts(workspace) == COUNTS


def _statuses(
    workspace: Workspace, key: dg.AssetKey, check: str
) -> dict[AssetCheckExecutionResolvedStatus, set[str]]:
    """Return the partitions of a check by their status in the UI."""
    partitions = daily_partitions(workspace.production)
    check_key = dg.AssetCheckKey(key, check)
    with instance_of(workspace) as instance:
        state = instance.event_log_storage.get_asset_check_state([(check_key, partitions)])[check_key]
    return {
        status: set(subset.subset_value.get_partition_keys())
        for status, subset in state.subsets.items()
        if not subset.is_empty
    }


@pytest.mark.parametrize("fixture", ["ranged", pytest.param("repeated", marks=pytest.mark.slow)])
def test_a_check_over_a_range_is_shown_per_partition(fixture: str, request: pytest.FixtureRequest) -> None:
    workspace: Workspace = request.getfixturevalue(fixture)[0]
    shown = _statuses(workspace, naming.quarantine_key(FEED), "no_rejected_rows")
    succeeded, failed = AssetCheckExecutionResolvedStatus.SUCCEEDED, AssetCheckExecutionResolvedStatus.FAILED
    assert shown == {failed: {"2026-10-30", "2026-11-02"}, succeeded: {*DAYS} - {"2026-10-30", "2026-11-02"}}
    assert _statuses(workspace, naming.posted_key(FEED), "fx_pinned") == {succeeded: {*DAYS}}
    assert _statuses(workspace, naming.valid_key(FEED), "rows_reconcile") == {succeeded: {*DAYS}}


def test_the_same_run_once_more_appends_nothing(ranged: Ran, repeated: Ran) -> None:
    (first, _), (workspace, outcome) = ranged, repeated
    assert (outcome.success, outcome.failures) == (True, ())
    assert ledger_digest(workspace) == ledger_digest(first)
    assert counts(workspace) == COUNTS
    with instance_of(workspace) as instance:
        appended = metadata(instance, naming.posted_key(FEED), "appended_now")
    assert {value.value for value in appended.values()} == {0}


@pytest.mark.slow
def test_one_partition_alone(filled: Workspace, copy: Copy) -> None:
    workspace = copy(filled)
    outcome = run(workspace, small.FRIDAY, small.FRIDAY)
    assert (outcome.success, outcome.partitions) == (True, 1)
    assert counts(workspace) == COUNTS | {"posted": 1, "quarantined": 2, "pending": 5}
    with instance_of(workspace) as instance:
        for key in PARTITIONED:
            assert instance.get_materialized_partitions(key) == {"2026-10-30"}
    shown = _statuses(workspace, naming.quarantine_key(FEED), "no_rejected_rows")
    assert shown[AssetCheckExecutionResolvedStatus.FAILED] == {"2026-10-30"}
