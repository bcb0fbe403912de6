"""Who may ask what, and how often: API keys, scopes, rate limits, and the headers that make browsers careful.

Where keys are required, a request carries one in `X-API-Key` or `Authorization: Bearer`. A browser asks its user for
one, as the password of `Authorization: Basic`; since it then sends the key by itself, whatever site made it ask, such
a key counts outside `/v1/` alone, where nothing can be changed. Each key has a bucket of
tokens that fills at the rate allowed; a request takes one token, and where there is none it is told how long to wait.
Buckets are each process's own, so several workers allow a key that many times the rate at most.
"""

import base64
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nextreel.errors import StoreError
from nextreel.serving.http.problem_details import STORE_IS_AWAY, problem
from nextreel.serving.storage import api_keys as keys
from nextreel.serving.storage.api_keys import ApiKey

OPEN = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Answered to anybody: they say nothing about people or movies."""
MOST_KEYS = 10_000
"""Buckets that are kept; beyond, full ones are forgotten."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
"""Of every response."""
API_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""Of what isn't a page: it loads nothing and is kept by nobody."""

READS_BY_POST = re.compile(r"/v1/recommendations(/batch)?/?")
ABOUT_A_PERSON = re.compile(r"/v1/users/[^/]+/?")


def needed_scope(method: str, path: str) -> keys.Scope | None:
    """What a request needs: None if it is open to anybody."""
    if path in OPEN or method == "OPTIONS":
        return None
    if path.startswith("/v1/admin/"):
        return keys.Scope.ADMIN
    if ABOUT_A_PERSON.fullmatch(path):
        return keys.Scope.WRITE
    if method in ("GET", "HEAD") or (method == "POST" and READS_BY_POST.fullmatch(path)):
        return keys.Scope.READ
    return keys.Scope.WRITE


@dataclass
class Bucket:
    """Tokens of one key."""

    tokens: float
    at: float
    """When they were counted, seconds of a monotonic clock."""


@dataclass
class RateLimiter:
    """Token buckets (RFC 2697's idea with one rate), one a key."""

    rate: float
    """Requests a second in the long run."""
    burst: float
    """Requests at once after a rest."""
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def wait(self, key: str) -> float:
        """Take a token: 0 if there was one, otherwise the seconds until there will be."""
        now = self.clock()
        if len(self._buckets) >= MOST_KEYS:
            self._forget_full(now)
        bucket = self._buckets.setdefault(key, Bucket(self.burst, now))
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.at) * self.rate)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.rate
        bucket.tokens -= 1
        return 0.0

    def _forget_full(self, now: float) -> None:
        full = [
            key
            for key, each in self._buckets.items()
            if each.tokens + (now - each.at) * self.rate >= self.burst
        ]
        for key in full:
            del self._buckets[key]


class Guard:
    """Lets a request through to the application if its key may do that, and not too often."""

    def __init__(
        self, app: ASGIApp, find_key: Callable[[str], Awaitable[ApiKey | None]], limiter: RateLimiter
    ) -> None:
        self._app, self._find_key, self._limiter = app, find_key, limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        needed = needed_scope(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if needed is None:
            await self._app(scope, receive, send)
            return
        refused = await self._check(scope, needed)
        await (refused or self._app)(scope, receive, send)

    async def _check(self, scope: Scope, needed: keys.Scope) -> ASGIApp | None:
        request_id = scope["state"]["request_id"]
        page = not scope["path"].startswith("/v1/")
        challenge = {
            "WWW-Authenticate": 'Basic realm="nextreel: an API key as the password"' if page else "Bearer"
        }
        shown = read_key(Headers(scope=scope), page)
        if shown is None:
            detail = "an API key is needed, in X-API-Key or as a Bearer token"
            return problem(401, detail, request_id, headers=challenge)
        try:
            key = await self._find_key(shown)
        except StoreError as error:
            scope["state"]["error"] = str(error)
            return problem(503, STORE_IS_AWAY, request_id, headers={"Retry-After": "1"})
        if key is None:
            detail = "this API key isn't known, or was revoked"
            return problem(401, detail, request_id, headers=challenge)
        scope["state"]["key"] = key.name
        if not key.scope.allows(needed):
            detail = f"this needs a key of scope {needed}; {key.name} has {key.scope}"
            return problem(403, detail, request_id)
        wait = self._limiter.wait(key.id)
        if wait:
            detail = f"{key.name} asks more than {self._limiter.rate:g} times a second"
            return problem(429, detail, request_id, headers={"Retry-After": str(math.ceil(wait))})
        return None


def read_key(headers: Headers, page: bool = False) -> str | None:
    """The key of a request, if it carries one; that of a page may be the password of a browser's user."""
    if own := headers.get("x-api-key"):
        return own
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer":
        return token or None
    if scheme.lower() == "basic" and page:
        try:
            return base64.b64decode(token, validate=True).decode().partition(":")[2] or None
        except ValueError:
            return None
    return None
