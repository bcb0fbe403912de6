"""The names under which the server may be asked, which a web site that rebinds its own name can't be among.

In DNS rebinding, a page of evil.example makes its own name point to 127.0.0.1. To the browser, this server is then a
part of that site, whose scripts may read all it answers. But the browser still sends `Host: evil.example`. A host that
is an address, not a name, can't be rebound, so every address is allowed.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from nextreel.errors import ConfigError

NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
ANY = "*"
"""The name that stands for all names in `--allowed-host`."""


@dataclass(frozen=True)
class AllowedHosts:
    """The names under which the server may be asked, besides those of this machine's loopback and all addresses."""

    names: frozenset[str] = frozenset()
    """Further names, in lower case."""
    is_any_allowed: bool = False
    """Whether every name is allowed, because an API key, which a rebound page can't have, is asked for."""

    @classmethod
    def parse(cls, names: Iterable[str], served_at: str, is_any_allowed: bool = False) -> Self:
        """Return the allowed hosts of a server at an address; given names override `is_any_allowed`.

        Raises
        ------
        ConfigError
            A name isn't one, but perhaps a URL.
        """
        given = {name.lower() for name in names}
        if ANY in given:
            return cls(is_any_allowed=True)
        for name in given:
            if not NAME.fullmatch(name) and not _is_address(name):
                raise ConfigError(
                    f"--allowed-host {name!r}: expected a host's name, such as films.example.org, without https:// "
                    "and without a port"
                )
        if is_any_allowed and not given:
            return cls(is_any_allowed=True)
        own = socket.gethostname() if _is_wildcard(served_at) else served_at
        return cls(frozenset(given | {own.lower()}))

    def allow(self, host: str) -> bool:
        """Return whether a request may have this in its header Host."""
        return self.is_any_allowed or _is_allowed(self.names, host)


@lru_cache(maxsize=1_000)
def _is_allowed(names: frozenset[str], host: str) -> bool:
    name = name_of(host)
    return name in names or name == "localhost" or name.endswith(".localhost") or _is_address(name)


def name_of(host: str) -> str:
    """Return the name or the address in a header Host, in lower case, without the port."""
    name = host.strip().lower()
    if name.startswith("[") and "]" in name:
        return name[1:].partition("]")[0]
    return name.partition(":")[0].removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_wildcard(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified
