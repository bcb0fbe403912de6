"""The log, with one line per request: plain text in a terminal, JSON elsewhere."""

import json
import logging
import re
import secrets
import sys
import time
import traceback
from datetime import UTC, datetime

import orjson
from pydantic import JsonValue
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextreel.serving.http.problem_details import problem
from nextreel.serving.http.prometheus_metrics import Metrics
from nextreel.serving.http.security_headers import security_headers

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A request id that a client may choose; these characters can't forge a line of a log."""

AFTER_USERS = re.compile(r"(?<=/users/).+", re.DOTALL | re.IGNORECASE)
"""The part of a path that names a user, also where no endpoint has the path."""

logger = logging.getLogger("nextreel")
access_logger = logging.getLogger("nextreel.access")


def describe_logging() -> dict[str, JsonValue]:
    """Return a configuration for `logging.config`: lines on stderr, and only warnings of uvicorn.

    The lines are plain text if stderr is a terminal, where a person reads them, and JSON otherwise.
    """
    form = "plain" if sys.stderr.isatty() else "json"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "nextreel.serving.http.request_log.JsonFormatter"},
            "plain": {"()": "nextreel.serving.http.request_log.PlainFormatter"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": form, "stream": "ext://sys.stderr"}
        },
        "loggers": {
            "nextreel": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        },
    }


STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "color_message", "asctime", "taskName"}
"""Attributes of a log record that aren't fields of `extra`."""


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON: time, level, message, and the fields of `extra`.

    Whatever a client sent is escaped: no path, name or message of an error can end the line or control a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        logged_at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": logged_at,
            "level": record.levelname,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        text = _write_json(line)
        return text if text.isprintable() else "".join(map(_escape_in_json, text))


class PlainFormatter(logging.Formatter):
    """Formats a log record as a line for people, such as "18:03:21 GET /v1/movies/7 200 in 1.9 ms".

    Times are those of the machine's time zone. Characters that could forge a line or control the terminal are escaped,
    and the lines of a traceback are indented, since the message of an error may have lines of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the traceback if the record has one."""
        clock = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = _extra(record)
        if record.name == access_logger.name:
            method, path, status, ms = (fields.pop(name, "") for name in ("method", "path", "status", "ms"))
            fields.pop("client", None)
            message = f"{method} {path} {status} in {ms} ms"
            if status != 500:
                fields.pop(
                    "request_id", None
                )  # It leads to the traceback of an error, and only clutters other lines.
        else:
            message = record.getMessage()
            message = message if record.levelno == logging.INFO else f"{record.levelname}: {message}"
        notes = "".join(f", {name} {value}" for name, value in fields.items())
        line = _escape(f"{clock} {message}{notes}")
        if record.exc_info:
            written = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            line += "".join(f"\n  {_escape(each)}" for each in written.split("\n"))
        return line


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def _write_json(line: dict[str, object]) -> str:
    try:
        return orjson.dumps(line, default=str).decode()
    except orjson.JSONEncodeError:  # half a surrogate pair, for example
        return json.dumps(line, default=str)


def _escape_in_json(character: str) -> str:
    """Escape what JSON may hold as it is, but what ends a line or controls a terminal for some who read the log."""
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else json.dumps(character)[1:-1]


def _escape(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class RequestLog:
    """Outermost middleware: gives each request an id, logs and measures it, and adds the security headers.

    An exception of the code is logged, and the client gets a response without its details.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the application and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = _choose_id(Headers(scope=scope)), time.perf_counter(), 0
        state = scope.setdefault("state", {})
        state["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                added = [(b"x-request-id", request_id.encode()), *security_headers(headers)]
                message["headers"] = [*headers, *added]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            logger.exception("a request failed", extra={"request_id": request_id})
            if status:  # the response has begun, so there can't be another one
                raise
            detail = "internal error; the server's log describes it under this request_id"
            await problem(500, detail, request_id)(scope, receive, send_with_headers)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        state, route = scope["state"], getattr(scope.get("route"), "path", "other")
        self._metrics.latency.labels(scope["method"], route, status).observe(seconds)
        if status >= 500:
            self._metrics.errors.labels(status).inc()
        fields = {
            "request_id": state["request_id"],
            "method": scope["method"],
            "path": _hide_user(scope, route),
            "status": status,
            "ms": round(seconds * 1000, 3),
            "client": (scope.get("client") or ("",))[0],
            **{name: state[name] for name in ("key", "error") if name in state},
        }
        access_logger.info("request", extra=fields)


def _hide_user(scope: Scope, route: str) -> str:
    """Return the path of a request, but without the user whom it names: erasing a user can't reach the log."""
    if "{user_id}" in route:
        root_path: str = scope.get("root_path", "")
        return root_path + route
    return AFTER_USERS.sub("{user_id}", scope["path"])


def _choose_id(headers: Headers) -> str:
    proposed = headers.get("x-request-id", "")
    return proposed if REQUEST_ID.fullmatch(proposed) else secrets.token_hex(8)
