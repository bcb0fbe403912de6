"""HTTP/1.1 with time limits for clients that send or receive slowly, by accident or on purpose."""

import asyncio
import logging
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from nextreel.serving.http.request_limits import Limits

TOO_SLOW, TOO_LONG = b"408 Request Timeout", b"431 Request Header Fields Too Large"

logger = logging.getLogger("nextreel")


class TimedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also limits the headers of a request and the time for receiving a response.

    It closes a connection whose request headers are too long or too slow, or whose client doesn't receive a response
    in time. A response is handed to the connection as a whole, and the part that the client hasn't received yet stays
    in memory. Without the limit, a client that stops reading would hold that memory forever, and with it the slot of
    the next request on its connection.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._header_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None
        self._header_bytes: int | None = None
        """Bytes received since a request began whose headers are incomplete; None between such requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit for the headers of the first request."""
        super().connection_made(transport)
        self._start_header_timer()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and refuse headers that are too long even before they are complete."""
        super().data_received(data)
        if self._header_bytes is not None:
            self._header_bytes += len(data)
            if self._header_bytes > self._limits.header_bytes:
                self._refuse(TOO_LONG)

    def on_message_begin(self) -> None:
        """Restart the time limit for the headers, from the first byte of a request."""
        super().on_message_begin()
        self._header_bytes = 0
        self._start_header_timer()

    def on_headers_complete(self) -> None:
        """End the limits for the headers; from here on, the limits for the body apply."""
        if self._are_headers_too_long():
            raise ValueError("too long")  # stops the parser, which calls `send_400_response`
        self._header_bytes = None
        _cancel(self._header_timer)
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Respond to a request that can't be parsed, or whose headers are too long."""
        if self._are_headers_too_long():
            self._refuse(TOO_LONG)
        else:
            super().send_400_response(msg)

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
        if not self.flow.write_paused:
            self._start_send_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all time limits."""
        super().connection_lost(exc)
        _cancel(self._header_timer)
        _cancel(self._send_timer)

    def _start_header_timer(self) -> None:
        _cancel(self._header_timer)
        self._header_timer = self.loop.call_later(self._limits.header_seconds, self._refuse, TOO_SLOW)

    def _are_headers_too_long(self) -> bool:
        if self._header_bytes is None:
            return False
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return length > self._limits.header_bytes

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()

    def _start_send_timer(self) -> None:
        _cancel(self._send_timer)
        self._send_timer = self.loop.call_later(self._limits.send_seconds, self._abort_if_unsent)

    def _abort_if_unsent(self) -> None:
        if self.transport.get_write_buffer_size():
            client = self.client[0] if self.client else ""
            logger.warning("a client didn't receive its response in time", extra={"client": client})
            self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
