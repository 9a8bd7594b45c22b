"""Look at the Dagster UI of a demo in a headless Chromium, check what people must find there, keep pictures.

    python scripts/browser_check.py [--home .demo] [--out .browser] [--images docs/images]

Checked are: the asset graph, folded and unfolded, reads from left to right as the way of a cost; one
partition is materialised from the launch dialog of the job, and only that one; a failed check says why; a
quarantine partition shows its reasons; an asset shows its columns. The demo itself is left alone, a copy of
it is served. Exit status 1 and one sentence when something does not hold, 2 when there is no browser.

Needs the package of the extra `browser` and a Chromium: /usr/bin/chromium, or the one that `CHROMIUM` names.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dagster_server import REPOSITORY, NotHeldError, Server, need, served, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, FloatRect, Locator, Page, ViewportSize

JOB = "costs_by_transaction_date"
STAGES = ("deliveries", "raw_rows", "validation", "ledger")
GROUPS = {*STAGES, "fx_snapshots"}
CHECK = "no_rejected_rows"

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SIZE: ViewportSize = {"width": 1600, "height": 1000}
TALL: ViewportSize = {"width": 1600, "height": 1250}
WIDE: ViewportSize = {"width": 2560, "height": 1600}
WHOLE: ViewportSize = {"width": 2600, "height": 2800}

SHOW_SECONDS = 60
RUN_SECONDS = 600
IMAGES = ("asset-graph", "quarantine-reasons", "ledger-partition")
"""Pictures that the documentation shows."""


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
    """A page of the UI: opens, waits for what must be there, takes pictures into a folder."""

    def __init__(self, browser: Browser, server: Server, out: Path) -> None:
        self.server = server
        self._browser = browser
        self._out = out
        self.page: Page = browser.new_page(viewport=SIZE)

    def fresh(self, size: ViewportSize = SIZE) -> None:
        """Begin anew: the UI remembers in the browser what was unfolded."""
        self.page.close()
        self.page = self._browser.new_page(viewport=size)

    def open(self, path: str, *texts: str) -> None:
        """Open a page and wait until it shows the texts, and no welcome dialog over them."""
        self.page.goto(self.server.url + path)
        for text in texts:
            self.shows(text)
        welcome = self.page.get_by_text("Join the Dagster community").count()
        need(not welcome, "a welcome dialog is in the way")

    def shows(self, text: str) -> Locator:
        """Wait until a text is on the page and return where."""
        place = self.page.get_by_text(text).first
        until(place.is_visible, SHOW_SECONDS, f"{self.page.url} does not show {text!r}")
        return place

    def picture(self, name: str, clip: FloatRect | None = None) -> None:
        """Keep a picture of the page, or of a part of it, once it has settled."""
        self.page.wait_for_timeout(1500)
        self.page.screenshot(path=self._out / f"{name}.png", clip=clip)

    def nodes(self, names: set[str], *, group: bool = False) -> dict[str, tuple[float, float]]:
        """Return the left edge and the top of the graph's groups, or of its assets, as far as they are drawn.

        From afar the UI shortens a name in its middle; `names` are those that may be meant.
        """
        found: list[tuple[str, float, float]] = self.page.evaluate(_NODES, group)
        return {_full(name, names): (x, y) for name, x, y in found}

    def settled(
        self, names: set[str], sentence: str, *, group: bool = False
    ) -> dict[str, tuple[float, float]]:
        """Return the places of nodes when all are drawn and have stopped moving."""
        last: dict[str, tuple[float, float]] = {}

        def still() -> bool:
            nonlocal last
            before, last = last, self.nodes(names, group=group)
            return names <= last.keys() and before == last

        until(still, SHOW_SECONDS, sentence)
        return last


def _full(shown: str, names: set[str]) -> str:
    """Return the one name that a shortened one stands for."""
    start, shortened, end = shown.partition("\N{HORIZONTAL ELLIPSIS}")
    if not shortened:
        return shown
    meant = [name for name in names if name.startswith(start) and name.endswith(end)]
    need(len(meant) < 2, f"{shown!r} in the graph may be any of {', '.join(sorted(meant))}")  # noqa: PLR2004 -- one or none
    return meant[0] if meant else shown


_NODES = """group => [...document.querySelectorAll('foreignObject')]
    .filter(node => (node.getAttribute('class') === 'group') === group)
    .map(node => [node.querySelector('[data-tooltip]')?.dataset.tooltip ?? node.textContent, node])
    .filter(([name]) => name)
    .map(([name, node]) => [name, node.getBoundingClientRect()])
    .map(([name, place]) => [name, place.x, place.y])"""


def check_folded(ui: Ui) -> None:
    """Hold that the groups stand from left to right in the order of a cost's way."""
    ui.open("/asset-groups")
    places = ui.settled(GROUPS, "the folded graph does not show all five groups", group=True)
    lefts = [places[stage][0] for stage in STAGES]
    need(lefts == sorted(set(lefts)), f"the groups do not stand from left to right: {_shown(places)}")
    need(
        places["fx_snapshots"][0] < places["validation"][0],
        f"fx_snapshots does not stand left of validation: {_shown(places)}",
    )
    ui.picture("graph-folded")


