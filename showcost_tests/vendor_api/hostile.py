"""A server that sends arbitrary bytes per path, including responses of no well-behaved server."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping


@dataclass
class Hostile:
    """A running server: its address, the paths requested, and the heads of the requests."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a response with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def serving(
    answers: Mapping[str, bytes], *, drip_seconds: float = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Hostile]:
    """Serve responses by path, byte by byte if requested; the connection is closed after each."""
    hostile, ready, ended = Hostile(), threading.Event(), threading.Event()

    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode().partition("?")[0]
            hostile.asked.append(path)
            hostile.heads.append(head.decode())
            data = answers[path]
            if drip_seconds:
                for index in range(len(data)):
                    writer.write(data[index : index + 1])
                    await writer.drain()
                    await asyncio.sleep(drip_seconds)
            writer.write(b"" if drip_seconds else data)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        scheme = "http" if tls is None else "https"
        hostile.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await asyncio.to_thread(ended.wait)
        server.close()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    try:
        yield hostile
    finally:
        ended.set()
        thread.join()
