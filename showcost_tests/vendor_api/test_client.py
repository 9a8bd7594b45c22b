"""Client of one vendor: retries, limits of a response, secrets, and the circuit breaker."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from showcost.core.errors import InputError
from showcost.core.proxy import PROXY_VARIABLE
from showcost.vendor_api.client import _retry_after
from showcost.vendor_api.failures import FailureKind, PartialAnswer, RequestFailedError
from showcost_tests.vendor_api.asking import api, failure, fetch, vendor_of
from showcost_tests.vendor_api.hostile import answer, serving

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.vendor_api.client import ApiPage

CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"invoices": ['
CUT_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{'a':"
PAGE = b'{"invoices": []}' * 50


@pytest.mark.parametrize(
    ("sent", "trouble", "attempts"),
    [
        (answer(b"", status="503 Unavailable"), FailureKind.SERVER, 3),
        (answer(b"", status="500 Oops"), FailureKind.SERVER, 3),
        (answer(b"", "Retry-After: 0", status="429 Too Many"), FailureKind.BUSY, 3),
        (answer(b"", "Retry-After: 3600", status="429 Too Many"), FailureKind.BUSY, 1),
        (CUT, FailureKind.CUT_OFF, 3),
        (CUT_CHUNKS, FailureKind.CUT_OFF, 3),
        (b"", FailureKind.CUT_OFF, 3),
        (b"SSH-2.0-OpenSSH\r\n", FailureKind.CUT_OFF, 3),
        (answer(gzip.compress(PAGE, mtime=0)[:-9], "Content-Encoding: gzip"), FailureKind.CUT_OFF, 3),
        (answer(b"", status="401 Unauthorized"), FailureKind.REFUSED, 1),
        (answer(b"", status="404 Not Found"), FailureKind.REFUSED, 1),
        (answer(b"", status="206 Partial Content"), FailureKind.REFUSED, 1),
        (answer(b"no gzip", "Content-Encoding: gzip"), FailureKind.ENCODING, 1),
        (answer(gzip.compress(PAGE, mtime=0) + b"x", "Content-Encoding: gzip"), FailureKind.ENCODING, 1),
        (answer(b"x", "Content-Encoding: br"), FailureKind.ENCODING, 1),
        (answer(b"x", "Content-Encoding: gzip, gzip"), FailureKind.ENCODING, 1),
    ],
)
def test_only_transient_failures_are_retried(sent: bytes, trouble: FailureKind, attempts: int) -> None:
    settings = {"attempts": 3, "first_wait_ms": 5, "longest_wait_ms": 1_000}
    with serving({"/x": sent}) as server:
        error = failure(vendor_of(api(f"{server.url}/x", retries=settings)))
    assert (error.kind, error.attempts, len(server.asked)) == (trouble, attempts, attempts)


def test_a_refused_connection_is_a_connect_failure() -> None:
    with serving({}) as server:
        pass
    assert failure(vendor_of(api(f"{server.url}/x"))).kind is FailureKind.CONNECT


def test_a_compressed_page_is_decompressed() -> None:
    with serving({"/x": answer(gzip.compress(PAGE), "Content-Encoding: gzip")}) as server:
        assert fetch(vendor_of(api(f"{server.url}/x"))) == PAGE


def test_a_response_above_the_size_limit_is_refused() -> None:
    limits = {"response_bytes": 1_000}
    with serving({"/x": answer(b" " * 1_001)}) as server:
        assert failure(vendor_of(api(f"{server.url}/x", limits=limits))).kind is FailureKind.TOO_LARGE
    with serving({"/x": answer(b" " * 1_000)}) as server:
        assert len(fetch(vendor_of(api(f"{server.url}/x", limits=limits)))) == 1_000


def test_a_compression_bomb_is_abandoned() -> None:
    """A compression bomb of factor 1000 is abandoned at the limit, with little memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    with serving({"/x": answer(bomb, "Content-Encoding: gzip")}) as server:
        began = time.monotonic()
        error = failure(vendor_of(api(f"{server.url}/x")))
    assert error.kind is FailureKind.TOO_LARGE
    assert len(error.received.body) <= 4 * 2**20 + 2**16
    assert time.monotonic() - began < 2


