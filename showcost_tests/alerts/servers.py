"""A real mail server and a real web server on this machine, which keep what they get."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, LoginPassword, Session


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Letters:
    """The handler of a mail server: keeps letters, and refuses a recipient."""

    refused: str = ""
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address == self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        del server, session
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=default)
        self.letters.append(letter)
        self.recipients.append([str(name) for name in envelope.rcpt_tos])
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        del server, session, envelope, mechanism
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)


@contextmanager
def mail_server(
    letters: Letters, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve on a free port of this machine, which is yielded; with `starttls`, only after a login."""
    options: dict[str, Any] = {}
    if starttls is not None:
        options = {
            "tls_context": starttls,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": letters.authenticate,
        }
    controller = Controller(letters, hostname="127.0.0.1", port=free_port(), ssl_context=tls, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@dataclass
class Posts:
    """Path, headers and JSON of each request to a web server, which answers with `status`."""

    status: int = 200
    location: str = ""
    got: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)


@contextmanager
def web_server(posts: Posts) -> Iterator[int]:
    """Serve on a free port of this machine, which is yielded."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.got.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(posts.status)
            if posts.location:
                self.send_header("Location", posts.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def tcp_server(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Serve each connection by a function of the socket and an event that ends the server."""
    ended = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                thread = threading.Thread(target=closing, args=(connection,))
                threads.append(thread)
                thread.start()

        def closing(connection: socket.socket) -> None:
            with connection:
                talk(connection, ended)

        accepting = threading.Thread(target=serve)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            accepting.join()
            for thread in threads:
                thread.join()


def silent(_connection: socket.socket, ended: threading.Event) -> None:
    """Say nothing."""
    ended.wait()


def dripping(connection: socket.socket, ended: threading.Event) -> None:
    """Send a byte now and then, within every timeout."""
    while not ended.wait(0.05):
        try:
            connection.sendall(b"2")
        except OSError:
            return
