"""The server: HTTP/1.1 by hand, so that it can break the protocol as vendors do.

GET /<vendor>/invoices?from=2026-10-28&to=2026-10-28&page=2&size=25
GET /_seen                        statistics per vendor
GET /_revive?vendor=<vendor>      a dead vendor comes back
GET /_machine                     maximum delay of this event loop since the last request
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from showcost.simulator.documents import e_invoice
from showcost.simulator.scripts import invoices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from showcost.simulator.scripts import Script

_PHRASES: Final = {
    200: "OK",
    204: "No Content",
    401: "Unauthorized",
    404: "Not Found",
    429: "Too Many",
    503: "Unavailable",
}
_SLOW_MS: Final = 300
_TICK_MS: Final = 10
_LONGEST_HEAD: Final = 2**16


@dataclass
class VendorStatistics:
    """Statistics of a vendor: requests, requests over its limits, peaks at once and within its period.

    `fetched` counts complete answers per page, `faults` spoiled answers per fault.
    """

    requests: int = 0
    over_rate: int = 0
    over_concurrency: int = 0
    most_in_period: int = 0
    most_at_once: int = 0
    fetched: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Reply:
    """An answer: status, content, further headers; `cut` sends only the first half of the content."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class _Vendor:
    """One vendor with its state."""

    def __init__(self, script: Script) -> None:
        self.script, self.statistics = script, VendorStatistics()
        self._arrivals: deque[int] = deque()
        self._at_once = 0
        self._attempts: Counter[str] = Counter()
        self._burst = 0

    async def answer(self, query: dict[str, str], headers: Mapping[str, str]) -> _Reply | None:
        """Return the answer to a request; None to close the connection without one."""
        statistics, script = self.statistics, self.script
        statistics.requests += 1
        self._at_once += 1
        statistics.most_at_once = max(statistics.most_at_once, self._at_once)
        try:
            within = self._within_period()
            statistics.most_in_period = max(statistics.most_in_period, within)
            if script.dead:
                return None
            if script.token is not None and headers.get("authorization") != f"Bearer {script.token}":
                return _Reply(401, b'{"error": "unauthorized"}')
            if within > script.requests:
                statistics.over_rate += 1
                return _Reply(429, headers={"Retry-After": "1"})
            if self._at_once > script.concurrency:
                statistics.over_concurrency += 1
                return _Reply(429, headers={"Retry-After": "1"})
            return await self._page(query, "gzip" in headers.get("accept-encoding", ""))
        finally:
            self._at_once -= 1

    def _within_period(self) -> int:
        """Return the number of requests within the last period, this one included."""
        now = _now_ns()
        self._arrivals.append(now)
        while now - self._arrivals[0] >= self.script.period_ms * 1_000_000:
            self._arrivals.popleft()
        return len(self._arrivals)

    async def _page(self, query: dict[str, str], compressed: bool) -> _Reply | None:
        key = urlencode(sorted(query.items()))
        self._attempts[key] += 1
        fault = self._fault(key)
        latency = self.script.latency_ms + self.script.draw(key, self.script.latency_ms + 1)
        milliseconds = _SLOW_MS if fault == "slow" else latency
        await asyncio.sleep(milliseconds / 1000)
        reply = self._content(query, compressed)
        match fault:
            case "429":
                return _Reply(429, b'{"error": "too many"}', {"Retry-After": "1"})
            case "503":
                return _Reply(503, b"<html>unavailable</html>")
            case "cut off":
                return replace(reply, cut=True)
            case "no answer":
                return None
            case "wrong json":
                return _Reply(200, reply.body[: len(reply.body) // 2] if not compressed else b"{oops")
            case _:
                self.statistics.fetched[key] += 1
                return reply

    def _fault(self, key: str) -> str | None:
        fault: str | None = self.script.fault_of(key, self._attempts[key])
        if fault == "503":
            self._burst = self.script.burst - 1
        elif self._burst:
            self._burst -= 1
            fault = "503"
        if fault is not None:
            self.statistics.faults[fault] += 1
        return fault

    def _content(self, query: dict[str, str], compressed: bool) -> _Reply:
        first, last = date.fromisoformat(query["from"]), date.fromisoformat(query["to"])
        available = invoices(self.script, first, last)
        alone = self.script.answers == "e-invoices"
        size = 1 if alone else int(query.get("size", self.script.page_size))
        number = int(query.get("page") or query.get("cursor", "c1").removeprefix("c"))
        page = available[(number - 1) * size : number * size]
        more = number * size < len(available)
        headers = {"Content-Type": "application/xml" if alone else "application/json"}
        if self.script.pages == "link" and more:
            following = urlencode(query | {"page": str(number + 1)})
            headers["Link"] = f'</{self.script.name}/invoices?{following}>; rel="next"'
        if alone:
            content = e_invoice(self.script, page[0]) if page else b""
        else:
            cursor = f"c{number + 1}" if more else None
            content = self._json(page, {"next_cursor": cursor} if self.script.pages == "cursor" else {})
        if compressed and self.script.gzip:
            content, headers["Content-Encoding"] = gzip.compress(content, mtime=0), "gzip"
        return _Reply(200 if content else 204, content, headers)

    def _json(self, page: Sequence[dict[str, Any]], cursor: Mapping[str, str | None]) -> bytes:
        items: Sequence[dict[str, Any]] = page
        if self.script.answers == "e-invoices in json":
            items = [
                {"id": invoice["id"], "document": base64.b64encode(e_invoice(self.script, invoice)).decode()}
                for invoice in page
            ]
        return json.dumps({"invoices": items, **cursor}, separators=(",", ":")).encode()


def _now_ns() -> int:
    return int(asyncio.get_running_loop().time() * 1_000_000_000)


class Server:
    """The vendors of some scripts on one port of this machine."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self._vendors = {script.name: _Vendor(script) for script in scripts}
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._longest_hold_up_ms = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_LONGEST_HEAD)
        self._ticking = asyncio.create_task(self._tick())
        return int(self._server.sockets[0].getsockname()[1])

    async def _tick(self) -> None:
        while True:
            began = _now_ns()
            await asyncio.sleep(_TICK_MS / 1000)
            late = (_now_ns() - began) // 1_000_000 - _TICK_MS
            self._longest_hold_up_ms = max(self._longest_hold_up_ms, late)

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None and self._ticking is not None:
            self._ticking.cancel()
            self._server.close()
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await self._answer_request(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        target = urlsplit(head[0].split(" ")[1])
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        reply = await self._reply(target.path, query, headers)
        if reply is None:
            return False
        body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
        fields = {**reply.headers, "Content-Length": str(len(reply.body))}
        lines = [
            f"HTTP/1.1 {reply.status} {_PHRASES[reply.status]}",
            *(f"{name}: {value}" for name, value in fields.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()
        return not reply.cut

    async def _reply(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> _Reply | None:
        if path == "/_seen":
            statistics = {name: vars(vendor.statistics) for name, vendor in self._vendors.items()}
            return _Reply(200, json.dumps(statistics).encode())
        if path == "/_machine":
            longest, self._longest_hold_up_ms = self._longest_hold_up_ms, 0
            return _Reply(200, json.dumps({"longest_hold_up_ms": longest}).encode())
        if path == "/_revive":
            vendor = self._vendors[query["vendor"]]
            vendor.script = replace(vendor.script, dead=False)
            return _Reply(200, b"{}")
        named, _, rest = path.removeprefix("/").partition("/")
        if rest != "invoices" or named not in self._vendors:
            return _Reply(404, b"{}")
        return await self._vendors[named].answer(query, headers)
