"""What a reverse proxy says of the client that it forwards: believed only if the proxy's address was named as trusted.

Anybody can send X-Forwarded-For. A request that comes from another address than a trusted proxy's keeps the address of
its connection, the scheme and the host that it has, whatever such headers it carries.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

from nextreel.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class TrustedProxies:
    """The addresses of the proxies whose forwarded headers are believed; none by default."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, addresses: Iterable[str]) -> Self:
        """Return the trusted proxies of addresses and networks such as "127.0.0.1" and "10.0.0.0/8".

        Raises
        ------
        ConfigError
            A text is neither.
        """
        networks = []
        for text in addresses:
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError:
                raise ConfigError(
                    f"--trusted-proxy {text!r}: expected an address or a network, such as 127.0.0.1 or 10.0.0.0/8"
                ) from None
        return cls(tuple(networks))

    def contain(self, address: str) -> bool:
        """Return whether a connection from this address comes from a trusted proxy."""
        return _is_in(self.networks, address)

    def find_client(self, forwarded_for: str) -> str | None:
        """Return the client's address in X-Forwarded-For; None if the last entry isn't an address.

        Each proxy appends whom it was asked by, so what is before the last entry that isn't a trusted proxy's is only
        the claim of a client.
        """
        client = None
        for entry in reversed(forwarded_for.split(",")):
            address = _read_address(entry)
            if address is None:
                return client
            client = address
            if not self.contain(address):
                return client
        return client


@lru_cache(maxsize=1_000)
def _is_in(networks: tuple[Network, ...], address: str) -> bool:
    read = _read_address(address)
    return read is not None and any(ipaddress.ip_address(read) in network for network in networks)


def _read_address(entry: str) -> str | None:
    """Return the address in an entry such as "203.0.113.7", "203.0.113.7:1234" or "[2001:db8::7]:1234"."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        address = ipaddress.IPv6Address(int(address))  # without a zone, which may hold any text
    return str(address)


class ForwardedHeaders:
    """Middleware that replaces the client, the scheme and the host of a request by what a trusted proxy says."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the application."""
        peer = scope.get("client") if scope["type"] == "http" else None
        if peer is not None and self._proxies.contain(peer[0]):
            self._believe(scope)
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope) -> None:
        headers: list[Header] = scope["headers"]
        if forwarded_for := _join(headers, b"x-forwarded-for"):
            client = self._proxies.find_client(forwarded_for)
            if client is not None:
                scope["client"] = (client, 0)
        if (scheme := _last(_join(headers, b"x-forwarded-proto")).lower()) in ("http", "https"):
            scope["scheme"] = scheme
        if host := _last(_join(headers, b"x-forwarded-host")):
            others = [(name, value) for name, value in headers if name != b"host"]
            scope["headers"] = [(b"host", host.encode("latin-1")), *others]


def _join(headers: list[Header], name: bytes) -> str:
    """Return the values of all headers of this name, as if they were one list."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)


def _last(values: str) -> str:
    """Return the last value of a list: the one that the nearest proxy appended."""
    return values.rpartition(",")[2].strip()
