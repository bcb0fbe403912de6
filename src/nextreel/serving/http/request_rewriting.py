"""Middleware that rewrites a request into one that the routes know: escaped ids, below a sub-path, and HEAD as GET.

A sub-path such as /films comes from a proxy, which strips it from the addresses or passes it on. In the convention of
ASGI, `path` is the whole path and `root_path` its beginning. Access control and routing both look at what follows the
sub-path, so that the two can't disagree about which endpoint is meant.

A text id may hold a slash, which an address writes as %2F. Decoded, `path` would no longer tell it from a slash between
two parts, so it is escaped again: access control and routing see one part, and the route's parameter undoes it.
"""

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextreel.errors import ConfigError

ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*/?")


def parse_root_path(text: str) -> str:
    """Read a sub-path such as "/films"; "/" means none, and a slash at the end makes no difference.

    Raises ConfigError for any other text.
    """
    if not ROOT_PATH.fullmatch(text):
        raise ConfigError(
            f"--root-path {text!r}: expected a path such as /films, of letters, digits, '.', '_', '~' and '-'"
        )
    return text.rstrip("/")


class EscapedParts:
    """Middleware that keeps an escaped slash of an address escaped in the path, and so each part one part."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the application."""
        if scope["type"] == "http":
            raw_path: bytes = scope.get("raw_path") or b""
            if b"%" in raw_path:
                parts = raw_path.decode("latin-1").split("/")
                scope["path"] = "/".join(escape_part(unquote(part)) for part in parts)
        await self._app(scope, receive, send)


def escape_part(text: str) -> str:
    """Return a part of a path with its slashes and percent signs escaped, so that it stays one part."""
    return text.replace("%", "%25").replace("/", "%2F")


def unescape_part(text: str) -> str:
    """Undo `escape_part`."""
    return text.replace("%2F", "/").replace("%25", "%")


class SubPath:
    """Middleware that completes the path of a request by the sub-path, if a proxy has stripped it."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the application."""
        if scope["type"] == "http":
            scope["root_path"] = self._root_path
            path: str = scope["path"]
            if path == self._root_path:
                scope["path"] = f"{path}/"
            elif not path.startswith(f"{self._root_path}/"):
                scope["path"] = f"{self._root_path}{path}"
        await self._app(scope, receive, send)


def path_below_root(scope: Scope) -> str:
    """Return the path of a request without the sub-path: what the routes are named by."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    return path.removeprefix(root_path) if path.startswith(f"{root_path}/") else path


class HeadRequests:
    """Middleware that answers HEAD as GET and leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the application."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send_without_body)
        finally:
            scope["route"] = as_get.get("route")  # for the log and the metrics
