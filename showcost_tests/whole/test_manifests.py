"""Manifests in the layouts of several services, described in YAML; none is posted in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import yaml

from showcost.config.feed import FeedSpec
from showcost.ingest.landing import land, landed
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions, posted_days
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.staging.assets import valid_asset
from showcost_tests.whole import small

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

# A service that writes a report: preamble, American dates, one name for each column of its own, a total.
REPORT_YAML: Final = """
name: report_service
description: Manifests of a service that writes them as a report
record_kind: payroll
dialect: {delimiter: ","}
date_formats: ["%m/%d/%Y"]
decimal_mark: "."
constants: {payroll_company: Report Service, currency: CAD}
control_total: {labels: ["Report total"], field: gross}
fields:
  production_code: {headers: [Project]}
  payroll_invoice_no: {headers: [Batch]}
  employee_ref: {headers: [Worker Ref]}
  agreement: {headers: [Contract]}
  union_local: {headers: [Guild Local]}
  occupation_code: {headers: [Job Code]}
  account: {headers: [GL Code]}
  work_date: {headers: [Worked]}
  call_time: {headers: [In]}
  wrap_time: {headers: [Out]}
  rate: {headers: [Pay Rate]}
  rate_basis: {headers: [Per]}
  hours_1x: {headers: [ST]}
  hours_1_5x: {headers: [OT]}
  hours_2x: {headers: [DT]}
  gross: {headers: [Gross Wages]}
  benefit_amount: {headers: [PHW]}
"""
HEADER: Final = (
    "Project,Batch,Worker Ref,Contract,Guild Local,Job Code,GL Code,Worked,In,Out,Pay Rate,Per,ST,OT,DT,"
    "Gross Wages,PHW"
)
CREW: Final = "Toronto technicians,667,T-CAM-OP,4110"
REPORT: Final = f"""\
Manifest of wages,,,,,,,,,,,,,,,,
Printed 2026-10-31,,,,,,,,,,,,,,,,
{HEADER}
HRB,B-1,E-0400,{CREW},10/28/2026,6:00 AM,2:00 PM,71.20,hour,8,4,1.5,"1,210.40",205.77
HRB,B-1,E-0401,{CREW},10/28/2026,6:00 AM,2:00 PM,71.20,hour,8,0,0,569.60,96.83
HRB,B-1,E-0400,{CREW},10/29/2026,6:00 AM,2:00 PM,71.20,hour,8,0,0,569.60,96.83
Report total,,,,,,,,,,,,,,,"2,349.60",
"""

# A service that writes tab-separated columns in an order of its own, with decimal commas and day-first dates.
TABS_YAML: Final = """
name: tab_service
description: Manifests of a service that writes tab-separated columns
record_kind: payroll
dialect: {delimiter: "\\t"}
date_formats: ["%d.%m.%Y"]
decimal_mark: ","
constants: {payroll_company: Tab Service, rate_basis: hour, agreement: Toronto technicians}
control_total: {labels: ["SUMME"], field: gross}
fields:
  work_date: {headers: [Tag]}
  employee_ref: {headers: [Person]}
  payroll_invoice_no: {headers: [Beleg]}
  union_local: {headers: [Sektion]}
  occupation_code: {headers: [Taetigkeit]}
  account: {headers: [Konto]}
  call_time: {headers: [Beginn]}
  wrap_time: {headers: [Ende]}
  currency: {headers: [Waehrung]}
  rate: {headers: [Satz]}
  hours_1x: {headers: [Std]}
  hours_1_5x: {headers: [Std 150]}
  hours_2x: {headers: [Std 200]}
  gross: {headers: [Brutto]}
  benefit_amount: {headers: [Beitrag]}