def check_unfolded(ui: Ui) -> None:
    """Hold that every asset stands right of all that it is made from."""
    nodes = ui.server.ask("{ assetNodes { assetKey { path } dependencyKeys { path } } }")["assetNodes"]
    made_from = {_name(node["assetKey"]): [_name(key) for key in node["dependencyKeys"]] for node in nodes}
    ui.fresh(WHOLE)
    ui.open("/asset-groups")
    ui.settled(GROUPS, "the graph does not show its groups", group=True)
    ui.page.keyboard.press("Alt+e")
    zoom_out = ui.page.locator("button:has([aria-label=zoom_out])")
    for _ in range(12):
        if made_from.keys() <= ui.nodes(set(made_from)).keys():
            break
        zoom_out.click()
        ui.page.wait_for_timeout(800)
    places = ui.settled(set(made_from), f"the unfolded graph does not show all {len(made_from)} assets")
    for asset, sources in made_from.items():
        for source in sources:
            need(places[source][0] < places[asset][0], f"{asset} does not stand right of {source}")
    ui.picture("graph-unfolded")


def show_one_feed(ui: Ui, feed: str) -> None:
    """Take the picture of one feed's way, readable in full."""
    ui.fresh(WIDE)
    selection = f'tag:"showcost/feed"="{feed}" or key:"fx_snapshots" or key:"ledger_entries"'
    ui.open(f"/asset-groups~{quote(selection, safe='')}/")
    ui.settled(GROUPS, "the graph of one feed does not show its groups", group=True)
    ui.page.keyboard.press("Alt+e")
    names = {f"{stage}_{feed}" for stage in ("deliveries", "raw", "valid", "quarantine", "undated", "posted")}
    ui.settled(names | {"fx_snapshots", "ledger_entries"}, f"the graph of {feed} does not show its assets")
    ui.page.mouse.move(5, 5)
    ui.picture("asset-graph", _around(ui.page.evaluate(_EXTENT)))


_EXTENT = """() => [...document.querySelectorAll('foreignObject')].map(node => node.getBoundingClientRect())
    .map(place => [place.left, place.top, place.right, place.bottom])"""


def _around(places: Sequence[Sequence[float]]) -> FloatRect:
    margin = 24
    left, top = (min(place[side] for place in places) - margin for side in (0, 1))
    right, bottom = (max(place[side] for place in places) + margin for side in (2, 3))
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def find_quarantine(server: Server) -> Quarantine:
    """Return the quarantine partition with the most kinds of reasons."""
    nodes = server.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]
    names = sorted(_name(node["assetKey"]) for node in nodes)
    found = [
        Quarantine(name.removeprefix("quarantine_"), one["partition"], codes)
        for name in names
        if name.startswith("quarantine_")
        for one in server.ask(_MATERIALIZATIONS, asset={"path": [name]})["assetNodeOrError"]["done"]
        if (codes := _codes(one["metadataEntries"]))
    ]
    need(found, "no quarantine partition has any reasons; is the demo complete?")
    return max(found, key=lambda one: (len(one.codes), one.partition))


_MATERIALIZATIONS = """query($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on AssetNode {
    done: assetMaterializations(limit: 500) { partition metadataEntries {
        label ... on TableMetadataEntry { table { records } } } } } } }"""


