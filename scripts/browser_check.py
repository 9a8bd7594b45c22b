"""Check the Dagster UI and the report of a demo in a headless Chromium and save screenshots.

    python scripts/browser_check.py [--home .demo] [--out .browser] [--images docs/images]

The checks: the asset graph, collapsed and expanded, runs from left to right in the order of the pipeline; the
launch dialog of the job materialises one partition and no other; a failed check gives its cause; a quarantine
partition shows its reasons; an asset shows its columns; ticks, runs and alerts say what was done; the book of
the report leads from figures to raw text; a foreign page can neither change nor read anything. A copy of the
demo is served; the demo does not change.
Exit status 1 and one sentence if a check fails, 2 if there is no browser.

Needs the package of the extra `browser` and a Chromium: /usr/bin/chromium, or the path in `CHROMIUM`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from book_walk import book_checks, write_report
from dagster_server import REPOSITORY, CheckFailedError, Server, require, serve, wait_for
from foreign_page import FLAG, check_foreign_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from playwright.sync_api import Browser, FloatRect, Locator, Page, ViewportSize

JOB = "costs_by_transaction_date"
REPORT_JOB = "lender_snapshot_of_a_period"
PIPELINE_GROUPS = ("deliveries", "raw_rows", "validation", "ledger")
GROUPS = {*PIPELINE_GROUPS, "fx_snapshots"}
CHECK = "no_rejected_rows"
LOCATION = "showcost.definitions"
FEED_OF_LETTER = "location_permits"
"""The feed whose inbox gets a letter, which is no list."""

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", FLAG),
)
SIZE: ViewportSize = {"width": 1600, "height": 1000}
TALL: ViewportSize = {"width": 1600, "height": 1250}
WIDE: ViewportSize = {"width": 2560, "height": 1600}
WHOLE: ViewportSize = {"width": 3600, "height": 7200}

LONG: ViewportSize = {"width": 1600, "height": 4200}

SHOW_SECONDS = 60
RUN_SECONDS = 600
TICK_SECONDS = 400
IMAGES = (
    *("asset-graph", "quarantine-reasons", "ledger-partition", "book", "book-entry", "cost-report-chart"),
    *("runs-of-automation", "tick-alerts"),
)
"""Screenshots of the documentation."""


@dataclass(frozen=True)
class Quarantine:
    """A partition of a feed's quarantine with its reason codes."""

    feed: str
    partition: str
    codes: tuple[str, ...]

    @property
    def asset(self) -> str:
        """The name of the asset."""
        return f"quarantine_{self.feed}"


class Ui:
    """A page of the UI, with methods that wait for its contents and save screenshots to a folder."""

    def __init__(self, browser: Browser, server: Server, out: Path) -> None:
        self.server = server
        self._browser = browser
        self._out = out
        self.page: Page = browser.new_page(viewport=SIZE)

    def new_page(self, size: ViewportSize = SIZE) -> None:
        """Open a new page, without the groups that the former page has expanded."""
        self.page.close()
        self.page = self._browser.new_page(viewport=size)

    def open(self, path: str, *texts: str) -> None:
        """Open a path and wait until it shows the texts; no welcome dialog may cover them."""
        self.page.goto(self.server.url + path)
        for text in texts:
            self.shows(text)
        welcome = self.page.get_by_text("Join the Dagster community").count()
        require(not welcome, "a welcome dialog is in the way")

    def shows(self, text: str) -> Locator:
        """Wait until the page shows a text and return its locator."""
        place = self.page.get_by_text(text).first
        wait_for(place.is_visible, SHOW_SECONDS, f"{self.page.url} does not show {text!r}")
        return place

    def screenshot(self, name: str, clip: FloatRect | None = None) -> None:
        """Save a screenshot of the page, or of a part of it, after a pause for it to settle."""
        self.page.wait_for_timeout(1500)
        self.page.screenshot(path=self._out / f"{name}.png", clip=clip)

    def nodes(self, names: set[str], *, group: bool = False) -> dict[str, tuple[float, float]]:
        """Return the left edge and the top, in pixels, of the graph's drawn groups or assets.

        Zoomed out, the UI shortens a name in its middle; `names` are the full names.
        """
        nodes: list[tuple[str, float, float]] = self.page.evaluate(_NODES, group)
        return {_full_name(name, names): (x, y) for name, x, y in nodes}

    def settled(
        self, names: set[str], sentence: str, *, group: bool = False
    ) -> dict[str, tuple[float, float]]:
        """Return the places of nodes when all of them are drawn and no longer move."""
        last: dict[str, tuple[float, float]] = {}

        def is_still() -> bool:
            nonlocal last
            before, last = last, self.nodes(names, group=group)
            return names <= last.keys() and before == last

        wait_for(is_still, SHOW_SECONDS, sentence)
        return last


