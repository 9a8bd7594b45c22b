"""Sinks against a real mail server and a real web server, and against servers that fail in every way."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import TypeAdapter, ValidationError

from showcost.alerts import sinks
from showcost.alerts.alert import Alert, Message, alert_message, one_line
from showcost.alerts.sinks import SinkError, send, send_all
from showcost.config.alerts import AlertPolicy, Sink, SmtpSink, WebhookSink
from showcost.workspace import Workspace
from showcost_tests.alerts.servers import (
    Letters,
    Posts,
    dripping,
    free_port,
    mail_server,
    silent,
    tcp_server,
    web_server,
)
from showcost_tests.sample.truth import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTION = Workspace(REPOSITORY / "data").production
SINCE = datetime(2026, 11, 4, 9, 30, tzinfo=UTC)
ALERT = Alert("stuck", ("a",), "2 dates are stuck", "2026-10-05, 2026-10-06", SINCE, "run `showcost run`")
MESSAGE = alert_message(PRODUCTION, [ALERT])


def mail(port: int, **settings: object) -> SmtpSink:
    facts = {
        "type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "showcost@example.org",
        "recipients": ["accounts@example.org", "audit@example.org"],
    }
    return SmtpSink.model_validate(facts | settings)


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> WebhookSink:
    monkeypatch.setenv("HOOK_TOKEN", "s3cret-token")
    names = {"url_variable": "HOOK_URL", "token_variable": "HOOK_TOKEN"}
    return WebhookSink.model_validate({"type": "webhook"} | names)


def sent(sink: Sink, message: Message = MESSAGE) -> None:
    send(sink, message, print)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "DEADLINE", 1)
    monkeypatch.setattr(sinks, "_PATIENCE", 0.5)


def test_a_letter_says_what_where_since_when_and_what_to_do() -> None:
    letters = Letters()
    with mail_server(letters) as port:
        sent(mail(port))
    (letter,) = letters.letters
    assert letters.recipients == [["accounts@example.org", "audit@example.org"]]
    assert letter["Subject"] == "[showcost HRB] 2 dates are stuck"
    assert letter["From"] == "showcost@example.org"
    assert letter["To"] == "accounts@example.org, audit@example.org"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Date"] is not None
    assert letter.get_content().splitlines() == [
        "Harrow Bridge (HRB): 1 alert",
        "",
        "1. 2 dates are stuck",
        "   where: 2026-10-05, 2026-10-06",
        "   since: 2026-11-04 09:30 UTC",
        "   next:  run `showcost run`",
    ]


def test_a_webhook_gets_the_same_as_json(webhook: WebhookSink, monkeypatch: pytest.MonkeyPatch) -> None:
    posts = Posts()
    with web_server(posts) as port:
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{port}/services/T0/B1?x=y")
        sent(webhook)
    ((path, headers, content),) = posts.got
    assert path == "/services/T0/B1?x=y"
    assert headers["Authorization"] == "Bearer s3cret-token"
    assert content["production"] == "HRB"
    assert content["text"].startswith("[showcost HRB] 2 dates are stuck\n")
    assert content["alerts"] == [
        {
            "kind": "stuck",
            "what": "2 dates are stuck",
            "where": "2026-10-05, 2026-10-06",
            "since": "2026-11-04 09:30 UTC",
            "next": "run `showcost run`",
        }
    ]


def test_a_text_of_others_cannot_write_headers_or_lines() -> None:
    hostile = "Acme\r\nBcc: thief@example.org\n\n2. all is well\x1b[2J\u202e" + "x" * 5_000
    letters = Letters()
    message = alert_message(PRODUCTION, [Alert("k", ("k",), hostile, hostile, SINCE, hostile)] * 40)
    with mail_server(letters) as port:
        sent(mail(port), message)
    (letter,) = letters.letters
    assert letter["Bcc"] is None
    assert letters.recipients == [["accounts@example.org", "audit@example.org"]]
    assert len(letter["Subject"]) <= 120
    text = letter.get_content()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert [line for line in text.splitlines() if line.startswith(("Bcc", "2. all"))] == []
    assert "10 more: `showcost alerts` lists them" in text
    assert len(text) < 40_000


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\x00b", "a\u2028b", "a\tb", "\ud800"])
def test_a_line_is_one_line(name: str) -> None:
    assert len(one_line(name).splitlines()) == 1
    one_line(name).encode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate of this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("MAIL_USER", "mk")
    monkeypatch.setenv("MAIL_PASSWORD", "right")
    return {"user_variable": "MAIL_USER", "password_variable": "MAIL_PASSWORD"}


def test_a_login_is_encrypted(
    server_context: ssl.SSLContext,
    certificate: Path,
    login: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    letters = Letters()
    with mail_server(letters, starttls=server_context) as port:
        sent(mail(port, security="starttls", **login))
        assert letters.logins == [(b"mk", b"right")]
        monkeypatch.setenv("MAIL_PASSWORD", "wrong")
        with pytest.raises(SinkError, match=r"answered 535 \(SMTPAuthenticationError\)"):
            sent(mail(port, security="starttls", **login))
    assert len(letters.letters) == 1


def test_a_connection_may_be_encrypted_from_its_start(
    server_context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = Letters()
    with mail_server(letters, tls=server_context) as port:
        with pytest.raises(SinkError, match="no encrypted connection"):
            sent(mail(port, security="tls"))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        sent(mail(port, security="tls"))
    assert len(letters.letters) == 1


def test_a_certificate_that_nobody_vouches_for_ends_it_before_the_login(
    server_context: ssl.SSLContext, login: dict[str, str]
) -> None:
    letters = Letters()
    with mail_server(letters, starttls=server_context) as port, pytest.raises(SinkError, match="encrypted"):
        sent(mail(port, security="starttls", **login))
    assert letters.logins == []


def test_a_refused_recipient_is_said_and_the_others_have_the_letter() -> None:
    letters = Letters(refused="audit@example.org")
    with mail_server(letters) as port, pytest.raises(SinkError, match="refused 1 of 2 recipients"):
        sent(mail(port))
    assert letters.recipients == [["accounts@example.org"]]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("talk", [silent, dripping])
def test_a_server_that_hangs_ends_in_time(
    talk: object, webhook: WebhookSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tcp_server(talk) as port:  # type: ignore[arg-type] # pytest knows no type of a parameter
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{port}/")
        began = time.monotonic()
        failed = send_all([(mail(port), MESSAGE), (webhook, MESSAGE)], print)
        assert time.monotonic() - began < 5
    assert set(failed) == {"smtp 127.0.0.1", "webhook HOOK_URL"}
    assert all(reason is not None for reason in failed.values()), failed


def test_a_server_that_is_not_there_is_one_sentence(
    webhook: WebhookSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{port}/")
    assert send_all([(mail(port), MESSAGE), (webhook, MESSAGE)], print) == {
        "smtp 127.0.0.1": "the mail server is unavailable (Connection refused)",
        "webhook HOOK_URL": "the connection was refused or failed",
    }


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.org/", "is not an allowed URL"),
        ("https://user:pass@example.org/", "is not an allowed URL"),
        ("file:///etc/passwd", "is not an allowed URL"),
        ("https://169.254.169.254/latest", "not a public address"),
        ("https://inside.example.org/", "not a public address"),
        ("", "is not set"),
        ("https://example.org/\r\nX: y", "not allowed"),
        ("http://[::1", "is not a URL"),
    ],
)
def test_a_webhook_goes_to_public_addresses_by_https(
    url: str, reason: str, webhook: WebhookSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolver(host: str, _port: int) -> list[str]:
        return [host if host[0].isdigit() else "10.0.0.7"]

    monkeypatch.setenv("HOOK_URL", url)
    with pytest.raises(SinkError, match=reason) as raised:
        send(webhook, MESSAGE, print, resolver)
    assert "pass" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "works"), [(200, True), (204, True), (302, False), (404, False), (500, False)]
)
def test_a_webhook_that_does_not_take_it_has_failed(
    status: int, webhook: WebhookSink, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    posts = Posts(status, location="http://127.0.0.1:1/")
    with web_server(posts) as port:
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{port}/")
        (reason,) = send_all([(webhook, MESSAGE)], print).values()
    assert reason == (None if works else f"the server answered with status {status}")
    assert len(posts.got) == 1


def test_no_proxy_of_the_environment_is_used(webhook: WebhookSink, monkeypatch: pytest.MonkeyPatch) -> None:
    posts = Posts()
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with web_server(posts) as port:
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{port}/")
        sent(webhook)
    assert len(posts.got) == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"type": "smtp", "host": "mail.example.org", "security": "none"},
        {"type": "smtp", "host": "mail.example.org", "user_variable": "U"},
        {"type": "smtp", "host": "mail.example.org", "password": "secret"},
        {"type": "smtp", "host": "mail.example.org", "sender": "a@b.org\r\nBcc: c@d.org"},
        {"type": "smtp", "host": "mail.example.org", "recipients": []},
        {"type": "webhook", "url": "https://example.org"},
        {"type": "webhook", "url_variable": "https://example.org"},
        {"type": "pager"},
    ],
)
def test_settings_that_are_unsafe_or_unknown_are_refused(facts: dict[str, object]) -> None:
    whole = {"sender": "a@b.org", "recipients": ["c@d.org"]} if facts["type"] == "smtp" else {}
    with pytest.raises(ValidationError):
        TypeAdapter(Sink).validate_python(whole | facts)


def test_a_sink_is_named_once() -> None:
    with pytest.raises(ValidationError, match="each sink once"):
        AlertPolicy.model_validate({"sinks": [{"type": "log"}, {"type": "log"}]})
