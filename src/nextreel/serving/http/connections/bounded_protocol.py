"""HTTP/1.1 in which all that a client may send, leave open or not receive has a limit.

uvicorn's options limit the time of an idle connection, and the number of connections for health checks too. Other
servers were weighed. granian, as fast, leaves a connection open in the middle of a body and takes chunk sizes without
end. hypercorn's time limit is for each read, so that a byte now and then keeps a connection open. Neither keeps
connections free for health checks. Each would have needed a class like this one.
"""

import asyncio
import enum
import logging
import secrets
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from nextreel.serving.http.problem_details import problem
from nextreel.serving.http.request_limits import Limits
from nextreel.serving.http.security_headers import security_headers

RESERVED_CONNECTIONS = 32
"""Connections beyond the limit that may be open for health checks; the newest takes the place of the oldest."""
PIPELINED_REQUESTS = 100
"""Requests of one connection that may wait for the answer to an earlier one."""
HEADER_SYNTAX = len(": \r\n")
"""Bytes of a header beside its name and its value."""

logger = logging.getLogger("nextreel")


class Phase(enum.Enum):
    """Where the parser is in the stream of requests that a connection is."""

    BETWEEN = enum.auto()
    """Before the first byte of a request."""
    HEADERS = enum.auto()
    """In the request line or the headers."""
    BODY = enum.auto()
    """Between the headers and the end of the request."""


