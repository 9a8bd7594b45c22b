"""SSRF guard: connections go to hosts of the feed's list only, and to public addresses only.

A name is resolved once, each of its addresses is checked, and the connection is made to a checked address:
there is no second query, to which a resolver could give another answer. This machine is
reached only by a feed whose URL names it in one of three plain spellings (`LOOPBACK_NAMES`); `2130706433`,
`0x7f.1`, `[::ffff:127.0.0.1]` and `0.0.0.0` are not among them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

import httpcore
import httpx

from showcost.config.hosts import LOOPBACK_NAMES
from showcost.core.proxy import proxy_url
from showcost.vendor_api.failures import FailureKind, RequestFailedError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    Resolver: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "fec0::/10", "3fff::/20"),
        *("64:ff9b:1::/48", "5f00::/16", "::/96"),
    )
)
"""Reserved networks that not every Python counts as such, and the address of Azure's host services."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "https": 443}

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, resolved in another thread; OSError when it has none."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def check_url(url: httpx.URL, hosts: frozenset[str]) -> None:
    """Raise RequestFailedError unless a URL is allowed: a listed host, by https except to this machine."""
    host = url.host
    if url.userinfo:
        raise RequestFailedError(FailureKind.ADDRESS, "the address carries a user name")
    if host not in hosts:
        raise RequestFailedError(
            FailureKind.ADDRESS, f"the host {host[:80]!r} is not among the feed's `hosts`"
        )
    if url.scheme == "https" or (url.scheme == "http" and host in LOOPBACK_NAMES):
        return
    raise RequestFailedError(
        FailureKind.ADDRESS, f"{url.scheme[:8]!r} to {host[:80]!r} where https is expected"
    )


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Tell whether two URLs have the same scheme, host and port."""
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: httpx.URL) -> int | None:
    return url.port or _PORTS.get(url.scheme)


def allowed_addresses(host: str, addresses: Iterable[str]) -> list[str]:
    """Return the addresses of a host in plain form; RequestFailedError if any of them is not allowed.

    One is enough: a name that also leads into a private network is not a vendor's.
    """
    expects_loopback = host in LOOPBACK_NAMES
    checked = []
    for text in addresses:
        address = _plain(text)
        allowed = str(address) in _LOOPBACK if expects_loopback else _is_public(address)
        if not allowed:
            raise RequestFailedError(
                FailureKind.ADDRESS, f"{host[:80]!r} leads to {address}, which is not a public address"
            )
        checked.append(str(address))
    if not checked:
        raise RequestFailedError(FailureKind.CONNECT, f"{host[:80]!r} has no address")
    return checked


def _plain(text: str) -> IpAddress:
    """Return an address, or the IPv4 address that it wraps."""
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        raise RequestFailedError(FailureKind.ADDRESS, "the resolver returned an invalid address") from None
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        return wrapped or address
    return address


def _is_public(address: IpAddress) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved)
        and not any(address in network for network in _NOT_PUBLIC)
    )


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to hosts by their checked addresses, for the pool of one vendor."""

    def __init__(self, hosts: frozenset[str], resolver: Resolver = resolve) -> None:
        self._hosts, self._resolve = hosts, resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a connection to the first checked address that accepts one."""
        if host not in self._hosts:
            raise RequestFailedError(
                FailureKind.ADDRESS, f"the host {host[:80]!r} is not among the feed's `hosts`"
            )
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise RequestFailedError(FailureKind.TIMEOUT, f"no address for {host!r} in time") from None
        except OSError:
            raise RequestFailedError(FailureKind.CONNECT, f"{host!r} cannot be resolved") from None
        failure: Exception | None = None
        for address in allowed_addresses(host, addresses):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address took the connection")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 -- the interface of httpcore
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a vendor is never reached through a local socket."""
        del path, timeout, socket_options
        raise RequestFailedError(FailureKind.ADDRESS, "a local socket is not a vendor")

    async def sleep(self, seconds: float) -> None:
        """Wait, for the pool."""
        await asyncio.sleep(seconds)


class CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, whose connections all go through `CheckedNetwork`.

    Through a proxy (`showcost.core.proxy`), hosts are checked, and the proxy resolves their names. This
    machine is reached directly.
    """

    def __init__(
        self, hosts: frozenset[str], tls: ssl.SSLContext, connections: int, resolver: Resolver = resolve
    ) -> None:
        proxy = None if hosts <= set(LOOPBACK_NAMES) else proxy_url()
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30
        )
        super().__init__(verify=tls, trust_env=False, proxy=proxy, limits=limits, http2=True)
        if proxy is not None:
            return
        # The pool accepts a network backend, but the transport has no parameter for one.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30,
            http1=True,
            http2=True,
            network_backend=CheckedNetwork(hosts, resolver),
        )
