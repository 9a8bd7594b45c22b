"""After landing and validation every planted row of the sample has its reason code, other rows have none."""

from __future__ import annotations

import io
import json
import shutil
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from showcost.config.feeds import load_feeds
from showcost.core.hashing import sha256_file
from showcost.fx.snapshot_plan import build_snapshots
from showcost.fx.sources import embedded_history
from showcost.ingest.landing import hints_of, land, landed
from showcost.pipeline.dry_run import dry_run
from showcost.pipeline.pay_findings import pay_findings
from showcost.pipeline.validation import judged
from showcost.readers import read_delivery
from showcost.staging.assets import records_asset
from showcost.workspace import Workspace, open_workspace
from showcost_tests.sample.truth import HOME, truth

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec
    from showcost.validation.validate import ValidationResult

FEEDS = {feed.name: feed for feed in load_feeds("HRB")}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a fresh copy of the sample's data folder, without files that runs left in the committed one."""
    path = tmp_path_factory.mktemp("sample") / "data"
    left = shutil.ignore_patterns(
        "raw", "staging", "audit", "published", "locks", "ledger.duckdb*", "dagster_home"
    )
    shutil.copytree(HOME, path, ignore=left)
    return open_workspace(path)


@pytest.fixture(scope="module")
def rates(workspace: Workspace) -> pa.Table:
    span, policy = workspace.production.dates, workspace.production.fx
    days = [span.start + timedelta(days=number) for number in range((span.end - span.start).days + 1)]
    return build_snapshots(embedded_history(), days, policy.carry_days).rate_states


def _outcome(workspace: Workspace, feed: FeedSpec, rates: pa.Table) -> ValidationResult:
    land(workspace, feed)
    store = workspace.staging
    asset = records_asset(feed.name)
    rows = pa.concat_tables([store.read(asset, item.arrival.delivery) for item in landed(workspace, feed)])
    return judged(workspace, feed, rows, fx_status=rates, same_key_rows=rows)


def _elsewhere(codes: list[str]) -> list[str]:
    """Return codes without those that a dry run cannot know: of rates, and of other deliveries."""
    return [code for code in codes if not code.startswith(("SC-FX-", "SC-DUP-"))]


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_the_dry_run_of_every_sample_file_is_its_run(
    workspace: Workspace, rates: pa.Table, feed: str
) -> None:
    run: dict[str, dict[int, list[str]]] = {}
    for row in _outcome(workspace, FEEDS[feed], rates).quarantine.to_pylist():
        run.setdefault(row["delivery"], {})[row["record"]] = _elsewhere(row["codes"])
    compared = 0
    for path in sorted((HOME / "inbox" / feed).iterdir()):
        rejects = io.BytesIO()
        hints = hints_of(FEEDS[feed])
        with read_delivery(path, format=FEEDS[feed].format, hints=hints) as reading:
            result = dry_run(workspace, FEEDS[feed], path, reading, io.BytesIO(), rejects)
        if result.summary.refused or path.suffix == ".zip":
            continue
        dry = {
            line["record"]: _elsewhere(line["codes"])
            for line in map(json.loads, rejects.getvalue().splitlines())
        }
        here = run.get(sha256_file(path), {})
        assert {n: codes for n, codes in dry.items() if codes} == {
            n: codes for n, codes in here.items() if codes
        }, path.name
        compared += 1
    assert compared


def _expected(feed: str) -> set[tuple[str, int, str, str]]:
    """Return (delivery, record, code, disposition) of all that must not be posted."""
    expected = set()
    for file in truth()["feeds"][feed]:
        if file["file_code"]:
            expected.add((file["sha256"], 0, file["file_code"], "quarantined"))
        elif not file["same_bytes_as"]:
            expected |= {
                (file["sha256"], row["record"], row["code"], row["disposition"]) for row in file["planted"]
            }
    return expected


def _posted(feed: str) -> dict[tuple[str, str], Decimal]:
    """Return the sums of the clean rows, by currency and amount field."""
    sums: dict[tuple[str, str], Decimal] = {}
    for file in truth()["feeds"][feed]:
        for currency, totals in file["posted"].items():
            for name, text in totals.items():
                sums[currency, name] = sums.get((currency, name), Decimal(0)) + Decimal(text)
    return sums


def _sums(valid: pa.Table, names: set[str]) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for currency in pc.unique(valid.column("currency")).to_pylist():
        rows = valid.filter(pc.equal(valid.column("currency"), currency))
        sums[currency, "rows"] = Decimal(len(rows))
        sums |= {(currency, name): pc.sum(rows.column(name)).as_py() for name in names - {"rows"}}
    return {key: value for key, value in sums.items() if value is not None}


def test_every_flagged_row_of_payroll_has_its_finding_and_no_other_row_any(
    workspace: Workspace, rates: pa.Table
) -> None:
    feed = FEEDS["payroll_manifest"]
    valid = _outcome(workspace, feed, rates).valid
    findings = pay_findings(
        valid,
        feed=feed,
        production=workspace.production,
        chart=workspace.chart,
        agreements=workspace.agreements,
    )
    assert {(row["delivery"], row["record"], row["code"]) for row in findings.to_pylist()} == {
        (file["sha256"], row["record"], row["code"])
        for file in truth()["feeds"]["payroll_manifest"]
        for row in file.get("flagged", [])
    }
    # A finding within one row is a flag of the row too; rest takes two rows.
    assert sorted(pc.list_flatten(valid.column("flags")).to_pylist()) == ["SC-PAY-007", "SC-PAY-009"]


@pytest.mark.parametrize("name", FEEDS)
def test_every_planted_row_gets_its_code_and_every_other_row_is_valid(
    name: str, workspace: Workspace, rates: pa.Table
) -> None:
    outcome = _outcome(workspace, FEEDS[name], rates)
    quarantined: list[dict[str, Any]] = outcome.quarantine.select(
        ["delivery", "record", "codes", "disposition"]
    ).to_pylist()
    # Wrong tax is not that of its code either, which is a warning and not what was planted.
    outcomes = {
        (
            row["delivery"],
            row["record"],
            ",".join(code for code in row["codes"] if code != "SC-TAX-002"),
            row["disposition"],
        )
        for row in quarantined
    }
    assert outcomes == _expected(name)
    assert outcome.counts.received == sum(file["received"] for file in truth()["feeds"][name])
    posted = _posted(name)
    assert _sums(outcome.valid, {field for _, field in posted}) == posted
