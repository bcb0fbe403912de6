"""Refusing what a page of another web site makes its visitor's browser send: DNS rebinding and request forgery.

A server that asks for no keys trusts whoever can connect, and a browser on this machine can, whatever site it shows.
Three facts tell such a request from the others; programs such as curl send none of the headers and are let through.

- `Host` names the site that the browser takes the server for. It must be an allowed name (`AllowedHosts`).
- `Sec-Fetch-Site`, or `Origin` where a browser sends only that, says which site caused a request. One that changes
  something, or that a script or an element of a page makes, must be caused by this server's own page or by a site that
  `--allow-origin` names; a link from anywhere may open a page. (This is the check of Go's `http.CrossOriginProtection`
  with the resource isolation policy of web.dev for reading.)
- `Content-Type` of what a form sends is one of three, and nothing here takes those, with a body or without, except the
  page "Your films", which takes a file from its own form.
"""

import logging
from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nextreel.serving.http.access.access_control import PUBLIC_PATHS
from nextreel.serving.http.access.allowed_hosts import AllowedHosts
from nextreel.serving.http.problem_details import problem
from nextreel.serving.http.request_rewriting import path_below_root
from nextreel.wording import shorten

logger = logging.getLogger("nextreel")

READING = ("GET", "HEAD", "OPTIONS")
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""Content types that a form can send to another site without its consent."""
FILE_FORM = "multipart/form-data"
FORM_PATHS = frozenset({"/films", "/films/keep"})
"""Paths of the page's own form that sends a file; a browser must say that the form is the page's own."""
OUR_OWN = ("same-origin", "none")
"""Values of Sec-Fetch-Site of a request by our own page, or by a person who typed the address."""
READ_HEADERS = frozenset({b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"content-type"})


class ForeignPages:
    """Middleware that refuses other hosts (421), other sites' requests (403) and forms (415); health checks pass."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: AllowedHosts,
        allowed_origins: Iterable[str] = (),
        warns_of_proxy: bool = False,
    ) -> None:
        """`warns_of_proxy`: whether to log a warning once if a request came by a proxy, which nobody has named."""
        self._app, self._hosts, self._origins = app, hosts, frozenset(allowed_origins)
        self._warns_of_proxy = warns_of_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on to the application, or refuse it."""
        is_checked = scope["type"] == "http" and path_below_root(scope) not in PUBLIC_PATHS
        refusal = self._refuse(scope) if is_checked else None
        await (refusal or self._app)(scope, receive, send)

    def _refuse(self, scope: Scope) -> Response | None:
        """Return the response to a request that isn't allowed; None if it is."""
        request_id, sent = scope["state"]["request_id"], dict[bytes, str]()
        for name, raw in scope["headers"]:
            if name in READ_HEADERS:
                value = raw.decode("latin-1")
                if sent.setdefault(name, value) != value:
                    return problem(400, f"the request has two different headers {name.decode()}", request_id)
            elif self._warns_of_proxy and name == b"x-forwarded-for":
                self._warns_of_proxy = False
                logger.warning(
                    "requests arrive through a proxy, so anybody may get in without a key: start nextreel serve with "
                    "--require-keys, and name the proxy with --trusted-proxy"
                )
        host = sent.get(b"host")
        if host and not self._hosts.allow(host):
            name = shorten(host, 100)
            detail = f"this server isn't known as {name}; nextreel serve --allowed-host adds a name"
            return problem(421, detail, request_id)
        method: str = scope["method"]
        if self._is_foreign(method, sent, host or ""):
            detail = (
                "a page of another web site caused this request; nextreel serve --allow-origin allows a site"
            )
            return problem(403, detail, request_id)
        if method not in READING and (sent_type := sent.get(b"content-type")):
            content_type = sent_type.partition(";")[0].strip().lower()
            if content_type in FORM_TYPES and not self._is_own_form(scope, content_type, sent, host or ""):
                detail = f"the content type of the body is {content_type}; expected application/json"
                return problem(415, detail, request_id)
        return None

    def _is_own_form(self, scope: Scope, content_type: str, sent: dict[bytes, str], host: str) -> bool:
        """Return whether a form with a file comes from the page that has one, as the browser says itself."""
        if content_type != FILE_FORM or path_below_root(scope) not in FORM_PATHS:
            return False
        origin = sent.get(b"origin")
        return sent.get(b"sec-fetch-site") == "same-origin" or (
            origin is not None and _is_same_host(origin, host)
        )

    def _is_foreign(self, method: str, sent: dict[bytes, str], host: str) -> bool:
        """Return whether a page of another site, which isn't allowed to, made the browser send a request."""
        origin, site = sent.get(b"origin"), sent.get(b"sec-fetch-site")
        if origin is not None and (origin in self._origins or "*" in self._origins):
            return False
        if site is not None:
            is_link = method in READING and sent.get(b"sec-fetch-mode") == "navigate"
            return site not in OUR_OWN and not is_link
        return origin is not None and not _is_same_host(origin, host)


def _is_same_host(origin: str, host: str) -> bool:
    """Return whether an origin is on this host and port. A proxy may have ended TLS, so the scheme doesn't count."""
    return _without_usual_port(origin.partition("://")[2]) == _without_usual_port(host)


def _without_usual_port(host: str) -> str:
    return host.strip().lower().removesuffix(":80").removesuffix(":443")