def _full_name(label: str, names: set[str]) -> str:
    """Return the full name for a label, which may be shortened; the label if no name matches."""
    start, ellipsis, end = label.partition("\N{HORIZONTAL ELLIPSIS}")
    if not ellipsis:
        return label
    matches = [name for name in names if name.startswith(start) and name.endswith(end)]
    require(len(matches) <= 1, f"{label!r} in the graph may be any of {', '.join(sorted(matches))}")
    return matches[0] if matches else label


_NODES = """group => [...document.querySelectorAll('foreignObject')]
    .filter(node => (node.getAttribute('class') === 'group') === group)
    .map(node => [node.querySelector('[data-tooltip]')?.dataset.tooltip ?? node.textContent, node])
    .filter(([name]) => name)
    .map(([name, node]) => [name, node.getBoundingClientRect()])
    .map(([name, place]) => [name, place.x, place.y])"""


def check_collapsed(ui: Ui) -> None:
    """Check that the groups are placed from left to right in the order of the pipeline."""
    ui.open("/asset-groups")
    places = ui.settled(GROUPS, "the collapsed graph does not show all five groups", group=True)
    lefts = [places[group][0] for group in PIPELINE_GROUPS]
    require(
        lefts == sorted(set(lefts)), f"the groups are not in order from left to right: {_listing(places)}"
    )
    require(
        places["fx_snapshots"][0] < places["validation"][0],
        f"fx_snapshots is not left of validation: {_listing(places)}",
    )
    ui.screenshot("graph-collapsed")


def check_expanded(ui: Ui) -> None:
    """Check that every asset is placed right of all its dependencies."""
    nodes = ui.server.query("{ assetNodes { assetKey { path } dependencyKeys { path } } }")["assetNodes"]
    dependencies = {_name(node["assetKey"]): [_name(key) for key in node["dependencyKeys"]] for node in nodes}
    ui.new_page(WHOLE)
    ui.open("/asset-groups")
    ui.settled(GROUPS, "the graph does not show its groups", group=True)
    ui.page.keyboard.press("Alt+e")
    zoom_out = ui.page.locator("button:has([aria-label=zoom_out])")
    for _ in range(12):
        if dependencies.keys() <= ui.nodes(set(dependencies)).keys():
            break
        zoom_out.click()
        ui.page.wait_for_timeout(800)
    places = ui.settled(set(dependencies), f"the expanded graph does not show all {len(dependencies)} assets")
    for asset, sources in dependencies.items():
        for source in sources:
            require(places[source][0] < places[asset][0], f"{asset} is not right of {source}")
    ui.screenshot("graph-expanded")


def show_one_feed(ui: Ui, feed: str) -> None:
    """Save a readable screenshot of the graph of one feed."""
    ui.new_page(WIDE)
    selection = f'tag:"showcost/feed"="{feed}" or key:"fx_snapshots" or key:"ledger_entries"'
    ui.open(f"/asset-groups~{quote(selection, safe='')}/")
    ui.settled(GROUPS, "the graph of one feed does not show its groups", group=True)
    ui.page.keyboard.press("Alt+e")
    prefixes = ("deliveries", "raw", "valid", "quarantine", "undated", "posted")
    names = {f"{prefix}_{feed}" for prefix in prefixes}
    ui.settled(names | {"fx_snapshots", "ledger_entries"}, f"the graph of {feed} does not show its assets")
    ui.page.mouse.move(5, 5)
    ui.screenshot("asset-graph", _around(ui.page.evaluate(_EXTENT)))


_EXTENT = """() => [...document.querySelectorAll('foreignObject')].map(node => node.getBoundingClientRect())
    .map(place => [place.left, place.top, place.right, place.bottom])"""


def _around(places: Sequence[Sequence[float]]) -> FloatRect:
    margin = 24
    left, top = (min(place[side] for place in places) - margin for side in (0, 1))
    right, bottom = (max(place[side] for place in places) + margin for side in (2, 3))
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def find_quarantine(server: Server) -> Quarantine:
    """Return the quarantine partition with the most reason codes."""
    nodes = server.query("{ assetNodes { assetKey { path } } }")["assetNodes"]
    names = sorted(_name(node["assetKey"]) for node in nodes)
    partitions = [
        Quarantine(name.removeprefix("quarantine_"), event["partition"], codes)
        for name in names
        if name.startswith("quarantine_")
        for event in server.query(_MATERIALIZATIONS, asset={"path": [name]})["assetNodeOrError"]["events"]
        if (codes := _codes(event["metadataEntries"]))
    ]
    require(partitions, "no quarantine partition has any reasons; is the demo complete?")
    return max(partitions, key=lambda quarantine: (len(quarantine.codes), quarantine.partition))


