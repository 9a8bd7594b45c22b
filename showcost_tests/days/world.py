"""The world of the simulated days: the clock and the disk of all processes, a vendor, and a data folder."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import struct
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from showcost.pipeline.rate_files import import_rates
from showcost.workspace import Workspace, open_workspace
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.whole.small import delimited

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE: Final = "SHOWCOST_TEST_DAYS"
COMPILERS: Final = ("cc", "gcc", "clang")
_SOURCE: Final = Path(__file__).with_name("moved.c")
_PAGE: Final = struct.Struct("<qq4096s")

START: Final = date(2030, 3, 4)
"""A Monday; on the Sunday after it, the clocks change in Los Angeles."""
ZONE: Final = "America/Los_Angeles"
FILES, PAGES = "hires", "rentals"
"""The feeds: files of several rows, and a vendor's API."""

_PRODUCTION: Final = """\
code: DAYS
title: Fourteen days
company: Fourteen Days LLC
type: streaming
base_currency: USD
timezone: {zone}
dates: {{start: {start}, end: {end}}}
principal_photography: {{start: {start}, end: {end}}}
currencies: [USD, EUR]
budget_rates: {{EUR: 1.15}}
control_accounts: {{recoverable_tax: 9110, refundable_deposit: 9120, fringe: 6990, accounts_payable: 9210,
  payroll_clearing: 9220, permits_payable: 9230, currency_rounding: 6895}}
fx: {{carry_days: 4, sources: [file]}}
alerts:
  sinks: [{{type: webhook, url_variable: SHOWCOST_ALERT_URL}}]
"""

_FEED: Final = """\
type: showcost.components.Feed
attributes:
  name: {name}
  description: Invoices for the simulated days
  record_kind: vendor_invoice
  productions: [DAYS]
  quiet_seconds: 0
  constants: {{vendor_code: V-{name}, vendor_name: {name}, vendor_tax_id: 91-7990407, vendor_country: US,
    account: "2520"}}
"""
_OF_FILES: Final = "  expected_every_days: 3\n"
_OF_PAGES: Final = """\
  format: json
  patterns: ["*.json"]
  items:
    list: invoices
    paths: {{invoice_no: id, invoice_date: date, currency: currency, net_amount: net}}
  api:
    base_url: {url}
    pages: {{kind: page, size: 25}}
    retries: {{attempts: 1, first_wait_ms: 1, longest_wait_ms: 10, rest_ms: 1, rests: 1, again_minutes: 120}}
"""


class Clock:
    """The moved clock and the disk of all processes that have the library loaded."""

    def __init__(self, file: Path) -> None:
        """Open the page, which `prepare` made."""
        self._file = file.open("r+b")
        self._page = mmap.mmap(self._file.fileno(), _PAGE.size)

    @staticmethod
    def prepare(file: Path, folder: Path) -> None:
        """Make the page for a folder whose disk can be full."""
        file.write_bytes(_PAGE.pack(0, 0, str(folder).encode()))

    def move_to(self, moment: datetime) -> None:
        """Move the clock to a time; it never goes back."""
        ahead = round((moment - datetime.now(UTC)).total_seconds())
        (offset,) = struct.unpack_from("<q", self._page, 0)
        struct.pack_into("<q", self._page, 0, offset + max(0, ahead))

    def fill_disk(self, *, full: bool) -> None:
        """Let calls that need space below the folder fail, or no longer."""
        struct.pack_into("<q", self._page, 8, int(full))


def compiled(folder: Path) -> Path | None:
    """Return the library, or None without a C compiler."""
    compiler = next((path for name in COMPILERS if (path := shutil.which(name))), None)
    if compiler is None:
        return None
    target = folder / "moved.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(target), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the compiler of this machine
    return target


@dataclass
class Server:
    """The vendor of `rentals`, and the receiver of alerts; the vendor gives an invoice per date."""

    up: bool = True
    messages: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Serve on this machine; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not server.up:
                self._answer(503, b"")
                return
            query = parse_qs(urlsplit(self.path).query)
            day, last = date.fromisoformat(query["from"][0]), date.fromisoformat(query["to"][0])
            days = [day + timedelta(number) for number in range((last - day).days + 1)]
            invoices = [
                {"id": f"P-{day:%m%d}", "date": str(day), "currency": "USD", "net": f"{day.day}.50"}
                for day in days
            ]
            self._answer(200, json.dumps({"invoices": invoices}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.messages.append(json.loads(body))
            self._answer(200, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_address[1]}"
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def make_home(folder: Path, url: str, days: int) -> Workspace:
    """Return the data folder of a production of some days."""
    folder.mkdir(parents=True)
    folder.joinpath("production.yaml").write_text(
        _PRODUCTION.format(zone=ZONE, start=START, end=START + timedelta(days - 1)), encoding="utf-8"
    )
    for name in ("chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(REPOSITORY / "data" / name, folder / name)
    for name, more in ((FILES, _OF_FILES), (PAGES, _OF_PAGES.format(url=f"{url}/invoices"))):
        path = folder / "feeds" / name / "defs.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(_FEED.format(name=name) + more, encoding="utf-8")
    return open_workspace(folder)


def know_rates(workspace: Workspace, until: date) -> None:
    """Import a rate file with invented rates for the working days up to a date."""
    days = [START + timedelta(number) for number in range(-7, (until - START).days + 1)]
    rows = [[str(day), "1.1"] for day in reversed(days) if day.isoweekday() <= 5]
    file = workspace.path / f"rates-{until}.csv"
    file.write_text(delimited([["Date", "USD"], *rows]), encoding="utf-8")
    import_rates(workspace, file)


def invoices(day: date, rows: int = 3, name: str = "H") -> str:
    """Return the file of a date: invoices in dollars and euros."""
    lines = [["Invoice No", "Invoice Date", "Currency", "Net Amount"]]
    lines += [
        [f"{name}-{day:%m%d}-{number}", str(day), ("USD", "EUR")[number % 2], f"{100 + number}.25"]
        for number in range(rows)
    ]
    return delimited(lines)


def drop(workspace: Workspace, name: str, content: str) -> None:
    """Put a file into the inbox, with the time of the moved clock."""
    path = workspace.inbox / FILES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    now = datetime.now(UTC).timestamp() - 60
    os.utime(path, (now, now))