"""
TAB_NAMES: Final = (
    "Tag|Person|Beleg|Sektion|Taetigkeit|Konto|Beginn|Ende|Waehrung|Satz|Std|Std 150|Std 200|Brutto|Beitrag"
)
TABS: Final = "\n".join(
    "\t".join(line.split("|"))
    for line in (
        TAB_NAMES,
        "28.10.2026|E-0400|B-1|667|T-CAM-OP|4110|06:00|14:00|CAD|71,20|8|4|1,5|1.210,40|205,77",
        "28.10.2026|E-0401|B-1|667|T-CAM-OP|4110|06:00|14:00|CAD|71,20|8|0|0|569,60|96,83",
        "29.10.2026|E-0400|B-1|667|T-CAM-OP|4110|06:00|14:00|CAD|71,20|8|0|0|569,60|96,83",
        "SUMME|||||||||||||2.349,60|",
        "",
    )
)
LAYOUTS: Final = {"report": (REPORT_YAML, REPORT), "tabs": (TABS_YAML, TABS)}
DAYS: Final = [small.WEDNESDAY, small.THURSDAY]


def feed_of(layout: str) -> FeedSpec:
    settings = yaml.load(LAYOUTS[layout][0], yaml.BaseLoader)  # noqa: S506 -- it makes nothing but texts
    return FeedSpec.model_validate(settings | {"productions": ()})


def take(workspace: Workspace, feed: FeedSpec, *contents: str) -> int:
    """Process manifests into the ledger and return their entries."""
    for number, content in enumerate(contents):
        small.deliver(workspace, feed.name, f"manifest {number}.csv", content)
    land(workspace, feed)
    pin_snapshots(workspace, DAYS)
    write_raw_rows(workspace, feed, DAYS)
    quarantine_undated(workspace, feed)
    validate_partitions(workspace, feed, DAYS)
    appended = post_partitions(workspace, feed, DAYS, "test")
    return sum(day.entries for day in posted_days(workspace, feed, DAYS, appended).values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_of_a_service_is_a_matter_of_yaml(tmp_path: Path, layout: str) -> None:
    workspace, feed = small.make_home(tmp_path / "home"), feed_of(layout)
    assert take(workspace, feed, LAYOUTS[layout][1]) == 6
    rows = workspace.staging.read(valid_asset(feed.name), small.WEDNESDAY.isoformat()).to_pylist()
    assert [(row["employee_ref"], str(row["gross"]), str(row["hours_2x"])) for row in rows] == [
        ("E-0400", "1210.4000", "1.500000"),
        ("E-0401", "569.6000", "0.000000"),
    ]
    assert {row["pay_rules"].partition("@")[0] for row in rows} == {"Toronto technicians 2026.1"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_manifest_that_was_cut_short_anywhere_leaves_nothing_in_the_ledger(
    tmp_path: Path, layout: str
) -> None:
    """A file cut after a line, or within a line, is refused as a whole, and stored."""
    manifest = LAYOUTS[layout][1]
    lines = manifest.splitlines(keepends=True)
    rows = [place for place, line in enumerate(lines) if "E-04" in line]
    cuts = ["".join(lines[:place]) for place in (*rows[1:], rows[-1] + 1)]
    cuts += ["".join(lines[:place]) + lines[place][: len(lines[place]) // 2] for place in rows]
    workspace, feed = small.make_home(tmp_path / "home"), feed_of(layout)
    assert take(workspace, feed, *cuts) == 0
    refused = [delivery.summary.refused for delivery in landed(workspace, feed)]
    # A cut through the first row leaves a header with more names than the only row has cells.
    expected = ["SC-FIL-003"] * len(cuts)
    expected[len(rows)] = "SC-FIL-002"
    assert refused == expected
    with workspace.ledger.read() as connection:
        assert connection.sql("SELECT count(*) FROM ledger_entries").fetchall() == [(0,)]


def test_manifest_whose_rows_do_not_come_to_its_total_leaves_nothing_either(tmp_path: Path) -> None:
    workspace, feed = small.make_home(tmp_path / "home"), feed_of("report")
    lines = REPORT.splitlines(keepends=True)
    assert take(workspace, feed, "".join([*lines[:4], *lines[5:]])) == 0
    assert [delivery.summary.refused for delivery in landed(workspace, feed)] == ["SC-FIL-003"]
