"""The guard of the web UI: which requests a page of a stranger cannot make.

Dagster's webserver asks nobody who he is, executes mutations over GET, and looks at neither Host nor Origin,
so that any page that its user opens could operate it. Behind this guard, a browser's request counts only if a
page of the UI made it, or if the user opened a page of the UI by its address or a link:

- Host is one of the UI's own names: another name that leads to this machine (DNS rebinding) is refused;
- Origin, if there is one, is the same; a WebSocket of a browser always has one;
- a request from another site (Sec-Fetch-Site) is a navigation of the whole window, or it is refused;
- GraphQL over GET is a query; over POST it has a type that a foreign page cannot send without asking;
- events that nobody ran (`/report_asset_...`) need a token.

Pages cannot be shown in frames of others, and load no images from elsewhere. A program on this machine has no
Origin and is not kept out.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine; they count with the port of the server."""

HOST_FORM: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
"""A further name of the UI, such as that of a proxy: with the port, if the address in the browser has one."""

HOSTS_VARIABLE: Final = "SHOWCOST_UI_HOSTS"
"""The environment variable with further names of the UI, separated by spaces."""

TOKEN_VARIABLE: Final = "SHOWCOST_REPORT_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable with the token for reported events."""

_GRAPHQL: Final = "/graphql"
_REPORTS: Final = "/report_asset_"
_HTTP_PORT: Final = 80
_SAFE: Final = frozenset({"GET", "HEAD"})
_GRAPHQL_TYPES: Final = frozenset({"application/json", "application/graphql"})
_OWN_PAGES: Final = frozenset({"same-origin", "none", ""})

HEADERS: Final = (
    (b"content-security-policy", b"frame-ancestors 'none'; form-action 'self'; img-src 'self' data: blob:"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Headers of every response; a second content security policy only narrows that of the page."""


@dataclass(frozen=True)
class Refusal:
    """The answer to a refused request: an HTTP status, and a sentence."""

    status: int
    sentence: str


@dataclass(frozen=True)
class RequestRules:
    """The rules: further names of the UI, and the token for reported events; without one they are refused."""

    names: Collection[str] = ()
    report_token: str | None = None

    def refusal(self, scope: Scope) -> Refusal | None:
        """Return why a request is refused; None if it is not."""
        headers = _Headers(scope)
        host = headers.only("host")
        if host is None or host not in self._own(scope):
            return Refusal(
                400, "This is not an address of this UI; showcost ui --allow-host NAME allows another name."
            )
        if not _is_own_origin(headers, host):
            return Refusal(403, "A page of another site made this request.")
        if scope["type"] == "websocket":
            return None
        if not (headers.first("sec-fetch-site") in _OWN_PAGES or _is_navigation(scope, headers)):
            return Refusal(403, "A page of another site made this request.")
        path: str = scope["path"]
        if path.startswith(_REPORTS):
            return self._refused_report(headers)
        return _refused_graphql(scope, headers) if path == _GRAPHQL else None

    def _own(self, scope: Scope) -> set[str]:
        server = scope.get("server") or ("", None)
        port = server[1]
        local = {f"{name}:{port}" for name in LOCAL_NAMES}
        return {*local, *self.names, *(LOCAL_NAMES if port == _HTTP_PORT else ())}

    def _refused_report(self, headers: _Headers) -> Refusal | None:
        if self.report_token is None:
            return Refusal(
                403, "Reported events are refused: they would say that something was made which nobody ran."
            )
        given = (headers.only("authorization") or "").encode()
        if hmac.compare_digest(given, f"Bearer {self.report_token}".encode()):
            return None
        return Refusal(401, "A reported event needs the token, as Authorization: Bearer TOKEN.")


class _Headers:
    """The headers of a request, their names in lower case."""

    def __init__(self, scope: Scope) -> None:
        self._all: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            self._all.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip())

    def only(self, name: str) -> str | None:
        """Return the value of a header that is there once, in the case of names for Host; None otherwise."""
        values = self._all.get(name, [])
        if len(values) != 1:
            return None
        return values[0].lower() if name == "host" else values[0]

    def first(self, name: str) -> str:
        """Return the first value of a header in lower case; empty without one."""
        return (self._all.get(name) or [""])[0].lower()

    def values(self, name: str) -> list[str]:
        """Return all values of a header in lower case."""
        return [value.lower() for value in self._all.get(name, [])]


def _is_own_origin(headers: _Headers, host: str) -> bool:
    """Tell whether the request has no Origin, or that of the page's own address."""
    return all(origin in {f"http://{host}", f"https://{host}"} for origin in headers.values("origin"))


def _is_navigation(scope: Scope, headers: _Headers) -> bool:
    """Tell whether a link opens the whole window: no frame, image, script or form that sends something."""
    return (
        scope["method"] in _SAFE
        and headers.first("sec-fetch-mode") == "navigate"
        and headers.first("sec-fetch-dest") == "document"
    )


def _refused_graphql(scope: Scope, headers: _Headers) -> Refusal | None:
    if scope["method"] in _SAFE:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)).get("query")
        if query is not None and not _only_reads(query):
            return Refusal(405, "A GraphQL mutation needs POST.")
        return None
    media_type = headers.first("content-type").partition(";")[0].strip()
    if media_type not in _GRAPHQL_TYPES:
        return Refusal(415, "GraphQL over POST is application/json or application/graphql.")
    return None


def _only_reads(query: str) -> bool:
    """Tell whether a GraphQL document has no operation but queries."""
    try:
        document = parse(query)
    except (GraphQLError, RecursionError):
        return False
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return all(node.operation is OperationType.QUERY for node in operations)


class RequestGuard:
    """ASGI middleware that refuses requests by the rules; nothing runs before it."""

    def __init__(self, app: ASGIApp, rules: RequestRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._rules.refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.sentence})
        else:
            await _answer(_with_headers(send), refusal)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await send(message)

    return sending


async def _answer(send: Send, refusal: Refusal) -> None:
    body = f"{refusal.sentence}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        # The rest of a refused body is not read.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
