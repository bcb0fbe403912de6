"""What keeps a server running in a hostile world: one log line a request, metrics, limits on bodies and on waiting."""

import asyncio
import logging
import os
import re
import secrets
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nextreel.serving.problems import problem
from nextreel.serving.security import API_HEADERS, HEADERS

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A request id that a client may choose: nothing that could forge a line of a log."""
BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 0.5, 1, 2, 5, 10)
"""Upper bounds of the latency histogram, seconds."""
MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus-client: where workers share their figures."""


class Metrics:
    """What Prometheus scrapes; the figures of all workers together."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

        def count(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace="nextreel", registry=self._registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(
                name,
                text,
                labels,
                namespace="nextreel",
                registry=self._registry,
                multiprocess_mode="mostrecent",
            )

        self.latency = Histogram(
            "request_seconds",
            "Time to answer.",
            ["method", "route", "status"],
            namespace="nextreel",
            registry=self._registry,
            buckets=BUCKETS,
        )
        self.queries = count("queries", "Queries answered, each of a batch counted.", "version")
        self.fallbacks = count("fallbacks", "Queries that the model couldn't answer.", "kind")
        self.shortfalls = count("shortfalls", "Queries answered with fewer than k movies.")
        self.stored = count("interactions", "Ratings received, by what became of them.", "outcome")
        self.errors = count("errors", "Requests that failed by our fault.", "status")
        self.lag = gauge("store_lag", "Interactions in the store that the last answer didn't know.")
        self.model = gauge(
            "model_info", "1 for a version that answers, 0 for one that did.", "name", "version"
        )

    def render(self) -> bytes:
        """In Prometheus' text format."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, and what else is known."""

    STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
        "message",
        "color_message",
        "asctime",
        "taskName",
    }

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        extra = {name: value for name, value in vars(record).items() if name not in self.STANDARD}
        line = {"time": moment, "level": record.levelname, "message": record.getMessage(), **extra}
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(line, default=str).decode()


def describe_logging() -> dict[str, Any]:
    """For `logging.config`: JSON lines on stderr of ours and uvicorn's; the line a request is ours alone."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "nextreel.serving.operations.JsonFormatter"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}
        },
        "loggers": {
            "nextreel": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        },
    }


class Trace:
    """Gives each request an id, logs one line when it is answered, measures it, and hides how our code breaks."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._log = logging.getLogger("nextreel.access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = _choose_id(Headers(scope=scope)), time.perf_counter(), 0
        state = scope.setdefault("state", {})
        state["request_id"] = request_id

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_add_headers(message, request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            logging.getLogger("nextreel").exception("a request broke", extra={"request_id": request_id})
            if status:  # too late for another answer
                raise
            failure = problem(500, "an error of ours; the log has it under this request_id", request_id)
            await failure(scope, receive, send_marked)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        state, route = scope["state"], getattr(scope.get("route"), "path", "other")
        self._metrics.latency.labels(scope["method"], route, status).observe(seconds)
        if status >= 500:
            self._metrics.errors.labels(status).inc()
        line = {
            "request_id": state["request_id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 3),
            "client": (scope.get("client") or ("",))[0],
            **{name: state[name] for name in ("key", "error") if name in state},
        }
        self._log.info("request", extra=line)


def _choose_id(headers: Headers) -> str:
    asked = headers.get("x-request-id", "")
    return asked if REQUEST_ID.fullmatch(asked) else secrets.token_hex(8)


def _add_headers(message: Message, request_id: str) -> Iterable[tuple[bytes, bytes]]:
    yield b"x-request-id", request_id.encode()
    yield from HEADERS
    has = {name.lower() for name, _ in message["headers"]}
    yield from (header for header in API_HEADERS if header[0] not in has)


@dataclass(frozen=True)
class Limits:
    """What a client may ask of the server."""

    body_bytes: int = 1_000_000
    body_seconds: float = 15.0
    """From the headers to the end of the body."""
    header_seconds: float = 10.0
    """From the connection, or the first byte of a request, to the end of its headers."""
    answer_seconds: float = 30.0
    """From the whole request to its answer."""
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


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, which closes a connection whose request headers don't arrive within some seconds."""

    def __init__(self, *arguments: Any, header_seconds: float, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._header_seconds = header_seconds
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """Wait for the rest of its headers."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """From here on the body's own limit holds."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        self._due = self.loop.call_later(self._header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()
