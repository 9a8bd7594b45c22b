"""Walk through the book of a report in a headless Chromium, as a lender would.

The checks: the page makes no request but for its own files; it works from the keyboard; a figure leads to
entries that add up to it, and from there to the raw text and the file of the delivery, in two clicks; a
search finds the entry again; a printed page has every section open. Used by `browser_check.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_server import CheckFailedError, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator, Page, ViewportSize

SIZE: ViewportSize = {"width": 1360, "height": 1000}
FIGURE = "#table-cost_report tbody tr:not(.group) td.n a[href^='#/account/']"
PLAN_FIGURE = "#table-cost_report tbody tr:not(.group) td.n a[href^='#/lines/']"
MOST_CLICKS = 3


def write_report(home: Path, folder: Path) -> None:
    """Write the report of a data folder with the command of a user."""
    command = [str(Path(sys.executable).with_name("showcost")), "report", "--home", str(home)]
    done = subprocess.run([*command, "--out", str(folder)], check=False, capture_output=True, text=True)  # noqa: S603 - our own command
    require(done.returncode == 0, f"showcost report failed: {done.stderr.strip()[-300:]}")


class Walk:
    """A page of the book, with the requests that it made and the clicks since the report."""

    def __init__(self, browser: Browser, folder: Path, out: Path) -> None:
        self._out, self._url = out, folder.resolve().joinpath("index.html").as_uri()
        self._folder = folder.resolve().as_uri()
        self.problems: list[str] = []
        self.clicks = 0
        self.page: Page = browser.new_page(viewport=SIZE)
        self.page.on("request", lambda request: self._check_request(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console", lambda line: self.problems.append(line.text) if line.type == "error" else None
        )

    def _check_request(self, url: str) -> None:
        if not url.startswith(f"{self._folder}/"):
            self.problems.append(f"a request to {url}")

    def _check_console(self, kind: str, text: str) -> None:
        if kind == "error":
            self.problems.append(text)

    def open(self) -> None:
        """Open the report."""
        self.clicks = 0
        self.page.goto("about:blank")
        self.page.goto(self._url)

    def click(self, place: Locator) -> None:
        """Click a link and wait for the view that it opens."""
        title = self.page.title()
        place.click()
        self.clicks += 1
        self.page.wait_for_function("title => document.title !== title", arg=title)

    def text(self, selector: str) -> str:
        """Return the text of the first element that matches."""
        text: str = self.page.locator(selector).first.inner_text()
        return text

    def screenshot(self, name: str) -> None:
        """Save a screenshot of the window."""
        self.page.screenshot(path=self._out / f"{name}.png")


def book_checks(browser: Browser, folder: Path, out: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield a sentence and the function of each check of the book in a folder."""
    walk = Walk(browser, folder, out)
    yield "the book opens with figures and sections", lambda: check_report(walk)
    yield "the book works from the keyboard", lambda: check_keyboard(walk)
    yield "a figure of the book leads to its entries and their raw text", lambda: check_way_down(walk)
    yield "the book's search finds the entry again", lambda: check_search(walk)
    yield "a planned figure of the book leads to its lines", lambda: check_plan(walk)
    yield "the printed book has every section open", lambda: check_print(walk)
    yield "the book makes no request and reports no error", lambda: check_problems(walk)


def check_report(walk: Walk) -> None:
    """Check that figures, tables and charts are shown."""
    walk.open()
    require(walk.page.locator(".figures .value").count(), "the book has no headline figures")
    require(walk.page.locator(FIGURE).count(), "no figure of the cost report has a link")
    require(walk.page.locator("figure svg[role=img]").count(), "the book has no charts")
    walk.screenshot("book")


