"""The guard of the UI: what a foreign page can make a browser send reaches nothing behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import pytest

from showcost.orchestration.request_guard import HEADERS, HOST_FORM, RequestGuard, RequestRules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message, Receive, Scope, Send

    Headers = dict[str, str] | Iterable[tuple[str, str]]

HOST: Final = "127.0.0.1:3000"
OWN: Final = f"http://{HOST}"
MUTATION: Final = "mutation { setNuxSeen }"
NAVIGATION: Final = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
JSON: Final = {"content-type": "application/json"}
TOKEN: Final = "0123456789abcdef"  # noqa: S105 - one of these tests


class Behind:
    """An app behind the guard, on port 3000, that answers everything and counts what reaches it."""

    def __init__(self, rules: RequestRules) -> None:
        self.reached = 0
        self._guard = RequestGuard(self._app, rules)

    async def _app(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.reached += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    def sent(self, kind: str, method: str, path: str, headers: Headers) -> list[Message]:
        """Return what answers a request; its Host is the server's unless the headers name another."""
        listed = list(headers.items() if isinstance(headers, dict) else headers)
        if not any(name == "host" for name, _ in listed):
            listed.append(("host", HOST))
        path, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": kind,
            "method": method,
            "path": unquote(path),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in listed],
            "server": ("127.0.0.1", 3000),
        }
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": f"{kind}.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)

        asyncio.run(self._guard(scope, receive, send))
        return messages

    def status(self, method: str, path: str, headers: Headers = ()) -> int:
        """Return the status of a request; a refused one reaches nothing, and its answer is one sentence."""
        before = self.reached
        start, body = self.sent("http", method, path, headers)
        status: int = start["status"]
        assert (self.reached > before) == (status == 200)
        assert status == 200 or body["body"].endswith(b".\n")
        return status

    def socket_opens(self, headers: Headers) -> bool:
        """Tell whether a WebSocket is accepted."""
        (answer,) = self.sent("websocket", "GET", "/graphql", headers)
        return bool(answer["type"] == "websocket.accept")


@pytest.fixture
def behind() -> Behind:
    return Behind(RequestRules())


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:3000",
            "127.0.0.1",
            "127.0.0.1:3001",
            "localhost:3000.evil.example",
            "",
        ),
        *("127.0.0.1:3000@evil.example", "localhost.:3000", "0.0.0.0:3000", "[::1]:3001", "2130706433:3000"),
    ],
)
def test_another_name_of_this_machine_is_refused(behind: Behind, host: str) -> None:
    for path in ("/", "/graphql", "/logs/a.err", "/server_info"):
        assert behind.status("GET", path, {"host": host}) == 400
    assert not behind.socket_opens({"host": host})


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "LOCALHOST:3000", "[::1]:3000"])
def test_the_ui_is_there_under_its_own_names(behind: Behind, host: str) -> None:
    assert behind.status("GET", "/", {"host": host}) == 200
    assert behind.socket_opens({"host": host, "origin": f"http://{host.lower()}"})


def test_two_hosts_are_refused(behind: Behind) -> None:
    twice = [("host", "127.0.0.1:3000"), ("host", "evil.example")]
    assert behind.status("GET", "/", twice) == 400


def test_a_proxys_name_counts_when_it_is_named() -> None:
    proxied = Behind(RequestRules(["costs.example.org", "costs.example.org:8443"]))
    for host in ("costs.example.org", "costs.example.org:8443"):
        assert proxied.status("GET", "/", {"host": host, "origin": f"https://{host}"}) == 200
    assert proxied.status("GET", "/", {"host": "costs.example.org:3000"}) == 400
    assert proxied.status("GET", "/", {"host": "x.costs.example.org"}) == 400


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://evil.example",
            "null",
            "http://127.0.0.1:3001",
            "http://127.0.0.1",
            "http://localhost:3000",
            "",
        ),
        *(
            "http://127.0.0.1:3000.evil.example",
            "http://127.0.0.1:3000@evil.example",
            "file://",
            "ftp://127.0.0.1:3000",
        ),
    ],
)
def test_a_foreign_origin_is_refused(behind: Behind, origin: str) -> None:
    foreign = {"origin": origin}
    assert behind.status("POST", "/graphql", foreign | JSON) == 403
    assert behind.status("GET", "/server_info", foreign) == 403
    assert behind.status("POST", "/report_asset_check/a?passed=true", foreign) == 403
    assert not behind.socket_opens(foreign)


