"""HTTP/1.1 on a connection whose client may be slow, or mean to be."""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nextreel.serving.http.request_limits import Limits

TOO_SLOW, TOO_LONG = b"408 Request Timeout", b"431 Request Header Fields Too Large"

logger = logging.getLogger("nextreel")


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's, which ends a connection whose request headers are too long or too slow, or whose answers aren't taken.

    An answer is handed to the connection whole, which keeps in memory what the client hasn't taken yet. Without a
    limit a client that stops reading would hold that for ever, and the slot of a further request on its connection.
    """

    def __init__(self, *arguments: Any, limits: Limits, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._limits = limits
        self._headers_due: asyncio.TimerHandle | None = None
        self._taken_due: asyncio.TimerHandle | None = None
        self._unfinished: int | None = None
        """Bytes of headers whose end hasn't come yet; None between them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """The next part of a request: headers without an end are refused as well."""
        super().data_received(data)
        if self._unfinished is not None:
            self._unfinished += len(data)
            if self._unfinished > self._limits.header_bytes:
                self._refuse(TOO_LONG)

    def on_message_begin(self) -> None:
        """Wait for the rest of its headers."""
        super().on_message_begin()
        self._unfinished = 0
        self._expect_headers()

    def on_headers_complete(self) -> None:
        """From here on the body's own limits hold."""
        if self._are_headers_too_long():
            raise ValueError("too long")  # ends the parser's work; `send_400_response` says why
        self._unfinished = None
        _cancel(self._headers_due)
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The answer to what can't be parsed, or shouldn't be."""
        if self._are_headers_too_long():
            self._refuse(TOO_LONG)
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """More than a little waits for the client: from here on it has to be taken."""
        super().pause_writing()
        self._expect_taken()

    def resume_writing(self) -> None:
        """The client takes it; the little that is left has its own time."""
        super().resume_writing()
        self._expect_taken()

    def on_response_complete(self) -> None:
        """A small answer has to be taken too; while a large one waits, the time goes on."""
        super().on_response_complete()
        if not self.flow.write_paused:
            self._expect_taken()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        super().connection_lost(exc)
        _cancel(self._headers_due)
        _cancel(self._taken_due)

    def _expect_headers(self) -> None:
        _cancel(self._headers_due)
        self._headers_due = self.loop.call_later(self._limits.header_seconds, self._refuse, TOO_SLOW)

    def _are_headers_too_long(self) -> bool:
        if self._unfinished is None:
            return False
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return length > self._limits.header_bytes

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()

    def _expect_taken(self) -> None:
        _cancel(self._taken_due)
        self._taken_due = self.loop.call_later(self._limits.send_seconds, self._end_if_not_taken)

    def _end_if_not_taken(self) -> None:
        if self.transport.get_write_buffer_size():
            client = self.client[0] if self.client else ""
            logger.warning("a client didn't take its answer", extra={"client": client})
            self.transport.abort()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
