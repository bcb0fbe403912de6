"""Response headers that restrict what a browser does with a response."""

from collections.abc import Iterable, Iterator

Header = tuple[bytes, bytes]

FOR_EVERY_RESPONSE = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
UNLESS_SET = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""For API responses, which load nothing and mustn't be cached. A page sets its own."""


def security_headers(headers: Iterable[Header]) -> Iterator[Header]:
    """Yield the headers to add to a response that has these headers."""
    yield from FOR_EVERY_RESPONSE
    names = {name.lower() for name, _ in headers}
    yield from (header for header in UNLESS_SET if header[0] not in names)
