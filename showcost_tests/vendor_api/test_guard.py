"""Server-side request forgery: no setting, redirect, link or name leads to an internal address."""

from __future__ import annotations

import asyncio

import httpcore
import httpx
import pytest
from pydantic import ValidationError

from showcost.config.api import ApiAuth, LinkedPages, base_url
from showcost.config.items import ItemMapping
from showcost.core.errors import InputError
from showcost.vendor_api.client import address_of
from showcost.vendor_api.failures import FailureKind, RequestFailedError
from showcost.vendor_api.guard import CheckedNetwork, allowed_addresses, check_url
from showcost.vendor_api.pagination import Pagination
from showcost.vendor_api.windows import Window
from showcost_tests.vendor_api.asking import api, failure, fetch, vendor_of
from showcost_tests.vendor_api.hostile import answer, serving
from showcost_tests.vendor_api.vendors import feed_of, scripts
from showcost_tests.whole.small import WEDNESDAY

LOOPBACKS = [
    *("http://2130706433/", "http://0x7f.1/", "http://0x7f000001/", "http://127.1/", "http://0177.0.0.1/"),
    *(
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://0.0.0.0/",
        "http://0/",
        "http://[::]/",
    ),
    *("http://127.0.0.2/", "http://localhost./", "http://①27.0.0.1/"),
]
INSIDE = [
    *("192.0.0.8", "192.88.99.1", "168.63.129.16", "fec0::1", "3fff::1", "3fff:fff::1"),
    *("64:ff9b:1::a00:1", "5f00::1", "::10.0.0.1", "::8.8.8.8"),
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.1", "127.0.0.1"),
    *(
        "255.255.255.255",
        "224.0.0.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
    ),
    *(
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ),
]


@pytest.mark.parametrize("url", [*LOOPBACKS, *(url.replace("http:", "https:") for url in LOOPBACKS)])
def test_only_three_spellings_of_this_machine_are_accepted(url: str) -> None:
    with pytest.raises(ValueError, match=r"https|name|URL"):
        base_url(url)
    with pytest.raises((RequestFailedError, httpx.InvalidURL)):
        check_url(httpx.URL(url), frozenset({"api.vendor.example"}))


@pytest.mark.parametrize(
    "url",
    [
        *("https://a..b/", "https://-a.example/", "https://a-.example/", f"https://{'a' * 64}.example/"),
        *("https://xn--n3h.example/", "https://xn--a.example/", f"https://{'a.' * 127}example/"),
        *("https://api.vendor.example/\na", " https://api.vendor.example/", "https://api.vendor.example/ "),
        *("https://api.v\u0435ndor.example/", "https://api.vendor.example/\x1b", "https://[::1/"),
    ],
)
def test_an_address_that_cannot_be_asked_for_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|name|IPv6"):
        base_url(url)


def test_an_international_name_may_be_asked_for() -> None:
    assert base_url("https://xn--mnchen-3ya.example/api") == "https://xn--mnchen-3ya.example/api"
    assert httpx.URL("https://xn--mnchen-3ya.example/api").host == "m\u00fcnchen.example"


@pytest.mark.parametrize("header", ["Host", "cookie", "Proxy-Authorization", "Content-Length"])
def test_a_token_is_in_a_header_of_its_own(header: str) -> None:
    with pytest.raises(ValueError, match="a header for a token"):
        ApiAuth(variable="TOKEN", header=header)
    assert ApiAuth(variable="TOKEN", header="X-Api-Key").header == "X-Api-Key"


@pytest.mark.parametrize(
    "link",
    [
        "https://xn--a.example/",
        "https://xn--n3h.example/?page=2",
        "https://a..b/",
        "//[",
        "http://[::1",
        "\x00",
        "https://api.vendor.example:99999/",
        "https://api.vendor.example:x/",
        "javascript:alert(1)",
    ],
)
def test_a_link_that_cannot_be_followed_fails_its_page(link: str) -> None:
    linked = api("https://api.vendor.example/x").model_copy(update={"pages": LinkedPages(kind="link")})
    pages = Pagination(linked, ItemMapping(list="$", paths={"document_no": "id"}), httpx.URL(linked.base_url))
    with pytest.raises(RequestFailedError) as caught:
        pages.facts(b"[]", link, None)
    assert caught.value.kind is FailureKind.ADDRESS


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://api.vendor.example/",
            "ftp://api.vendor.example/",
            "file:///etc/passwd",
            "https://10.0.0.1/",
        ),
        *(
            "https://user:secret@api.vendor.example/",
            "https://api.vendor.example/?token=1",
            "https://[fd00::1]/",
        ),
    ],
)
def test_a_base_url_is_https_by_name(url: str) -> None:
    with pytest.raises(ValidationError):
        api(url)


def test_a_base_url_may_name_this_machine_or_a_vendor() -> None:
    for url in (
        "http://127.0.0.1:8000/x",
        "http://localhost/x",
        "http://[::1]:1/x",
        "https://api.vendor.example/x",
    ):
        assert api(url).base_url == url


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_with_an_internal_address_is_refused(address: str) -> None:
    for addresses in ([address], ["8.8.8.8", address], [address, "2001:4860:4860::8888"]):
        with pytest.raises(RequestFailedError, match="not a public address") as caught:
            allowed_addresses("api.vendor.example", addresses)
        assert caught.value.kind is FailureKind.ADDRESS
        assert not caught.value.transient


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "10.0.0.1", "127.0.0.2", "0.0.0.1"])
def test_localhost_leads_to_this_machine_only(address: str) -> None:
    with pytest.raises(RequestFailedError):
        allowed_addresses("localhost", [address])