def _codes(entries: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        str(json.loads(record)["code"])
        for entry in entries
        if entry["label"] == "reasons"
        for record in entry["table"]["records"]
    )


def check_launch(ui: Ui, partition: str) -> None:
    """Hold that one partition, chosen in the launch dialog of the job, is materialised, and no other."""
    before = _runs(ui.server)
    ui.open(f"/locations/showcost/jobs/{JOB}", JOB)
    ui.page.get_by_role("button", name="Materialize all").first.click()
    dialog = ui.page.get_by_role("dialog").last
    choice = dialog.locator("input[placeholder]").first
    until(choice.is_visible, SHOW_SECONDS, "the launch dialog does not offer partitions")
    choice.fill(partition)
    choice.press("Enter")
    launch = dialog.get_by_role("button", name="Launch 1 run")
    until(launch.is_visible, SHOW_SECONDS, f"the launch dialog does not offer one run for {partition}")
    ui.picture("launch-dialog")
    launch.click()
    new = until(lambda: _runs(ui.server).keys() - before.keys(), SHOW_SECONDS, "no run was launched")
    need(len(new) == 1, f"{len(new)} runs were launched for one partition")
    (run,) = new
    until(lambda: _runs(ui.server)[run] in _ENDED, RUN_SECONDS, f"run {run} did not end")
    need(_runs(ui.server)[run] == "SUCCESS", f"run {run} ended with {_runs(ui.server)[run]}")
    check_materialized(ui.server, run, partition)
    ui.open(f"/runs/{run}", "Success")
    ui.picture("run")
    ui.open("/runs", run[:8])
    ui.picture("runs")


_ENDED = ("SUCCESS", "FAILURE", "CANCELED")


def _runs(server: Server) -> dict[str, str]:
    found = server.ask("{ runsOrError(limit: 20) { ... on Runs { results { runId status } } } }")
    return {run["runId"]: run["status"] for run in found["runsOrError"]["results"]}


def check_materialized(server: Server, run: str, partition: str) -> None:
    """Hold that a run materialised all partitioned assets for the partition, and none for another."""
    nodes = server.ask("{ assetNodes { assetKey { path } isPartitioned } }")["assetNodes"]
    expected = {_name(node["assetKey"]) for node in nodes if node["isPartitioned"]}
    done = server.ask(
        """query($run: ID!) { runOrError(runId: $run) { ... on Run {
            assetMaterializations { partition assetKey { path } } } } }""",
        run=run,
    )["runOrError"]["assetMaterializations"]
    partitioned = [one for one in done if _name(one["assetKey"]) in expected]
    others = {one["partition"] for one in partitioned} - {partition}
    need(not others, f"run {run} was launched for {partition} but materialised {sorted(others, key=str)}")
    missing = expected - {_name(one["assetKey"]) for one in partitioned}
    need(not missing, f"run {run} did not materialise {', '.join(sorted(missing))}")


def check_failed_check(ui: Ui, quarantine: Quarantine) -> None:
    """Hold that the check that warns of rejected rows has failed and says which codes."""
    ui.open(f"/assets/{quarantine.asset}?view=checks&checkDetail={CHECK}", "Latest execution", "Failed")
    for code in quarantine.codes:
        ui.shows(code)
    ui.picture("failed-check")


def check_held_checks(ui: Ui) -> None:
    """Hold that the checks of the ledger have passed, and count as passed, for every date that was run."""
    ui.open("/assets/ledger_entries?view=checks&checkDetail=append_only", "Latest execution", "Passed")
    ui.page.get_by_role("tab", name="Partitions").last.click()
    ui.shows("Execution Failed (0)")
    for state in ("Failed (0)", "Skipped (0)"):
        ui.shows(state)
    ui.picture("held-checks")


def check_reasons(ui: Ui, quarantine: Quarantine) -> None:
    """Hold that a quarantine partition shows a table of its reasons, and the ledger one of its totals."""
    ui.fresh(TALL)
    ui.open(f"/assets/{quarantine.asset}?view=partitions&partition={quarantine.partition}", "reasons")
    for code in quarantine.codes:
        cell = ui.page.get_by_role("cell", name=code, exact=True).first
        until(cell.is_visible, SHOW_SECONDS, f"the reasons of {quarantine.asset} do not show {code}")
    ui.picture("quarantine-reasons")
    ui.open(f"/assets/ledger_entries?view=partitions&partition={quarantine.partition}", "totals")
    ui.picture("ledger-partition")