def test_a_response_that_trickles_times_out() -> None:
    limits = {"answer_ms": 300, "read_ms": 200}
    retries = {"attempts": 1}
    with serving({"/x": answer(PAGE)}, drip_seconds=0.05) as server:
        error = failure(vendor_of(api(f"{server.url}/x", limits=limits, retries=retries)))
    assert error.kind is FailureKind.TIMEOUT


def test_a_partial_response_is_kept_without_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_TOKEN", "s3cret-t0ken")
    body = b'{"error": "s3cret-t0ken is not welcome"}'
    sent = answer(body, "X-Request-Id: s3cret-t0ken", "Set-Cookie: session=1", status="403 Forbidden")
    with serving({"/x": sent}) as server:
        vendor = vendor_of(api(f"{server.url}/x", auth={"variable": "VENDOR_TOKEN"}))
        error = failure(vendor)
    assert error.received == PartialAnswer(
        403,
        {"content-length": str(len(body)), "x-request-id": "***"},
        b'{"error": "*** is not welcome"}',
    )
    request = vendor.masked_request(vendor.url)
    assert "s3cret" not in str(request)
    assert request["headers"]["Authorization"] == "***"  # type: ignore[index]


@pytest.mark.parametrize("token", ["", "  ", "two\nlines", "ümlaut"])
def test_an_invalid_token_is_reported_before_any_request(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_TOKEN", token)
    with pytest.raises(InputError, match="VENDOR_TOKEN"):
        vendor_of(api("https://api.vendor.example/x", auth={"variable": "VENDOR_TOKEN"}))


def test_the_retry_budget_covers_the_whole_pull() -> None:
    retries = {"attempts": 5, "budget": 6, "first_wait_ms": 1, "failures_in_a_row": 100}
    with serving({"/x": answer(b"", status="503 Unavailable")}) as server:
        vendor = vendor_of(api(f"{server.url}/x", retries=retries))

        async def several() -> None:
            async with vendor.opened():
                for _ in range(4):
                    with pytest.raises(RequestFailedError):
                        await vendor.retried(partial(vendor.fetch, vendor.url))

        asyncio.run(several())
    assert vendor.traffic.retries == 6
    assert len(server.asked) == 4 + 6


def test_a_vendor_that_stays_down_is_abandoned() -> None:
    retries = {
        "attempts": 20,
        "first_wait_ms": 1,
        "longest_wait_ms": 1,
        "failures_in_a_row": 3,
        "rest_ms": 20,
        "rests": 2,
    }
    with serving({"/x": answer(b"", status="503 Unavailable")}) as server:
        vendor = vendor_of(api(f"{server.url}/x", retries=retries))
        error = failure(vendor)
        assert error.kind is FailureKind.DOWN
        asked = len(server.asked)
        assert error.attempts == asked == 3 + 2
        assert failure(vendor).attempts == 0
    assert len(server.asked) == asked


def test_a_vendor_that_asks_for_a_long_pause_gets_no_more_requests() -> None:
    with serving({"/x": answer(b"", "Retry-After: 3600", status="503 Unavailable")}) as server:
        vendor = vendor_of(api(f"{server.url}/x"))
        assert failure(vendor).kind is FailureKind.SERVER
        error = failure(vendor)
    assert (error.kind, error.attempts) == (FailureKind.DOWN, 0)
    assert "3600 s" in error.detail
    assert server.asked == ["/x"]


def test_a_server_needs_a_trusted_certificate(tmp_path: Path) -> None:
    """The certificate is checked by name, although the connection goes to the checked address."""
    certificate, key = _certificate(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    with serving({"/x": answer(PAGE)}, tls=served) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        trusting = ssl.create_default_context(cafile=str(certificate))
        assert fetch(vendor_of(api(f"{url}/x"), tls=trusting)) == PAGE
        for other, context in ((url, None), (server.url, trusting)):
            vendor = vendor_of(api(f"{other}/x", retries={"attempts": 1}), tls=context)
            assert failure(vendor).kind is FailureKind.CONNECT


async def _answer_in_http_2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request of a connection with the page, in HTTP/2."""
    connection = H2Connection(H2Configuration(client_side=False))
    connection.initiate_connection()
    while data := await reader.read(2**16):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                connection.send_headers(event.stream_id, [(":status", "200")])
                connection.send_data(event.stream_id, PAGE, end_stream=True)
        writer.write(connection.data_to_send())
        await writer.drain()
    writer.close()


def test_http_2_is_used_if_offered(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    served.set_alpn_protocols(["h2"])
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def main() -> bytes:
        server = await asyncio.start_server(_answer_in_http_2, "127.0.0.1", 0, ssl=served)
        async with server:
            port = server.sockets[0].getsockname()[1]
            vendor = vendor_of(api(f"https://localhost:{port}/x"), tls=trusting)
            async with vendor.opened():
                answers = [await vendor.retried(partial(vendor.fetch, vendor.url)) for _ in range(2)]
            return b"".join(answer.received.body for answer in answers)

    assert asyncio.run(main()) == PAGE * 2


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate of its own for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret


def test_retry_after_is_a_number_or_a_date() -> None:
    assert _retry_after(None) is None
    assert _retry_after("soon") is None
    assert _retry_after("17") == 17
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 <= (_retry_after(later) or 0) <= 90
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("header", ["9" * 5000, "0" * 5000 + "9" * 8, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_of_years_is_a_long_wait(header: str) -> None:
    assert _retry_after(header) == 10**6


@pytest.mark.parametrize(
    "header",
    ["Fri, 31 Dec 99999 23:59:59 GMT", "\u0663", "-5", "1e9", "", " ", "Fri, 31 Dec 9999 23:59:59 -9999"],
)
def test_any_other_text_is_no_wait_or_a_long_one(header: str) -> None:
    assert _retry_after(header) in {None, 10**6}


def test_a_token_in_the_address_is_sent_and_never_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_TOKEN", "s3cret/t0ken")
    auth = {"variable": "VENDOR_TOKEN", "parameter": "api_key"}
    link = 'Link: </x?page=2&api_key=s3cret%2Ft0ken>; rel="next"'
    with serving({"/x": answer(b"{}", link)}) as server:
        vendor = vendor_of(api(f"{server.url}/x", auth=auth))

        async def asked() -> ApiPage:
            async with vendor.opened():
                return await vendor.fetch(vendor.url)

        page = asyncio.run(asked())
    assert page.link == "/x?page=2"
    (head,) = server.heads
    assert head.startswith("GET /x?api_key=s3cret%2Ft0ken ")
    assert "authorization" not in head.lower()
    shown = vendor.masked_request(vendor.url)
    assert shown["url"] == f"{server.url}/x?api_key=%2A%2A%2A"
    assert "s3cret" not in str(shown)


def test_requests_go_through_the_proxy_of_the_setting_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets a CONNECT for the vendor; variables of other programs are not looked at."""
    refusal = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
    nobody = partial(_resolved, [])
    retries = {"attempts": 1}
    with serving({"vendor.example:443": refusal}) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        vendor = vendor_of(api("https://vendor.example/x", retries=retries), nobody)
        assert failure(vendor).kind is FailureKind.CONNECT
        assert proxy.asked == []
        monkeypatch.setenv(PROXY_VARIABLE, proxy.url)
        vendor = vendor_of(api("https://vendor.example/x", retries=retries), nobody)
        assert failure(vendor).kind is FailureKind.CUT_OFF
        assert proxy.asked == ["vendor.example:443"]
        assert proxy.heads[0].startswith("CONNECT ")


async def _resolved(addresses: list[str], _host: str, _port: int) -> list[str]:
    return addresses