_MATERIALIZATIONS = """query($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on AssetNode {
    events: assetMaterializations(limit: 500) { partition metadataEntries {
        label ... on TableMetadataEntry { table { records } } } } } } }"""


def _codes(entries: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        str(json.loads(record)["code"])
        for entry in entries
        if entry["label"] == "reasons"
        for record in entry["table"]["records"]
    )


def check_launch(ui: Ui, partition: str) -> None:
    """Check that the launch dialog of the job materialises the chosen partition and no other."""
    before = _runs(ui.server)
    ui.open(f"/locations/{LOCATION}/jobs/{JOB}", JOB)
    ui.page.get_by_role("button", name="Materialize all").first.click()
    dialog = ui.page.get_by_role("dialog").last
    choice = dialog.locator("input[placeholder]").first
    wait_for(choice.is_visible, SHOW_SECONDS, "the launch dialog does not offer partitions")
    choice.fill(partition)
    choice.press("Enter")
    launch = dialog.get_by_role("button", name="Launch 1 run")
    wait_for(launch.is_visible, SHOW_SECONDS, f"the launch dialog does not offer one run for {partition}")
    ui.screenshot("launch-dialog")
    launch.click()
    runs = wait_for(lambda: _runs(ui.server).keys() - before.keys(), SHOW_SECONDS, "no run was launched")
    require(len(runs) == 1, f"{len(runs)} runs were launched for one partition")
    (run,) = runs
    wait_for(lambda: _runs(ui.server)[run] in _ENDED, RUN_SECONDS, f"run {run} did not end")
    require(_runs(ui.server)[run] == "SUCCESS", f"run {run} ended with {_runs(ui.server)[run]}")
    check_materialized(ui.server, run, partition)
    ui.open(f"/runs/{run}", "Success")
    ui.screenshot("run")
    ui.open("/runs", run[:8])
    ui.screenshot("runs")


_ENDED = ("SUCCESS", "FAILURE", "CANCELED")


def _runs(server: Server) -> dict[str, str]:
    data = server.query("{ runsOrError(limit: 20) { ... on Runs { results { runId status } } } }")
    return {run["runId"]: run["status"] for run in data["runsOrError"]["results"]}


def check_materialized(server: Server, run: str, partition: str) -> None:
    """Check that a run materialised all partitioned assets for the partition, and none for another."""
    nodes = server.query("{ assetNodes { assetKey { path } isPartitioned } }")["assetNodes"]
    expected = {_name(node["assetKey"]) for node in nodes if node["isPartitioned"]}
    events = server.query(
        """query($run: ID!) { runOrError(runId: $run) { ... on Run {
            assetMaterializations { partition assetKey { path } } } } }""",
        run=run,
    )["runOrError"]["assetMaterializations"]
    partitioned = [event for event in events if _name(event["assetKey"]) in expected]
    others = {event["partition"] for event in partitioned} - {partition}
    require(not others, f"run {run} was launched for {partition} but materialised {sorted(others, key=str)}")
    missing = expected - {_name(event["assetKey"]) for event in partitioned}
    require(not missing, f"run {run} did not materialise {', '.join(sorted(missing))}")


def check_failed_check(ui: Ui, quarantine: Quarantine) -> None:
    """Check that the warning about rejected rows has failed and names their reason codes."""
    ui.open(f"/assets/{quarantine.asset}?view=checks&checkDetail={CHECK}", "Latest execution", "Failed")
    for code in quarantine.codes:
        ui.shows(code)
    ui.screenshot("failed-check")


def check_passed_checks(ui: Ui) -> None:
    """Check that the ledger's check has passed and that no date counts as failed or skipped."""
    ui.open("/assets/ledger_entries?view=checks&checkDetail=append_only", "Latest execution", "Passed")
    ui.page.get_by_role("tab", name="Partitions").last.click()
    ui.shows("Execution Failed (0)")
    for state in ("Failed (0)", "Skipped (0)"):
        ui.shows(state)
    ui.screenshot("passed-checks")


