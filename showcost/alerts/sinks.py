"""Sinks of alerts: the log, a webhook, a mail server.

Sending ends within `DEADLINE` seconds, whatever a server does. Secrets come from the environment. A sink that
fails raises SinkError with one sentence, which names no secret.
"""

from __future__ import annotations

import asyncio
import os
import smtplib
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Final

import httpx

from showcost.config.alerts import LogSink, SmtpSink, WebhookSink
from showcost.vendor_api.failures import RequestFailedError
from showcost.vendor_api.guard import CheckedTransport, check_url, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from showcost.alerts.alert import Message
    from showcost.config.alerts import Sink
    from showcost.vendor_api.guard import Resolver

DEADLINE: Final = 20
"""Seconds within which a sink has sent a message or failed."""
_PATIENCE: Final = 10
"""Seconds for one answer of a server."""
_RESERVE: Final = 5
_AGENT: Final = "showcost"


class SinkError(Exception):
    """A sink that could not send; the text says why, and is for people."""


def send_all(
    work: Sequence[tuple[Sink, Message]], log: Callable[[str], object], resolver: Resolver = resolve
) -> dict[str, str | None]:
    """Send messages through sinks side by side; return per sink why it failed, None if it did not."""
    outcomes: dict[str, str | None] = {}

    def carry_out(sink: Sink, message: Message) -> None:
        outcomes[sink.name] = _outcome(sink, message, log, resolver)

    threads = [threading.Thread(target=carry_out, args=item, daemon=True) for item in work]
    for thread in threads:
        thread.start()
    until = time.monotonic() + DEADLINE + _RESERVE
    for thread in threads:
        # Each ends by itself; the reserve is for a name server that does not answer.
        thread.join(max(0, until - time.monotonic()))
    late = f"no answer within {DEADLINE} s"
    return {sink.name: outcomes.get(sink.name, late) for sink, _ in work}


def _outcome(sink: Sink, message: Message, log: Callable[[str], object], resolver: Resolver) -> str | None:
    try:
        send(sink, message, log, resolver)
    except SinkError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a sink must cost nothing else, whatever fails in it
        # No text of the error: it could repeat a secret.
        return f"unexpected {type(error).__name__}"
    return None


def send(sink: Sink, message: Message, log: Callable[[str], object], resolver: Resolver = resolve) -> None:
    """Send a message through a sink; SinkError if that fails."""
    match sink:
        case LogSink():
            log(f"{message.subject}\n{message.text}")
        case WebhookSink():
            _post(sink, message, resolver)
        case SmtpSink():
            _mail(sink, message)


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise SinkError(f"{variable} is not set in the environment")
    if not value.isascii() or not value.isprintable():
        raise SinkError(f"{variable} has characters that are not allowed there")
    return value


def _post(sink: WebhookSink, message: Message, resolver: Resolver) -> None:
    headers = {"User-Agent": _AGENT}
    if sink.token_variable is not None:
        headers["Authorization"] = f"Bearer {_secret(sink.token_variable)}"
    try:
        url = httpx.URL(_secret(sink.url_variable))
        hosts = frozenset({url.host})
        check_url(url, hosts)
    except httpx.InvalidURL:
        raise SinkError(f"{sink.url_variable} is not a URL") from None
    except RequestFailedError as error:
        raise SinkError(f"{sink.url_variable} is not an allowed URL: {error.detail}") from None
    status = asyncio.run(_posted(url, hosts, headers, message, resolver))
    if not httpx.codes.is_success(status):
        raise SinkError(f"the server answered with status {status}")


