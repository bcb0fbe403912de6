"""What operators see of a server: one log line a request, and metrics."""

import logging
import re
import secrets
import time
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextreel.serving.http.access_control import API_HEADERS, HEADERS
from nextreel.serving.http.problem_details import problem
from nextreel.serving.http.prometheus_metrics import Metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A request id that a client may choose: nothing that could forge a line of a log."""


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
        "formatters": {"json": {"()": "nextreel.serving.http.request_log.JsonFormatter"}},
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