def check_columns(ui: Ui, quarantine: Quarantine) -> None:
    """Hold that an asset shows its description and its columns, and what it is made from."""
    ui.open("/assets/ledger_entries", "Description", "base_amount", "amount in base, rounded once")
    ui.picture("ledger-overview")
    ui.open(f"/assets/{quarantine.asset}", "Description", "Columns")
    ui.picture("quarantine-overview")
    ui.open("/assets/ledger_entries?view=lineage", "ledger_entries")
    ui.settled({f"posted_{quarantine.feed}", "ledger_entries"}, "the lineage of the ledger is not shown")
    ui.picture("lineage")
    ui.open("/automation", "yesterday", "inbox")
    ui.picture("automation")


def look(home: Path, out: Path) -> None:
    """Go through all checks, with pictures in `out`, the last one of what does not hold."""
    from playwright.sync_api import Error, sync_playwright

    with served(home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=list(FLAGS), headless=True)
        ui = Ui(browser, server, out)
        try:
            for sentence, step in steps(ui, find_quarantine(server)):
                ui.fresh()
                step()
                print(f"holds: {sentence}", flush=True)
        except NotHeldError:
            ui.picture("not-held")
            raise
        except Error as error:
            raise NotHeldError(f"the browser says {error.message.splitlines()[0]}") from None
        finally:
            browser.close()


def steps(ui: Ui, quarantine: Quarantine) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield each check, with what it holds."""
    day, asset = quarantine.partition, quarantine.asset
    yield "the folded graph reads from left to right", lambda: check_folded(ui)
    yield "the unfolded graph reads from left to right", lambda: check_unfolded(ui)
    yield "the way of one feed is shown", lambda: show_one_feed(ui, quarantine.feed)
    yield f"{day} is materialised from the launch dialog", lambda: check_launch(ui, day)
    yield f"{asset} says why a check failed", lambda: check_failed_check(ui, quarantine)
    yield "the checks of the ledger hold for all dates", lambda: check_held_checks(ui)
    yield f"{asset} shows its reasons", lambda: check_reasons(ui, quarantine)
    yield "columns, lineage and automation are shown", lambda: check_columns(ui, quarantine)


def _name(key: dict[str, list[str]]) -> str:
    return "/".join(key["path"])


def _shown(places: dict[str, tuple[float, float]]) -> str:
    return ", ".join(f"{name} at {x:.0f}" for name, (x, _) in sorted(places.items(), key=lambda one: one[1]))


def _chromium() -> str:
    return os.environ.get("CHROMIUM", CHROMIUM)


def main() -> int:
    """Run the checks and return the exit status."""
    parser = argparse.ArgumentParser(description="Check the Dagster UI of a demo in a headless Chromium.")
    home, out = REPOSITORY / ".demo", REPOSITORY / ".browser"
    parser.add_argument("--home", type=Path, default=home, help="a data folder that has a run")
    parser.add_argument("--out", type=Path, default=out, help="where pictures are kept")
    parser.add_argument("--images", type=Path, help="also copy here the pictures of the documentation")
    arguments = parser.parse_args()
    try:
        import playwright.sync_api  # noqa: F401 -- whether it is there
    except ImportError:
        print("browser_check: install the extra `browser` first (make browser-check does)", file=sys.stderr)
        return 2
    if not Path(_chromium()).exists():
        print(f"browser_check: there is no {_chromium()}; name a Chromium with CHROMIUM", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    # Ended from outside, too, it stops what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        look(arguments.home.resolve(), arguments.out)
    except NotHeldError as error:
        print(f"browser_check: {error}", file=sys.stderr)
        return 1
    if arguments.images:
        arguments.images.mkdir(parents=True, exist_ok=True)
        for name in IMAGES:
            shutil.copyfile(arguments.out / f"{name}.png", arguments.images / f"{name}.png")
    print(f"Pictures are in {arguments.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
