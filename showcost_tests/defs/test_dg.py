"""The tools that people use on the project: `dagster definitions validate`, `dg check`, `dg scaffold defs`.

Each is run as they run it, in a process of its own; what writes does so in a copy of the project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from showcost.config.feeds import load_feeds
from showcost_tests.sample.truth import REPOSITORY

BIN = Path(sys.executable).parent


def _run(project: Path, *command: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment in a project, whose own package comes first."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOWCOST_")}
    environment |= {
        "PYTHONPATH": str(project),
        "SHOWCOST_HOME": str(home or project / "data"),
        "COLUMNS": "200",
    }
    return subprocess.run(  # noqa: S603 -- commands of our own environment
        [BIN / command[0], *command[1:]],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the tools note down out of the project."""
    (tmp_path / "dagster_home").mkdir()
    shutil.copyfile(REPOSITORY / "showcost" / "dagster.yaml", tmp_path / "dagster_home" / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster_home"))


@pytest.fixture
def project(tmp_path: Path, dagster_home: None) -> Path:  # noqa: ARG001 -- for its effect
    """Return a copy of the project without the rows of its sample."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copytree(
        REPOSITORY / "showcost", folder / "showcost", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copyfile(REPOSITORY / name, folder / name)
    (folder / "data").mkdir()
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(REPOSITORY / "data" / name, folder / "data" / name)
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("dagster_home")
def test_the_definitions_of_the_workspace_are_valid() -> None:
    process = _run(REPOSITORY, "dagster", "definitions", "validate", "-w", "workspace.yaml")
    assert process.returncode == 0, process.stdout + process.stderr
    assert "All code locations passed validation" in process.stdout + process.stderr


@pytest.mark.usefixtures("dagster_home")
@pytest.mark.parametrize("home", ["data", pytest.param("examples/uk_spend", marks=pytest.mark.slow)])
def test_dg_finds_nothing_wrong(home: str) -> None:
    process = _run(REPOSITORY, "dg", "check", "defs", home=REPOSITORY / home)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "All component YAML validated" in process.stdout
    assert "All definitions loaded" in process.stdout


def _declare(project: Path, name: str, settings: str) -> Path:
    path = project / "showcost" / "defs" / "feeds" / name / "defs.yaml"
    path.parent.mkdir()
    lines = ["type: showcost.components.Feed", "attributes:", f"  name: {name}", "  description: a feed"]
    path.write_text("\n".join([*lines, settings, ""]), encoding="utf-8")
    return path


UNKNOWN_KEY = "  record_kind: vendor_invoice\n  owner: team:x"
WRONG_KIND = "  record_kind: invoices"
EQUAL_HEADERS = """\
  record_kind: vendor_invoice
  fields:
    invoice_no: {headers: [Number]}
    po_no: {headers: [number]}"""

TO_LAND = {
    UNKNOWN_KEY: "attributes.owner: expected no such key (did you mean owners?)",
    WRONG_KIND: "attributes.record_kind: expected 'vendor_invoice', 'location_permit', 'payroll',"
    " 'purchase_order', 'estimate' or 'budget_revision', found 'invoices'",
    EQUAL_HEADERS: "attributes: expected fields with unique headers; 'number' means invoice_no and po_no",
}
TO_DG = {
    UNKNOWN_KEY: "attributes.owner Additional properties are not allowed ('owner' was unexpected)",
    WRONG_KIND: "attributes.record_kind 'invoices' is not one of "
    "['vendor_invoice', 'location_permit', 'payroll', 'purchase_order', 'estimate', 'budget_revision']",
}
FAULTS = pytest.mark.parametrize(
    "settings",
    [
        pytest.param(UNKNOWN_KEY, id="unknown key"),
        pytest.param(WRONG_KIND, id="wrong kind of record"),
        pytest.param(EQUAL_HEADERS, id="two equal headers"),
    ],
)


@FAULTS
def test_a_feed_that_cannot_be_used_is_named_by_land(project: Path, settings: str) -> None:
    path = _declare(project, "some_feed", settings)
    process = _run(project, "showcost", "land", "--json")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == f"showcost: {path}: {TO_LAND[settings]}\n"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(UNKNOWN_KEY, id="unknown key"),
        pytest.param(WRONG_KIND, id="wrong kind of record", marks=pytest.mark.slow),
    ],
)
def test_a_feed_that_cannot_be_used_is_named_by_dg_check_yaml(project: Path, settings: str) -> None:
    """The feed's path is given: without it, `dg check yaml` checks one file of each component type only."""
    path = _declare(project, "some_feed", settings)
    process = _run(project, "dg", "check", "yaml", str(path.parent))
    assert process.returncode == 1
    assert TO_DG[settings] in process.stdout
    assert process.stdout.startswith(str(path))


@pytest.mark.slow
def test_an_error_that_only_loading_finds_is_named_by_dg_check_defs(project: Path) -> None:
    path = _declare(project, "some_feed", EQUAL_HEADERS)
    process = _run(project, "dg", "check", "defs")
    assert process.returncode == 1
    output = process.stdout + process.stderr
    assert f"attributes at {path}:2" in output
    assert "fields with unique headers; 'number' means invoice_no and po_no" in output


@pytest.mark.slow
def test_a_scaffolded_feed_loads_unchanged(project: Path) -> None:
    process = _run(project, "dg", "scaffold", "defs", "showcost.components.Feed", "feeds/some_feed")
    assert process.returncode == 0, process.stdout + process.stderr
    feeds = load_feeds("HRB", project / "showcost" / "defs")
    (feed,) = (feed for feed in feeds if feed.name == "some_feed")
    assert (feed.record_kind, feed.default_currency) == ("vendor_invoice", "USD")

    shown = _run(project, "dg", "list", "defs", "--json")
    assert shown.returncode == 0, shown.stderr
    assert '"posted_some_feed"' in shown.stdout
    landed = _run(project, "showcost", "land", "--feed", "some_feed")
    assert landed.returncode == 0
    assert landed.stdout.startswith("No new deliveries in the inbox.\n")


@pytest.mark.slow
def test_a_scaffolded_feed_takes_the_kind_and_currency_that_are_named(project: Path) -> None:
    options = ["--record-kind", "payroll", "--currency", "CAD"]
    process = _run(project, "dg", "scaffold", "defs", "showcost.components.Feed", "feeds/crew-pay", *options)
    assert process.returncode == 0, process.stdout + process.stderr
    (feed,) = (feed for feed in load_feeds(folder=project / "showcost" / "defs") if feed.name == "crew_pay")
    assert (feed.record_kind, feed.default_currency) == ("payroll", "CAD")
