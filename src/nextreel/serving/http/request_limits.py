"""Limits on requests: how long a body may be and take to arrive, and how many requests run at the same time."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextreel.serving.http.problem_details import problem
from nextreel.serving.http.request_rewriting import path_below_root

HEALTH_CHECKS = frozenset({"/healthz", "/readyz"})
"""Paths that are answered however many requests run and connections are open: a busy server isn't a dead one."""


@dataclass(frozen=True)
class Limits:
    """Limits on what a client may demand of the server."""

    body_bytes: int = 1_000_000
    """Maximum length of a request body in bytes."""
    upload_bytes: int = 14_000_000
    """Maximum length of a body with a person's export, which may have 10 MB, written in base64."""
    uploads_at_once: int = 4
    """Number of bodies with exports that are received and read at the same time, so that they don't fill the memory."""
    body_seconds: float = 15.0
    """Time from the end of the headers to the end of the body."""
    header_bytes: int = 65_536
    """Length of the URL and the headers together; and of all that frames a body, such as trailers."""
    header_seconds: float = 10.0
    """Time from the connection, or from the first byte of a request, to the end of the headers."""
    answer_seconds: float = 30.0
    """Time that the work for a response may take."""
    send_seconds: float = 60.0
    """Time in which a client must receive a response that is waiting to be sent."""
    idle_seconds: float = 30.0
    """Time from a response to the first byte of the next request on its connection."""
    connections: int = 500
    """Connections of one process that may be open; beyond them, only health checks are answered."""
    at_once: int = 200
    """Number of requests that run at the same time; further ones are refused with 503."""


UPLOADS = frozenset({"/v1/histories", "/films"})
"""Paths whose bodies hold people's exports."""


class RequestLimiter:
    """Middleware that refuses bodies that are too long (413) or too slow (408), and too many requests (503)."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits, self._running, self._uploads = app, limits, 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the application, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if path_below_root(scope) in HEALTH_CHECKS:
            await self._app(scope, self._limit_body(scope, receive), send)
            return
        is_upload = scope["method"] == "POST" and path_below_root(scope) in UPLOADS
        has_room = self._running < self._limits.at_once
        if is_upload:
            has_room &= self._uploads < self._limits.uploads_at_once
        if not has_room:
            request_id = scope["state"]["request_id"]
            refusal = problem(503, "too many requests at once", request_id, headers={"Retry-After": "1"})
            await refusal(scope, receive, send)
            return
        self._running += 1
        self._uploads += is_upload
        try:
            await self._app(scope, self._limit_body(scope, receive, is_upload), send)
        finally:
            self._running -= 1
            self._uploads -= is_upload

    def _limit_body(self, scope: Scope, receive: Receive, is_upload: bool = False) -> Receive:
        """Return a `receive` that raises HTTPException if the body is too long or too slow."""
        length = Headers(scope=scope).get("content-length", "")
        announced = int(length) if length.isdecimal() else 0
        loop, limits = asyncio.get_running_loop(), self._limits
        most = limits.upload_bytes if is_upload else limits.body_bytes
        # The rest of a refused body is never read, so the connection can't be used again.
        close = {"Connection": "close"}
        too_large = HTTPException(413, f"a body has at most {most:,} bytes", close)
        too_slow = HTTPException(408, f"the body didn't arrive within {limits.body_seconds:g} seconds", close)
        deadline, n_received, is_complete = loop.time() + limits.body_seconds, 0, False

        async def receive_limited() -> Message:
            nonlocal n_received, is_complete
            if announced > most:
                raise too_large
            if is_complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise too_slow from None
            n_received += len(message.get("body", b""))
            if n_received > most:
                raise too_large
            is_complete = not message.get("more_body", False)
            return message

        return receive_limited