def check_reasons(ui: Ui, quarantine: Quarantine) -> None:
    """Check that a quarantine partition shows a table of its reasons, and the ledger a table of totals."""
    ui.new_page(TALL)
    ui.open(f"/assets/{quarantine.asset}?view=partitions&partition={quarantine.partition}", "reasons")
    for code in quarantine.codes:
        cell = ui.page.get_by_role("cell", name=code, exact=True).first
        wait_for(cell.is_visible, SHOW_SECONDS, f"the reasons of {quarantine.asset} do not show {code}")
    ui.screenshot("quarantine-reasons")
    ui.open(f"/assets/ledger_entries?view=partitions&partition={quarantine.partition}", "totals")
    ui.screenshot("ledger-partition")


def check_reports(ui: Ui) -> None:
    """Check that the cost report shows headline, sections and a chart, and the snapshot its folder."""
    ui.new_page(LONG)
    ui.open("/assets/cost_report?view=overview", "cost_to_date", "sections", "bridge")
    ui.screenshot("cost-report-asset", {"x": 240, "y": 0, "width": 1340, "height": 2000})
    ui.page.get_by_text("[Show Markdown]").first.click()
    chart = ui.page.get_by_role("dialog").locator("img").first
    wait_for(chart.is_visible, SHOW_SECONDS, "the cost report shows no chart")
    require(chart.evaluate("chart => chart.naturalWidth"), "the chart of the cost report is not drawn")
    ui.page.set_viewport_size(SIZE)
    ui.screenshot("cost-report-chart")
    before = _runs(ui.server)
    ui.server.query(_LAUNCH, job=REPORT_JOB)
    runs = wait_for(lambda: _runs(ui.server).keys() - before.keys(), SHOW_SECONDS, "no report was launched")
    (run,) = runs
    wait_for(lambda: _runs(ui.server)[run] in _ENDED, RUN_SECONDS, f"run {run} did not end")
    require(_runs(ui.server)[run] == "SUCCESS", f"the report's run ended with {_runs(ui.server)[run]}")
    ui.open("/assets/lender_snapshot?view=overview", "published/reports", "sha256")
    ui.screenshot("lender-snapshot")


_LAUNCH = """mutation($job: String!) { launchRun(executionParams: {selector: {
    repositoryLocationName: "showcost.definitions", repositoryName: "__repository__", jobName: $job},
    runConfigData: {}}) { __typename } }"""


def check_columns(ui: Ui, quarantine: Quarantine) -> None:
    """Check that an asset shows its description, columns and lineage."""
    ui.open("/assets/ledger_entries", "Description", "base_amount", "amount in base, rounded once")
    ui.screenshot("ledger-overview")
    ui.open(f"/assets/{quarantine.asset}", "Description", "Columns")
    ui.screenshot("quarantine-overview")
    ui.open("/assets/ledger_entries?view=lineage", "ledger_entries")
    ui.settled({f"posted_{quarantine.feed}", "ledger_entries"}, "the lineage of the ledger is not shown")
    ui.screenshot("lineage")


