"""Every error as `application/problem+json` (RFC 9457): what was wrong with which field, never how the code broke."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from nextreel.errors import ArtifactError, IdempotencyError, NextreelError, QueryError, StoreError
from nextreel.serving.http.request_bodies import EXPECTED

STATUS_BY_ERROR: dict[type[NextreelError], HTTPStatus] = {
    IdempotencyError: HTTPStatus.CONFLICT,
    ArtifactError: HTTPStatus.CONFLICT,
    QueryError: HTTPStatus.UNPROCESSABLE_ENTITY,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""What an error of ours means to a client; the first class that fits counts."""
STORE_IS_AWAY = "the store can't be reached; nothing was written, try again"
"""What a client hears of a StoreError: the message itself may name hosts, and belongs into the log."""
FASTAPIS_UNREADABLE = "There was an error parsing the body"
UNREADABLE = "the body isn't JSON that can be read: not UTF-8, nested too deeply, or with too long a number"
MEDIA_TYPE = "application/problem+json"


def problem(
    status: int,
    detail: str,
    request_id: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response that describes one problem; `errors` are (field, detail) each."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    if errors:
        body["errors"] = list(errors)
    return Response(orjson.dumps(body), status, dict(headers or {}), MEDIA_TYPE)


def answer_errors_with_problems(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Let every error that one of the routes raises end as a problem."""

    async def describe_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_find_methods(request, routes)))
        detail = UNREADABLE if error.detail == FASTAPIS_UNREADABLE else error.detail
        return problem(error.status_code, detail, request.state.request_id, headers=headers)

    app.add_exception_handler(RequestValidationError, _describe_validation)
    app.add_exception_handler(HTTPException, describe_http)
    app.add_exception_handler(NextreelError, _describe_ours)


async def _describe_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    sent = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    if error.body is not None and sent != "application/json":
        found = f"the body is {sent}" if sent else "the body's type isn't named"
        return problem(415, f"{found}; expected application/json", request.state.request_id)
    if error.errors()[0]["type"] == "json_invalid":
        return problem(
            400, f"the body isn't JSON: {error.errors()[0]['ctx']['error']}", request.state.request_id
        )
    errors = [{"field": _name_field(each["loc"]), "detail": _say_expected(each)} for each in error.errors()]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return problem(422, f"{first['field']}: {first['detail']}{more}", request.state.request_id, errors)


async def _describe_ours(request: Request, error: Exception) -> Response:
    status = next((STATUS_BY_ERROR[kind] for kind in STATUS_BY_ERROR if isinstance(error, kind)), None)
    if status is None:
        raise error
    request.state.error = str(error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return problem(status, STORE_IS_AWAY, request.state.request_id, headers={"Retry-After": "1"})
    return problem(status, str(error), request.state.request_id)


def _find_methods(request: Request, routes: Sequence[BaseRoute]) -> set[str]:
    """All methods that some route has for this path."""
    fitting = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in fitting for method in getattr(route, "methods", None) or ()}


def _say_expected(error: Mapping[str, Any]) -> str:
    if error["type"] == "string_pattern_mismatch":
        return EXPECTED[error["ctx"]["pattern"]]
    return str(error["msg"]).removeprefix("Value error, ")


def _name_field(place: Sequence[str | int]) -> str:
    """Such as "queries[3].k" of ("body", "queries", 3, "k")."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place[1:])
    return name.lstrip(".") or str(place[0])