class RefusedError(Exception):
    """The answer to a request that isn't received to its end."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


INVALID = RefusedError(400, "this isn't a valid request of HTTP/1.1")


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits on the number of connections and on every phase of each.

    - Headers: a number of bytes, blank lines before them included, and a time.
    - Body: `RequestLimiter` limits its length and its time until the request is answered. From then on, what is left of
      it is read and dropped up to the same length, until the time of an idle connection is over. Sizes and extensions
      of its chunks and the trailers together may have as many bytes as the headers; the trailers are dropped.
    - Answer: a time for receiving it. It is handed to the connection as a whole, and the part that the client hasn't
      received yet stays in memory.
    - Idle connection: a time, which only the first byte of a request ends.
    - Pipelined requests: a number; after it, the connection is closed once they are answered.
    - Another protocol: the request that asks for it is answered, and the connection is closed.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        health_paths: frozenset[bytes],
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits, self._health_paths = limits, health_paths
        self.timeout_keep_alive = limits.idle_seconds  # type: ignore[assignment]
        self._phase = Phase.BETWEEN
        self._overhead_bytes = 0
        """Bytes of this phase that aren't of a body; those that came together with an earlier request don't count."""
        self._dropped_bytes = 0
        """Bytes of the body that came after its request was answered."""
        self._is_deaf = False
        """Whether anything more that the client sends is dropped."""
        self._is_reserved = False
        """Whether the connection is one of those beyond the limit."""
        self._opened_at = self.loop.time()
        self._header_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit for the headers of the first request, and make room if the server is full."""
        super().connection_made(transport)
        self._start_header_timer()
        if len(self.connections) > self._limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and refuse a request that is invalid or too long, even before it is complete."""
        if self._is_deaf:
            return
        self._overhead_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade:
            self._close_after_answers()
        except HttpParserError as error:
            self._refuse(error.__context__ if isinstance(error.__context__, RefusedError) else INVALID)
        else:
            self._check_lengths()

    def on_message_begin(self) -> None:
        """Start the time limit for the headers, from the first byte of a request."""
        super().on_message_begin()
        self._phase, self._dropped_bytes = Phase.HEADERS, 0
        self._unset_keepalive_if_required()
        self._start_header_timer()

    def on_headers_complete(self) -> None:
        """Accept a request, and end the limits for its headers; an exception stops the parser."""
        headers = self.headers
        length = len(self.url) + sum(len(name) + len(value) for name, value in headers)
        if length > self._limits.header_bytes:
            raise self._too_long
        if self._is_reserved and self.url.partition(b"?")[0] not in self._health_paths:
            raise RefusedError(503, "too many connections; try again later")
        if len(self.pipeline) >= PIPELINED_REQUESTS:
            raise RefusedError(503, "too many requests at once on one connection")
        super().on_headers_complete()
        if self._is_reserved:
            self.cycle.keep_alive = False
        self.headers = []  # of the trailers, which the request, with its own list, never sees
        self._phase = Phase.BODY
        self._overhead_bytes = max(0, self._overhead_bytes - length - HEADER_SYNTAX * (len(headers) + 1))
        _cancel(self._header_timer)

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body to the request, or drop it if that is answered."""
        self._overhead_bytes = max(0, self._overhead_bytes - len(body))
        if self.cycle.response_complete:
            self._dropped_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of the request."""
        super().on_message_complete()
        self._phase, self._overhead_bytes = Phase.BETWEEN, 0

    def pause_writing(self) -> None:
        """Start the time limit for receiving, because the connection's buffer is full."""
        super().pause_writing()
        self._start_send_timer()

    def resume_writing(self) -> None:
        """Restart the time limit for receiving what is left in the buffer."""
        super().resume_writing()
        self._start_send_timer()

    def on_response_complete(self) -> None:
        """Start the time limit for receiving a small response; for a large one, it is running already."""
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()
        if not self.flow.write_paused:
            self._start_send_timer()
        if self._phase is Phase.BODY and self.cycle.response_complete and self.expect_100_continue:
            self.transport.close()  # the client may leave the body out, and it would be read from the next request

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all time limits."""
        super().connection_lost(exc)
        _cancel(self._header_timer)
        _cancel(self._send_timer)

    @property
    def _too_long(self) -> RefusedError:
        return RefusedError(
            431, f"the address and the headers have at most {self._limits.header_bytes:,} bytes"
        )

    @property
    def _is_answered(self) -> bool:
        """Whether all requests are answered whose headers have arrived."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> None:
        """Close the connection that has been idle the longest; if none is, count this one as reserved."""
        others = [
            other
            for other in self.connections
            if isinstance(other, BoundedProtocol) and other is not self and not other.transport.is_closing()
        ]
        reserved = [other for other in others if other._is_reserved]
        if len(others) - len(reserved) < self._limits.connections:
            return
        idle = {
            other: other.timeout_keep_alive_task.when()
            for other in others
            if other.timeout_keep_alive_task
            and other._phase is Phase.BETWEEN
            and not other.transport.get_write_buffer_size()
        }
        if idle:
            min(idle, key=idle.__getitem__).transport.close()
            return
        self._is_reserved = True
        if len(reserved) >= RESERVED_CONNECTIONS:
            min(reserved, key=lambda other: other._opened_at).transport.abort()

    def _check_lengths(self) -> None:
        if self._dropped_bytes > self._limits.body_bytes:
            self._close_after_answers()
        elif self._overhead_bytes > self._limits.header_bytes:
            what = f"the chunks' sizes and extensions and the trailers have at most {self._limits.header_bytes:,} bytes"
            self._refuse(RefusedError(413, what) if self._phase is Phase.BODY else self._too_long)

    def _start_header_timer(self) -> None:
        _cancel(self._header_timer)
        self._header_timer = self.loop.call_later(self._limits.header_seconds, self._refuse_late_headers)

    def _refuse_late_headers(self) -> None:
        if self.flow.read_paused:  # so the server keeps the client waiting, not the other way round
            self._start_header_timer()
        else:
            seconds = self._limits.header_seconds
            self._refuse(RefusedError(408, f"the headers didn't arrive within {seconds:g} seconds"))

    def _refuse(self, refusal: RefusedError) -> None:
        """Refuse the request that is being received; complete ones before it are still answered."""
        if self._phase is not Phase.BODY and not self._is_answered:
            self._close_after_answers()
            return
        self._is_deaf = True
        _cancel(self._header_timer)
        if self.transport.is_closing():
            return
        if self._phase is Phase.BODY:
            if (
                self.cycle.response_started or self.pipeline
            ):  # so another answer would be taken for that of this one
                self.transport.close()
                self._start_send_timer()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(self._describe(refusal))
        self.transport.close()
        self._start_send_timer()

    def _describe(self, refusal: RefusedError) -> bytes:
        """Return a refusal as a response."""
        request_id = secrets.token_hex(8)
        fields = {"request_id": request_id, "status": refusal.status, "error": refusal.detail}
        logger.warning("a request was refused", extra={"client": self._client_host, **fields})
        more = {"Connection": "close"} | ({"Retry-After": "1"} if refusal.status == 503 else {})
        response = problem(refusal.status, refusal.detail, request_id, headers=more)
        headers = [*self.server_state.default_headers, *response.raw_headers]
        headers += [(b"x-request-id", request_id.encode()), *security_headers(headers)]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        return STATUS_LINE[refusal.status] + lines + b"\r\n" + bytes(response.body)

    def _close_after_answers(self) -> None:
        """Close the connection once the requests whose headers have arrived are answered, and read nothing more."""
        self._is_deaf = True
        _cancel(self._header_timer)
        if self._is_answered:
            self.transport.close()
            self._start_send_timer()
        else:
            self.cycle.keep_alive = False

    def _start_send_timer(self) -> None:
        _cancel(self._send_timer)
        self._send_timer = self.loop.call_later(self._limits.send_seconds, self._abort_if_unsent)

    def _abort_if_unsent(self) -> None:
        if self.transport.get_write_buffer_size():
            logger.warning(
                "a client didn't receive its response in time", extra={"client": self._client_host}
            )
            self.transport.abort()

    @property
    def _client_host(self) -> str:
        return self.client[0] if self.client else ""


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