async def _posted(
    url: httpx.URL, hosts: frozenset[str], headers: dict[str, str], message: Message, resolver: Resolver
) -> int:
    transport = CheckedTransport(hosts, ssl.create_default_context(), 1, resolver)
    try:
        # No redirects: what a server says is not where alerts go.
        async with (
            asyncio.timeout(DEADLINE),
            httpx.AsyncClient(
                transport=transport,
                headers=headers,
                timeout=_PATIENCE,
                follow_redirects=False,
                trust_env=False,
            ) as client,
            client.stream("POST", url, json=message.facts) as response,
        ):
            return response.status_code
    except (TimeoutError, httpx.TimeoutException):
        raise SinkError("the server did not answer in time") from None
    except RequestFailedError as error:
        raise SinkError(error.detail) from None
    except httpx.ConnectError:
        raise SinkError("the connection was refused or failed") from None
    except httpx.TransportError as error:
        raise SinkError(f"the connection broke ({type(error).__name__})") from None


def _mail(sink: SmtpSink, message: Message) -> None:
    opened: list[smtplib.SMTP] = []
    failures: list[SinkError] = []

    def work() -> None:
        try:
            _mailed(sink, message, opened)
        except SinkError as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(DEADLINE)
    if thread.is_alive():
        # A server that sends a byte now and then keeps within every timeout of the library.
        for connection in opened:
            with suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)
        raise SinkError("the mail server did not answer in time")
    for failure in failures:
        raise failure


class _Smtp(smtplib.SMTP):
    """A connection that begins without encryption; noted before it connects, so that others can end it."""

    def __init__(self, sink: SmtpSink, opened: list[smtplib.SMTP]) -> None:
        opened.append(self)
        super().__init__(sink.host, sink.port, timeout=_PATIENCE)


class _SmtpOverTls(smtplib.SMTP_SSL):
    """An encrypted connection, noted as the other one."""

    def __init__(self, sink: SmtpSink, opened: list[smtplib.SMTP], context: ssl.SSLContext) -> None:
        opened.append(self)
        super().__init__(sink.host, sink.port, timeout=_PATIENCE, context=context)


def _mailed(sink: SmtpSink, message: Message, opened: list[smtplib.SMTP]) -> None:
    login = None
    if sink.user_variable is not None and sink.password_variable is not None:
        login = _secret(sink.user_variable), _secret(sink.password_variable)
    with _mail_errors():
        refused = _handed_over(sink, _letter(sink, message), login, opened)
    if refused:
        raise SinkError(f"the mail server refused {refused} of {len(sink.recipients)} recipients")


def _handed_over(
    sink: SmtpSink, letter: EmailMessage, login: tuple[str, str] | None, opened: list[smtplib.SMTP]
) -> int:
    """Hand a letter over to the mail server; return the number of recipients that it refused."""
    context = ssl.create_default_context()
    try:
        tls = sink.security == "tls"
        connection = _SmtpOverTls(sink, opened, context) if tls else _Smtp(sink, opened)
        if sink.security == "starttls":
            connection.starttls(context=context)
        if login is not None:
            connection.login(*login)
        refused = connection.send_message(letter)
        with suppress(smtplib.SMTPException, OSError):
            connection.quit()
        return len(refused)
    finally:
        for each in opened:
            each.close()


@contextmanager
def _mail_errors() -> Iterator[None]:
    """Turn errors of the mail server into SinkError, without its own texts, which may repeat addresses."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused:
        raise SinkError("the mail server refused all recipients") from None
    except smtplib.SMTPResponseException as error:
        raise SinkError(f"the mail server answered {error.smtp_code} ({type(error).__name__})") from None
    except smtplib.SMTPException as error:
        raise SinkError(f"the mail server did not take the message ({type(error).__name__})") from None
    except ssl.SSLError as error:
        raise SinkError(f"no encrypted connection to the mail server ({error.reason})") from None
    except TimeoutError:
        raise SinkError("the mail server did not answer in time") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SinkError(f"the mail server is unavailable ({reason})") from None


def _letter(sink: SmtpSink, message: Message) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = sink.sender
    letter["To"] = ", ".join(sink.recipients)
    letter["Subject"] = message.subject
    letter["Date"] = formatdate()
    letter["Message-ID"] = make_msgid(domain=sink.sender.rpartition("@")[2])
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text, cte="quoted-printable")
    return letter
