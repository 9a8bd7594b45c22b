"""A page of a stranger, in a real browser, tries to operate and to read the Dagster UI.

The page is served from another port of this machine, and under another name that leads here, as by DNS
rebinding. `browser_check.py` runs these checks.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from dagster_server import Server, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

REBOUND: Final = "rebound.example"
"""A name that the browser resolves to this machine (see `FLAG`)."""

FLAG: Final = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"

SENSOR: Final = "inbox"
_SECONDS: Final = 3
_BAD_REQUEST: Final = 400
_REPOSITORIES: Final = """
{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }
"""
_STATE: Final = """
query State($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) { ... on Sensor { sensorState { status } } }
}
"""

_PAGE: Final = """<!doctype html><title>A page of a stranger</title><body><script>
const ui = UI, change = CHANGE, seen = [];
const note = (what) => seen.push(what);
const get = ui + "/graphql?query=" + encodeURIComponent(change);
new Image().src = get;
for (const tag of ["iframe", "script", "embed"]) {
  const element = document.createElement(tag);
  element.src = get;
  document.body.append(element);
}
const report = ui + "/report_asset_check/ledger_entries?check_name=append_only&passed=true";
for (const body of ["{}", JSON.stringify({query: change})]) {
  for (const url of [get, report, ui + "/report_asset_materialization/ledger_entries"]) {
    for (const type of ["text/plain", "text/plain; application/json"]) {
      const headers = {"Content-Type": type};
      fetch(url, {method: "POST", mode: "no-cors", credentials: "include", headers, body}).catch(() => 0);
    }
  }
}
const headers = {"Content-Type": "application/json"};
const body = JSON.stringify({query: "{ version }"});
fetch(ui + "/graphql", {method: "POST", headers, body})
  .then((answer) => answer.json()).then((answer) => answer.data && note("read by fetch")).catch(() => 0);
fetch(ui + "/server_info").then((answer) => answer.ok && note("read by GET")).catch(() => 0);
const socket = new WebSocket(ui.replace("http", "ws") + "/graphql", "graphql-ws");
socket.onopen = () => note("opened a WebSocket");
const form = document.createElement("form");
form.method = "post";
form.action = get;
form.enctype = "text/plain";
form.target = "other";
const frame = document.createElement("iframe");
frame.name = "other";
document.body.append(frame, form);
form.submit();
</script>"""


def check_foreign_pages(browser: Browser, server: Server) -> None:
    """Let a foreign page try; CheckFailedError if it changed, forged or read anything."""
    selector = _sensor(server)
    before = _facts(server, selector)
    change = f"mutation {{ startSensor(sensorSelector: {_literal(selector)}) {{ __typename }} }}"
    port = server.url.rpartition(":")[2]
    with _stranger() as stranger:
        for ui in (server.url, f"http://localhost:{port}", f"http://{REBOUND}:{port}"):
            content = _PAGE.replace("UI", json.dumps(ui)).replace("CHANGE", json.dumps(change))
            for name in ("127.0.0.1", REBOUND):
                stranger.page = content
                _visit(browser, f"http://{name}:{stranger.server_port}/", ui)
        _check_rebinding(browser, f"http://{REBOUND}:{port}")
    page = browser.new_page()
    page.goto(f"{server.url}/graphql?query={quote(change)}")
    page.close()
    require(_facts(server, selector) == before, "a foreign page changed something in the Dagster UI")


def _visit(browser: Browser, address: str, ui: str) -> None:
    """Open the stranger's page and let it work; CheckFailedError for what it could read."""
    page = browser.new_page()
    page.goto(address)
    page.wait_for_timeout(_SECONDS * 1000)
    seen = page.evaluate("seen")
    page.close()
    require(not seen, f"a foreign page could reach {ui}: {', '.join(seen)}")


def _check_rebinding(browser: Browser, address: str) -> None:
    """Open the UI under a foreign name, as a page of the same origin would after DNS rebinding."""
    page = browser.new_page()
    answer = page.goto(address)
    require(answer is not None and answer.status == _BAD_REQUEST, "the UI answers under a foreign name")
    script = """async () => (await fetch("/graphql", {method: "POST", body: '{"query": "{ version }"}',
        headers: {"Content-Type": "application/json"}})).status"""
    require(page.evaluate(script) == _BAD_REQUEST, "a page of a foreign name can query the UI")
    page.close()


class _Stranger(ThreadingHTTPServer):
    page = ""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with the page."""
        server: Any = self.server
        content = server.page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _stranger() -> Iterator[_Stranger]:
    with _Stranger(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _sensor(server: Server) -> dict[str, str]:
    (repository,) = server.query(_REPOSITORIES)["repositoriesOrError"]["nodes"]
    return {
        "repositoryName": repository["name"],
        "repositoryLocationName": repository["location"]["name"],
        "sensorName": SENSOR,
    }


def _facts(server: Server, selector: dict[str, str]) -> object:
    """Return what the stranger wants to change: the state of a sensor, the runs, the events of the ledger."""
    events = """{ assetOrError(assetKey: {path: ["ledger_entries"]}) { ... on Asset {
        assetMaterializations(limit: 5) { runId timestamp } } } }"""
    return (
        server.query(_STATE, selector=selector),
        server.query("{ runsOrError { ... on Runs { results { runId } } } }"),
        server.query(events),
    )


def _literal(values: dict[str, str]) -> str:
    """Return an input object of GraphQL."""
    return "{" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in values.items()) + "}"
