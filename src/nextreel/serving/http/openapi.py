"""The OpenAPI description of the API, with the API keys and the problems that FastAPI doesn't know of."""

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import JsonValue

from nextreel.serving.http.access.access_control import needed_scope
from nextreel.serving.http.response_bodies import ProblemDetails

DESCRIPTIONS = {
    400: "The body isn't valid JSON, or the request isn't valid HTTP.",
    401: "The API key is missing or invalid.",
    403: "The scope of the API key doesn't allow this request, or a page of another web site caused it.",
    404: "The resource doesn't exist.",
    408: "The body took too long to arrive.",
    409: "The request conflicts with what is stored.",
    413: "The body is too long.",
    415: "The content type of the body isn't application/json.",
    421: "The server isn't known under the name in Host.",
    422: "A field is invalid; `errors` names each invalid field.",
    429: "Too many requests with this API key, or with wrong keys; Retry-After says how many seconds to wait.",
    503: "The store can't be reached, or the server is overloaded; try again.",
}
"""What each status of a problem means."""
EVERYWHERE = (401, 403, 421, 422, 429, 503)
"""Statuses of problems that every route may respond with."""
WITH_BODY = (400, 408, 413, 415)
"""Further statuses of a route that takes a body."""


def problems(*statuses: int) -> dict[int | str, dict[str, JsonValue]]:
    """Return the OpenAPI responses of the problems that a route may respond with."""
    content: dict[str, JsonValue] = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    return {status: {"content": content, "description": DESCRIPTIONS[status]} for status in statuses}


def describe_api(app: FastAPI, keys_required: bool) -> dict[str, JsonValue]:
    """Return the OpenAPI description of the application; it is computed once."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = schema["components"]["schemas"]
    components["Problem"] = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(components["Problem"].pop("$defs", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    if keys_required:
        schema["components"]["securitySchemes"] = {
            "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "Bearer": {"type": "http", "scheme": "bearer"},
        }
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                if (scope := needed_scope(method.upper(), path)) is not None:
                    operation["security"] = [{"ApiKey": []}, {"Bearer": []}]
                    operation["description"] = f"{operation.get('description', '')}\n\nScope: {scope}."
    app.openapi_schema = schema
    return schema
