"""Who may make which requests, and how often: API keys, scopes and rate limits.

Where keys are required, a request carries one in `X-API-Key` or `Authorization: Bearer`. For the web page, a browser
prompts its user for the key as the password of `Authorization: Basic`. The browser then sends the key with every
request, even one that another web site caused. Such a key is therefore accepted only outside `/v1/`, where nothing
can be changed but by *Keep* on the page "Your films", which `foreign_pages` lets only that page send.

Every key has a bucket of tokens, see `rate_limits`; if it is empty, the response says how long to wait. A costly
request takes as many more as it costs, and may leave the bucket in debt.
"""

import base64
import math
import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from nextreel.errors import StoreError
from nextreel.serving.http.access.failed_attempts import FailedAttempts
from nextreel.serving.http.access.rate_limits import RateLimiter
from nextreel.serving.http.dependencies import AppState
from nextreel.serving.http.problem_details import problem, tell
from nextreel.serving.http.request_rewriting import path_below_root
from nextreel.serving.storage.administration.api_keys import Scope, find_key

PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/openapi.json"})
"""Paths that need no key: they reveal nothing about users or movies."""
READS_BY_POST = re.compile(r"/v1/recommendations(/batch|/together)?/?|/v1/histories/?|/films/?")
USER_DATA = re.compile(r"/v1/users/[^/]+/?")

COST_OF_A_TOKEN = 10
"""Cost of a request (see `request_cost`) that one token pays for."""


def needed_scope(method: str, path: str) -> Scope | None:
    """Return the scope that a request needs; None if it needs no key."""
    if path in PUBLIC_PATHS or method == "OPTIONS":
        return None
    if path.startswith("/v1/admin/"):
        return Scope.ADMIN
    if USER_DATA.fullmatch(path):
        return Scope.WRITE
    if method in ("GET", "HEAD") or (method == "POST" and READS_BY_POST.fullmatch(path)):
        return Scope.READ
    return Scope.WRITE


class AccessControl:
    """Middleware that refuses requests without a valid key of the needed scope (401, 403), or too many (429)."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter) -> None:
        self._app, self._limiter, self._failed = app, limiter, FailedAttempts()

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Pass one request on to the application, or refuse it."""
        needed = needed_scope(scope["method"], path_below_root(scope)) if scope["type"] == "http" else None
        refusal = None if needed is None else await self._refuse(scope, needed)
        await (refusal or self._app)(scope, receive, send)

    async def _refuse(self, scope: Connection, needed: Scope) -> Response | None:
        """Return the response to a request that isn't allowed; None if it is."""
        request_id = scope["state"]["request_id"]
        is_page = not path_below_root(scope).startswith("/v1/")
        challenge = {
            "WWW-Authenticate": 'Basic realm="nextreel: an API key as the password"' if is_page else "Bearer"
        }
        presented = read_key(Headers(scope=scope), is_page)
        if presented is None:
            detail = "an API key is required, in X-API-Key or as a Bearer token"
            return problem(401, detail, request_id, headers=challenge)
        address: str = (scope.get("client") or ("",))[0]
        if wait := self._failed.wait(address, presented):
            detail = "too many requests from this address had a wrong API key"
            return problem(429, detail, request_id, headers={"Retry-After": str(math.ceil(wait))})
        state: AppState = scope["app"].state.nextreel
        try:
            key = await state.run_key_lookup(find_key, state.service.store, presented)
        except StoreError as error:
            scope["state"]["error"] = str(error)
            return problem(503, tell(error), request_id, headers={"Retry-After": "1"})
        self._failed.note(address, presented, key is not None)
        if key is None:
            detail = "this API key is unknown, has expired or was revoked"
            return problem(401, detail, request_id, headers=challenge)
        scope["state"]["key"], scope["state"]["key_id"] = key.name, key.id
        if not key.scope.allows(needed):
            detail = f"this request needs a key of scope {needed}; the scope of {key.name} is {key.scope}"
            return problem(403, detail, request_id)
        detail = f"the key {key.name} may make {self._limiter.rate:g} requests per second; costly ones count for more"
        wait = self._limiter.wait(key.id)
        if wait:
            return problem(429, detail, request_id, headers={"Retry-After": str(math.ceil(wait))})

        def charge(cost: float) -> None:
            if wait := self._limiter.charge(key.id, cost / COST_OF_A_TOKEN - 1):
                raise HTTPException(429, detail, {"Retry-After": str(math.ceil(wait))})

        scope["state"]["charge"] = charge
        return None


def read_key(headers: Headers, is_page: bool = False) -> str | None:
    """Return the key in a request's headers, None without one; for a page, a Basic password counts too."""
    if key := headers.get("x-api-key"):
        return key
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer":
        return token or None
    if scheme.lower() == "basic" and is_page:
        try:
            return base64.b64decode(token, validate=True).decode().partition(":")[2] or None
        except ValueError:
            return None
    return None
