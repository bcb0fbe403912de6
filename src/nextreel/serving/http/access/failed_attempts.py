"""Slowing down who tries wrong API keys, without locking out who has a right one.

Every address has a bucket of attempts that may fail. When it is empty, requests from there with a key that wasn't
accepted before are refused without looking the key up, until an attempt is left again. A key that this process has
accepted is always looked up, so the failures of others behind the same proxy don't keep its owner out. Buckets and keys
are bounded in number. An IPv6 client usually has a network of 64 bits to itself, which counts as one address.
"""

import hashlib
import ipaddress
from collections import OrderedDict
from functools import lru_cache

from nextreel.serving.http.access.rate_limits import RateLimiter

FAILURES_AT_ONCE, FAILURES_PER_SECOND = 30, 0.5
MAX_ACCEPTED = 10_000
"""Number of accepted keys that are remembered, those that were used last."""


class FailedAttempts:
    """What one process remembers of wrong keys by address, and of the keys that it accepted by their hashes."""

    def __init__(self, limiter: RateLimiter | None = None) -> None:
        self._limiter = limiter or RateLimiter(FAILURES_PER_SECOND, FAILURES_AT_ONCE)
        self._accepted: OrderedDict[bytes, None] = OrderedDict()

    def wait(self, address: str, key: str) -> float:
        """Return 0 if a key from this address is looked up now, which takes an attempt; else the seconds to wait."""
        return 0.0 if _hash(key) in self._accepted else self._limiter.wait(_network_of(address))

    def note(self, address: str, key: str, is_right: bool) -> None:
        """Note whether a key that was looked up was right, and give the attempt back if it was."""
        hashed = _hash(key)
        was_accepted = hashed in self._accepted
        if not is_right:
            if was_accepted:
                del self._accepted[hashed]
                self._limiter.wait(_network_of(address))
            return
        if not was_accepted:
            self._limiter.give_back(_network_of(address))
            self._accepted[hashed] = None
        self._accepted.move_to_end(hashed)
        if len(self._accepted) > MAX_ACCEPTED:
            self._accepted.popitem(last=False)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


@lru_cache(maxsize=1_000)
def _network_of(address: str) -> str:
    """Return an IPv4 address, or the first 64 bits of an IPv6 address."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv6Address) and read.ipv4_mapped is None:
        return str(ipaddress.IPv6Address(int(read) >> 64 << 64))
    return address
