"""Where a connection may go: hosts of the feed's list, and only addresses that the world may reach.

A name is resolved once, every address that it has is judged, and the connection goes to an address that was
judged: nobody can answer the second question of a resolver differently from the first. This machine is
reached only by a feed whose URL names it in one of three plain spellings (`LOOPBACK_NAMES`); `2130706433`,
`0x7f.1`, `[::ffff:127.0.0.1]` and `0.0.0.0` are none of them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Final, TypeAlias

import httpcore
import httpx

from showcost.config.api import LOOPBACK_NAMES
from showcost.vendor_api.failures import RequestFailedError, Trouble

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    Resolver: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "https": 443}

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, off the loop's thread; OSError when it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_url(url: httpx.URL, hosts: frozenset[str]) -> None:
    """Raise RequestFailedError unless a URL may be asked: host of the list, https but on this machine."""
    host = url.host
    if url.userinfo:
        raise RequestFailedError(Trouble.ADDRESS, "the address carries a user name")
    if host not in hosts:
        raise RequestFailedError(Trouble.ADDRESS, f"the host {host[:80]!r} is not among the feed's `hosts`")
    if url.scheme == "https" or (url.scheme == "http" and host in LOOPBACK_NAMES):
        return
    raise RequestFailedError(Trouble.ADDRESS, f"{url.scheme[:8]!r} to {host[:80]!r} where https is expected")


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Say whether two URLs lead to the same server: scheme, host and port."""
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: httpx.URL) -> int | None:
    return url.port or _PORTS.get(url.scheme)


def judge(host: str, addresses: Iterable[str]) -> list[str]:
    """Return the addresses of a host in plain form; RequestFailedError if one of them may not be reached.

    One that may not is enough: a name that also leads inside is not a vendor's.
    """
    expects_loopback = host in LOOPBACK_NAMES
    judged = []
    for text in addresses:
        address = _plain(text)
        allowed = str(address) in _LOOPBACK if expects_loopback else _is_public(address)
        if not allowed:
            raise RequestFailedError(
                Trouble.ADDRESS, f"{host[:80]!r} leads to {address}, which is no public address"
            )
        judged.append(str(address))
    if not judged:
        raise RequestFailedError(Trouble.CONNECT, f"{host[:80]!r} has no address")
    return judged


def _plain(text: str) -> Address:
    """Return an address, and for one that wraps an IPv4 address that one."""
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        raise RequestFailedError(Trouble.ADDRESS, "the resolver's answer is no address") from None
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        return wrapped or address
    return address


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to hosts by their judged addresses, for the pool of one vendor."""

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
        """Open a connection to the first judged address that takes one."""
        if host not in self._hosts:
            raise RequestFailedError(
                Trouble.ADDRESS, f"the host {host[:80]!r} is not among the feed's `hosts`"
            )
        try:
            async with asyncio.timeout(timeout):
                found = await self._resolve(host, port)
        except TimeoutError:
            raise RequestFailedError(Trouble.TIMEOUT, f"no address for {host!r} in time") from None
        except OSError:
            raise RequestFailedError(Trouble.CONNECT, f"{host!r} cannot be resolved") from None
        failure: Exception | None = None
        for address in judge(host, found):
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
        """Refuse: no vendor is reached by a socket of this machine."""
        del path, timeout, socket_options
        raise RequestFailedError(Trouble.ADDRESS, "a socket of this machine is no vendor")

    async def sleep(self, seconds: float) -> None:
        """Wait, for the pool."""
        await asyncio.sleep(seconds)


class CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, whose connections all go through `CheckedNetwork`."""

    def __init__(
        self, hosts: frozenset[str], tls: ssl.SSLContext, connections: int, resolver: Resolver = resolve
    ) -> None:
        super().__init__(verify=tls, trust_env=False)
        # The pool takes the network to use, the transport does not hand it through.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30,
            http1=True,
            http2=True,
            network_backend=CheckedNetwork(hosts, resolver),
        )