def test_an_own_origin_does_not_hide_a_foreign_one(behind: Behind) -> None:
    both = [("origin", OWN), ("origin", "http://evil.example")]
    assert behind.status("GET", "/", both) == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("no-cors", "image"),
        ("no-cors", "script"),
        ("cors", "empty"),
        ("navigate", "iframe"),
        ("navigate", "embed"),
    ],
)
def test_what_a_foreign_page_loads_is_refused(behind: Behind, site: str, mode: str, kind: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": kind}
    for path in ("/", "/favicon.png", "/graphql?query={version}", "/logs/a.out", "/download_debug/1"):
        assert behind.status("GET", path, headers) == 403


def test_a_link_from_another_page_opens_the_ui_and_sends_nothing(behind: Behind) -> None:
    from_outside = NAVIGATION | {"sec-fetch-site": "cross-site"}
    assert behind.status("GET", "/runs/1", from_outside) == 200
    assert behind.status("POST", "/graphql", from_outside | JSON) == 403
    assert behind.status("GET", f"/graphql?query={quote(MUTATION)}", from_outside) == 405


@pytest.mark.parametrize(
    "query",
    [
        *(
            MUTATION,
            "query A { version } mutation B { setNuxSeen }",
            "subscription { x }",
            "{",
            "",
            "{" * 20_000,
        ),
        *("# query\nmutation{a}", "\ufeffmutation { a }"),
    ],
)
def test_over_get_nothing_is_changed(behind: Behind, query: str) -> None:
    assert behind.status("GET", f"/graphql?query={quote(query)}") == 405
    # The last of several counts.
    assert behind.status("GET", f"/graphql?query={{version}}&query={quote(query)}") == 405


def test_queries_over_get_are_answered(behind: Behind) -> None:
    assert behind.status("GET", "/graphql?query={version}") == 200
    assert behind.status("GET", "/graphql?query=query A{version} fragment F on Query{version}") == 200
    assert behind.status("GET", "/graphql") == 200


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "text/plain",
            "text/plain; application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
        ),
        *("text/plain;charset=application/json", "application/jsonp"),
    ],
)
def test_a_form_cannot_post_graphql(behind: Behind, kind: str) -> None:
    posted = {"content-type": kind} if kind else {}
    path = f"/graphql?query={quote(MUTATION)}"
    assert behind.status("POST", path, posted) == 415
    two = [("content-type", kind), ("content-type", "application/json")]
    assert behind.status("POST", path, two) == 415


def test_the_uis_own_requests_pass(behind: Behind) -> None:
    own = JSON | {"origin": OWN, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert behind.status("POST", "/graphql", own) == 200
    typed = JSON | {"content-type": "application/json; charset=utf-8"}
    assert behind.status("POST", "/graphql", typed) == 200
    assert behind.status("GET", "/", NAVIGATION | {"sec-fetch-site": "none"}) == 200
    assert behind.socket_opens({"origin": OWN})


@pytest.mark.parametrize("path", ["materialization", "check", "observation"])
def test_reported_events_need_the_token(behind: Behind, path: str) -> None:
    event = f"/report_asset_{path}/ledger_entries"
    assert behind.status("POST", event) == 403
    assert behind.status("POST", event, {"authorization": "Bearer None"}) == 403
    open_ = Behind(RequestRules(report_token=TOKEN))
    assert open_.status("POST", event) == 401
    assert open_.status("POST", event, {"authorization": "Bearer 0123"}) == 401
    assert open_.status("POST", event, {"authorization": f"Bearer {TOKEN}"}) == 200
    assert open_.status("POST", event, {"authorization": "Bearer é"}) == 401


def test_every_answer_keeps_out_of_frames(behind: Behind) -> None:
    for headers in ({}, {"host": "evil.example"}):
        start = behind.sent("http", "GET", "/", headers)[0]
        assert set(HEADERS) <= set(start["headers"])


@pytest.mark.parametrize(
    "name", ["*", "a b", "http://a.example", "a.example/", "a.example:x", "-", "", "a..b/"]
)
def test_a_further_name_is_a_name(name: str) -> None:
    assert not HOST_FORM.fullmatch(name)
