"""What a client may ask of the server: how long a body may be and take, and how many requests run at once."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextreel.serving.http.problem_details import problem


@dataclass(frozen=True)
class Limits:
    """What a client may ask of the server."""

    body_bytes: int = 1_000_000
    body_seconds: float = 15.0
    """From the headers to the end of the body."""
    header_bytes: int = 65_536
    """Of the address and the headers."""
    header_seconds: float = 10.0
    """From the connection, or the first byte of a request, to the end of its headers."""
    answer_seconds: float = 30.0
    """From the whole request to its answer."""
    send_seconds: float = 60.0
    """From where an answer has to wait for its client to the end of it."""
    at_once: int = 200
    """Requests that are worked on; more are told to come back."""


class Limit:
    """Refuses bodies that are too long (413) or too slow (408), and requests while there are too many (503)."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits, self._running = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, limits = scope["state"]["request_id"], self._limits
        if self._running >= limits.at_once:
            busy = problem(503, "too many requests at once", request_id, headers={"Retry-After": "1"})
            await busy(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, self._watch(scope, receive), send)
        finally:
            self._running -= 1

    def _watch(self, scope: Scope, receive: Receive) -> Receive:
        """`receive` until the body is whole, or too long or too slow."""
        length = Headers(scope=scope).get("content-length", "")
        announced = int(length) if length.isdecimal() else 0
        loop, limits = asyncio.get_running_loop(), self._limits
        # The rest of the body is never read, so the connection is of no further use.
        close = {"Connection": "close"}
        too_large = HTTPException(413, f"a body has at most {limits.body_bytes:,} bytes", close)
        too_slow = HTTPException(408, f"the body didn't arrive within {limits.body_seconds:g} seconds", close)
        due, had, whole = loop.time() + limits.body_seconds, 0, False

        async def receive_watched() -> Message:
            nonlocal had, whole
            if announced > limits.body_bytes:
                raise too_large
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError:
                raise too_slow from None
            had += len(message.get("body", b""))
            if had > limits.body_bytes:
                raise too_large
            whole = not message.get("more_body", False)
            return message

        return receive_watched