def check_automation(ui: Ui) -> None:
    """Check that ticks say what they did, that the list of runs can be read, and an alert's text."""
    inbox = ui.server.home / "inbox"
    letter = inbox / FEED_OF_LETTER / "letter.csv"
    for path in (letter, inbox / "elsewhere" / "letter.csv"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Dear Sir,\r\nno permits this week\r\n", encoding="utf-8")
        os.utime(path, (0, 0))
    before = _runs(ui.server).keys()
    for sensor in ("inbox", "alerts"):
        ui.server.query(_START, selector=_sensor(sensor))
    ui.open("/automation", "nightly", "inbox", "alerts")
    ui.screenshot("automation")
    wait_for(lambda: _idle(ui.server, before), RUN_SECONDS, "the inbox sensor did not end its work")
    ui.open("/runs", "showcost/work: landing", f"showcost/feeds: {FEED_OF_LETTER}", "showcost/work: reports")
    ui.screenshot("runs-of-automation")
    check_tick(ui, "inbox", "no feed matches elsewhere/letter.csv")
    check_tick(ui, "alerts", "next: ask the sender for a new file")


def check_tick(ui: Ui, sensor: str, text: str) -> None:
    """Check that the last tick of a sensor that says a text shows it."""
    ticks: list[dict[str, Any]] = []

    def says_it() -> bool:
        ticks[:] = ui.server.query(_TICKS, selector=_sensor(sensor))["sensorOrError"]["sensorState"]["ticks"]
        return any(text in (tick["skipReason"] or "") for tick in ticks)

    wait_for(says_it, TICK_SECONDS, f"no tick of {sensor} says {text!r}")
    (tick, *_) = (tick for tick in ticks if text in (tick["skipReason"] or ""))
    ui.open(f"/locations/{LOCATION}/sensors/{sensor}?tickId={tick['tickId']}", text)
    ui.screenshot(f"tick-{sensor}")


def _sensor(name: str) -> dict[str, str]:
    return {"repositoryLocationName": LOCATION, "repositoryName": "__repository__", "sensorName": name}


def _idle(server: Server, before: Collection[str]) -> bool:
    """Return whether the reports were made in a run that is new, and no run is under way."""
    runs = server.query(_RUN_TAGS)["runsOrError"]["results"]
    reports = {"key": "showcost/work", "value": "reports"}
    made = any(reports in run["tags"] for run in runs if run["runId"] not in before)
    return made and all(run["status"] in _ENDED for run in runs)


_START = """mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) { __typename } }"""
_TICKS = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
    sensorState { ticks(limit: 20) { tickId skipReason } } } } }"""
_RUN_TAGS = """{ runsOrError(limit: 20) { ... on Runs { results { runId status tags { key value } } } } }"""


def run_checks(home: Path, out: Path) -> None:
    """Run all checks and save screenshots to `out`, at the end one of a failed check."""
    from playwright.sync_api import Error, sync_playwright

    with serve(home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=list(FLAGS), headless=True)
        ui = Ui(browser, server, out)
        try:
            check_foreign_pages(browser, server)
            print("passed: a foreign page can neither change nor read anything", flush=True)
            check_book(browser, home, out)
            for sentence, check in checks(ui, find_quarantine(server)):
                ui.new_page()
                check()
                print(f"passed: {sentence}", flush=True)
        except CheckFailedError:
            ui.screenshot("failure")
            raise
        except Error as error:
            raise CheckFailedError(f"browser error: {error.message.splitlines()[0]}") from None
        finally:
            browser.close()


def check_book(browser: Browser, home: Path, out: Path) -> None:
    """Write the report of the demo and walk through its book."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "report"
        write_report(home, folder)
        for sentence, check in book_checks(browser, folder, out):
            check()
            print(f"passed: {sentence}", flush=True)


def checks(ui: Ui, quarantine: Quarantine) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield a sentence and the function of each check."""
    day, asset = quarantine.partition, quarantine.asset
    yield "the collapsed graph reads from left to right", lambda: check_collapsed(ui)
    yield "the expanded graph reads from left to right", lambda: check_expanded(ui)
    yield "the graph of one feed is shown", lambda: show_one_feed(ui, quarantine.feed)
    yield f"{day} is materialised from the launch dialog", lambda: check_launch(ui, day)
    yield f"{asset} gives the cause of a failed check", lambda: check_failed_check(ui, quarantine)
    yield "the ledger's check has passed for all dates", lambda: check_passed_checks(ui)
    yield f"{asset} shows its reasons", lambda: check_reasons(ui, quarantine)
    yield "the cost report shows its figures and charts", lambda: check_reports(ui)
    yield "columns and lineage are shown", lambda: check_columns(ui, quarantine)
    yield "ticks, runs and alerts say what was done", lambda: check_automation(ui)


def _name(key: dict[str, list[str]]) -> str:
    return "/".join(key["path"])


def _listing(places: dict[str, tuple[float, float]]) -> str:
    return ", ".join(
        f"{name} at {x:.0f}" for name, (x, _) in sorted(places.items(), key=lambda item: item[1])
    )


def _chromium() -> str:
    return os.environ.get("CHROMIUM", CHROMIUM)


def main() -> int:
    """Run the checks and return the exit status."""
    parser = argparse.ArgumentParser(description="Check the Dagster UI of a demo in a headless Chromium.")
    home, out = REPOSITORY / ".demo", REPOSITORY / ".browser"
    parser.add_argument("--home", type=Path, default=home, help="a data folder that has a run")
    parser.add_argument("--out", type=Path, default=out, help="folder for screenshots")
    parser.add_argument(
        "--images", type=Path, help="also copy the documentation's screenshots to this folder"
    )
    arguments = parser.parse_args()
    if find_spec("playwright") is None:
        print("browser_check: install the extra `browser` first (make browser-check does)", file=sys.stderr)
        return 2
    if not Path(_chromium()).exists():
        print(f"browser_check: {_chromium()} is missing; set CHROMIUM to a Chromium", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    # SIGTERM must stop the server and the browser, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run_checks(arguments.home.resolve(), arguments.out)
    except CheckFailedError as error:
        print(f"browser_check: {error}", file=sys.stderr)
        return 1
    if arguments.images:
        arguments.images.mkdir(parents=True, exist_ok=True)
        for name in IMAGES:
            shutil.copyfile(arguments.out / f"{name}.png", arguments.images / f"{name}.png")
    print(f"Screenshots are in {arguments.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
