"""Errors as `application/problem+json` (RFC 9457): which field is wrong and why, but nothing about the code."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from nextreel.errors import (
    ArtifactError,
    DataError,
    ErasedMeanwhileError,
    IdempotencyError,
    NextreelError,
    NotReadyError,
    QueryError,
    StoreError,
    UnusableStoreError,
)
from nextreel.serving.http.request_bodies import EXPECTED_BY_PATTERN
from nextreel.serving.http.response_bodies import FieldProblem, ProblemDetails
from nextreel.wording import shorten

STATUS_BY_ERROR: dict[type[NextreelError], HTTPStatus] = {
    IdempotencyError: HTTPStatus.CONFLICT,
    ErasedMeanwhileError: HTTPStatus.CONFLICT,
    ArtifactError: HTTPStatus.CONFLICT,
    QueryError: HTTPStatus.UNPROCESSABLE_ENTITY,
    DataError: HTTPStatus.UNPROCESSABLE_ENTITY,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    NotReadyError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Status of the response to an error of nextreel; the first matching class decides."""
STORE_UNAVAILABLE = "the store can't be reached; nothing was written, try again"
"""Detail of the response to a StoreError, whose own message may name hosts and is only logged."""
FASTAPIS_UNREADABLE = "There was an error parsing the body"
"""FastAPI's detail for a body that Python can't decode."""
UNREADABLE = (
    "the body can't be read as JSON: it isn't UTF-8, is nested too deeply, or holds too long a number"
)
LISTED_ERRORS = 50
"""Invalid fields that a problem lists; the detail says how many there are in all."""
LONGEST_FIELD = 200
"""Characters from which on the name of an invalid field, which the client may have chosen, is shortened."""
MEDIA_TYPE = "application/problem+json"

ShowProblem = Callable[[Request, int, str], Response | None]
"""Makes a page from a request, the status code and the detail of an error; None if the answer shouldn't be a page."""


def problem(
    status: int,
    detail: str,
    request_id: str,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a response that describes a problem, with one entry of `errors` per invalid field."""
    body = ProblemDetails(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request_id,
        errors=list(errors) or None,
    )
    return Response(orjson.dumps(body.model_dump(exclude_none=True)), status, dict(headers or {}), MEDIA_TYPE)


def respond_with_problems(app: FastAPI, routes: Sequence[BaseRoute], show_problem: ShowProblem) -> None:
    """Make the application respond with a problem to every error that a route raises.

    `show_problem` makes a page of an error that a browser's user should see; where it returns None, the response is
    `application/problem+json`.
    """

    async def describe_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if page := show_problem(request, error.status_code, str(error.detail)):
            return page
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(_find_methods(request, routes)))
        detail = UNREADABLE if error.detail == FASTAPIS_UNREADABLE else error.detail
        return problem(error.status_code, detail, request.state.request_id, headers=headers)

    async def describe_nextreel_error(request: Request, error: Exception) -> Response:
        problem_json = await _describe_nextreel_error(request, error)
        return show_problem(request, problem_json.status_code, str(error)) or problem_json

    app.add_exception_handler(RequestValidationError, _describe_invalid_request)
    app.add_exception_handler(HTTPException, describe_http_error)
    app.add_exception_handler(NextreelError, describe_nextreel_error)


async def _describe_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    request_id = request.state.request_id
    header = request.headers.get("content-type", "application/octet-stream")
    content_type = header.partition(";")[0].strip().lower()
    if error.body is not None and content_type != "application/json":
        actual = (
            f"the content type of the body is {content_type}" if content_type else "the content type is empty"
        )
        return problem(415, f"{actual}; expected application/json", request_id)
    failures: Sequence[ErrorDetails] = error.errors()
    if failures[0]["type"] == "json_invalid":
        return problem(400, f"the body isn't valid JSON: {failures[0]['ctx']['error']}", request_id)
    errors = [
        FieldProblem(
            field=shorten(_name_field(failure["loc"]), LONGEST_FIELD), detail=_describe_failure(failure)
        )
        for failure in failures[:LISTED_ERRORS]
    ]
    more = f" (and {len(failures) - 1:,} more)" if len(failures) > 1 else ""
    return problem(422, f"{errors[0].field}: {errors[0].detail}{more}", request_id, errors)


async def _describe_nextreel_error(request: Request, error: Exception) -> Response:
    status = next(
        (status for error_class, status in STATUS_BY_ERROR.items() if isinstance(error, error_class)), None
    )
    if status is None:
        raise error
    if not isinstance(error, DataError):  # which quotes a person's export, and mustn't get into the log
        request.state.error = str(error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return problem(status, tell(error), request.state.request_id, headers={"Retry-After": "1"})
    return problem(status, str(error), request.state.request_id)


def tell(error: Exception) -> str:
    """Return what a client may know of why the server can't do its work."""
    match error:
        case UnusableStoreError():
            return error.told
        case NotReadyError():
            return str(error)
        case _:
            return STORE_UNAVAILABLE


def _find_methods(request: Request, routes: Sequence[BaseRoute]) -> set[str]:
    """Return all methods that any route has for the path of a request."""
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in matching for method in getattr(route, "methods", None) or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


def _describe_failure(failure: ErrorDetails) -> str:
    if failure["type"] == "string_pattern_mismatch":
        return EXPECTED_BY_PATTERN[failure["ctx"]["pattern"]]
    return shorten(failure["msg"].removeprefix("Value error, "))


def _name_field(location: Sequence[str | int]) -> str:
    """Return the name of a field, such as "queries[3].k" for ("body", "queries", 3, "k")."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location[1:])
    return name.lstrip(".") or str(location[0])