def test_public_addresses_pass() -> None:
    addresses = allowed_addresses("api.vendor.example", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.4.4"])
    assert addresses == ["8.8.8.8", "2001:4860:4860::8888", "8.8.4.4"]
    assert allowed_addresses("localhost", ["127.0.0.1", "::1"]) == ["127.0.0.1", "::1"]


def test_the_client_refuses_a_name_with_an_internal_address_without_a_retry() -> None:
    asked: list[str] = []

    async def inside(host: str, port: int) -> list[str]:
        asked.append(f"{host}:{port}")
        return ["169.254.169.254"]

    error = failure(vendor_of(api("https://api.vendor.example/x"), inside))
    assert (error.kind, error.attempts) == (FailureKind.ADDRESS, 1)
    assert asked == ["api.vendor.example:443"]


class _Recorder(httpcore.AsyncNetworkBackend):
    """Records the targets of connections and opens none."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    async def connect_tcp(self, host: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        self.addresses.append(host)
        raise httpcore.ConnectError("recorded")


def test_the_connection_goes_to_the_checked_address() -> None:
    """DNS rebinding has no effect: a connection resolves once and uses the address that it checked."""
    answers = iter([["8.8.8.8"], ["127.0.0.1"], ["8.8.4.4"]])

    async def rebinding(host: str, port: int) -> list[str]:
        del host, port
        return next(answers)

    network, recorder = CheckedNetwork(frozenset({"api.vendor.example"}), rebinding), _Recorder()
    network._inner = recorder  # type: ignore[assignment]

    async def connect() -> str:
        try:
            await network.connect_tcp("api.vendor.example", 443)
        except httpcore.ConnectError:
            return "tried"
        except RequestFailedError as error:
            return str(error.kind)
        return "connected"

    outcomes = [asyncio.run(connect()) for _ in range(3)]
    assert outcomes == ["tried", FailureKind.ADDRESS, "tried"]
    assert recorder.addresses == ["8.8.8.8", "8.8.4.4"]


def test_the_network_connects_to_the_feeds_hosts_only() -> None:
    network = CheckedNetwork(frozenset({"api.vendor.example"}))
    with pytest.raises(RequestFailedError, match="not among"):
        asyncio.run(network.connect_tcp("other.vendor.example", 443))
    with pytest.raises(RequestFailedError, match="not a vendor"):
        asyncio.run(network.connect_unix_socket("/run/socket"))


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
@pytest.mark.parametrize("target", ["/other", "http://169.254.169.254/latest", "https://evil.example/"])
def test_no_redirect_is_followed(status: str, target: str) -> None:
    moved = answer(b"", f"Location: {target}", status=status)
    with serving({"/x": moved, "/other": answer(b"{}")}) as server:
        error = failure(vendor_of(api(f"{server.url}/x")))
    assert (error.kind, error.attempts) == (FailureKind.REDIRECT, 1)
    assert server.asked == ["/x"]


def _step(link: str, base: str = "https://api.vendor.example/invoices") -> httpx.URL:
    feed = feed_of(scripts(3)[2], base)
    assert feed.api is not None
    assert feed.items is not None
    return Pagination(feed.api, feed.items, httpx.URL(base)).url(Window(WEDNESDAY, WEDNESDAY), link)


@pytest.mark.parametrize(
    "link",
    [
        *("http://api.vendor.example/invoices?page=2", "https://evil.example/", "//169.254.169.254/latest"),
        *(
            "https://api.vendor.example:8443/invoices",
            "https://user@api.vendor.example/",
            "file:///etc/passwd",
        ),
        *("http://127.0.0.1/", "http://[::ffff:127.0.0.1]/", "gopher://api.vendor.example/", "https://[bad"),
    ],
)
def test_the_next_page_is_on_the_same_server(link: str) -> None:
    with pytest.raises(RequestFailedError) as caught:
        _step(link)
    assert caught.value.kind is FailureKind.ADDRESS


def test_links_of_the_same_server_are_followed() -> None:
    for link in ("?page=2", "/invoices?page=2", "https://api.vendor.example/invoices?page=2"):
        assert _step(link) == httpx.URL("https://api.vendor.example/invoices?page=2")


@pytest.mark.parametrize(
    "named", ["https://evil.example/x", "http://api.vendor.example/x", "http://2130706433/", "not an address"]
)
def test_the_variable_names_another_address_of_the_vendor_only(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = api(
        "https://api.vendor.example/x",
        base_url_variable="VENDOR_URL",
        hosts=["api.vendor.example", "sandbox.vendor.example"],
    )
    monkeypatch.setenv("VENDOR_URL", named)
    with pytest.raises(InputError, match="VENDOR_URL"):
        address_of(spec)
    monkeypatch.setenv("VENDOR_URL", "https://sandbox.vendor.example/x")
    assert address_of(spec).host == "sandbox.vendor.example"
    monkeypatch.delenv("VENDOR_URL")
    assert address_of(spec).host == "api.vendor.example"


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving({"/x": answer(b"{}")}) as server:
        assert fetch(vendor_of(api(f"{server.url}/x"))) == b"{}"