def check_keyboard(walk: Walk) -> None:
    """Check that the skip link comes first, and that a section closes and opens by the keyboard."""
    walk.open()
    walk.page.keyboard.press("Tab")
    focused = walk.page.evaluate("document.activeElement.className")
    require(focused == "skip", f"the first element in the order of the keyboard is {focused!r}")
    button = walk.page.locator("#table-cost_report tr.group button").first
    row = walk.page.locator("#table-cost_report tr.group + tr").first
    for key, is_open in (("Enter", False), ("Space", True)):
        button.focus()
        walk.page.keyboard.press(key)
        require(
            button.get_attribute("aria-expanded") == str(is_open).lower() and row.is_visible() is is_open,
            f"{key} does not {'open' if is_open else 'close'} a section",
        )


def follow(walk: Walk, selector: str, behind: str) -> None:
    """Open the report, click a figure, and check that what is behind it adds up to it."""
    walk.open()
    figure = walk.page.locator(selector).first
    amount = figure.inner_text()
    walk.click(figure)
    total = walk.text("#view strong")
    require(total.endswith(f" {amount}"), f"the {behind} of {amount} add up to {total}")


def check_way_down(walk: Walk) -> None:
    """Check that a figure leads to entries with its sum, and one of them to its text and file."""
    follow(walk, FIGURE, "entries")
    require(
        walk.page.evaluate("document.activeElement.tagName") == "H2",
        "the focus does not follow to the entries",
    )
    walk.click(walk.page.locator("#view tbody a").first)
    require(walk.clicks <= MOST_CLICKS, f"the raw text takes {walk.clicks} clicks")
    require(walk.text("#view pre").strip(), "an entry has no raw text")
    shown = walk.text("#view")
    require(re.search(r"\b[0-9a-f]{64}\b", shown), "an entry does not show the sha256 of its file")
    for heading in ("Delivery", "Exchange rate", "Flags and rules", "Decisions", "Audit"):
        require(heading in shown, f"an entry does not show {heading!r}")
    walk.screenshot("book-entry")


def check_search(walk: Walk) -> None:
    """Check that the entry that is shown is found by its document number, amount and date."""
    document = walk.text("#view h2").rpartition(", ")[2]
    day, amount, *_ = walk.text("#view .facts").split(", ")
    number = walk.text("#view tr.chosen td:nth-child(4)")
    require(amount.endswith(number), f"the entry shows {amount} and {number}")
    walk.open()
    for name, value in (("q", document), ("amount", number), ("from", day), ("to", day)):
        walk.page.locator(f"#search-form [name={name}]").fill(value)
    walk.page.locator("#search-form button").click()
    walk.page.locator("#view table").first.wait_for()
    require(document in walk.text("#view tbody"), f"the search does not find {document}")
    walk.page.go_back()
    walk.page.locator("#headline").wait_for()


def check_plan(walk: Walk) -> None:
    """Check that a figure of budget, commitments or ETC leads to its lines, and these to their text."""
    follow(walk, PLAN_FIGURE, "lines")
    header = walk.page.locator("#view thead th").first.inner_text()
    first = walk.page.locator("#view tbody td").first.inner_text()
    require(header != "Vendor" or first, "a line of a purchase order does not name its vendor")
    walk.click(walk.page.locator("#view tbody a[href^='#/row/']").first)
    require(walk.clicks <= MOST_CLICKS, f"the raw text of a plan takes {walk.clicks} clicks")
    require(walk.text("#view pre").strip(), "a line of a plan has no raw text")
    walk.screenshot("book-plan-line")


def check_print(walk: Walk) -> None:
    """Check that a closed section is printed, and the search is not."""
    walk.open()
    walk.page.locator("#table-cost_report [data-all=close]").click()
    row = walk.page.locator("#table-cost_report tr.group + tr").first
    require(not row.is_visible(), "the sections of the cost report do not close")
    walk.page.emulate_media(media="print")
    require(row.is_visible(), "a closed section is not printed")
    require(not walk.page.locator("#search").is_visible(), "the search is printed")
    walk.page.emulate_media(media="screen")


def check_problems(walk: Walk) -> None:
    """Check that the walk met no error and no request to anywhere else."""
    walk.page.close()
    if walk.problems:
        raise CheckFailedError(f"the book: {walk.problems[0]}")
