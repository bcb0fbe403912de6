"""The OpenAPI description, with the keys and the problems as they really are."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nextreel.serving.http.access_control import needed_scope
from nextreel.serving.http.response_bodies import ProblemDetails


def describe_api(app: FastAPI, keys_required: bool) -> dict[str, Any]:
    """The OpenAPI description, with keys and problems as they really are."""
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
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                if (scope := needed_scope(method.upper(), path)) is not None:
                    operation["security"] = [{"ApiKey": []}, {"Bearer": []}]
                    operation["description"] = f"{operation.get('description', '')}\n\nScope: {scope}."
    app.openapi_schema = schema
    return schema


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its description."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"content": content, "description": DESCRIPTIONS[status]} for status in statuses}


DESCRIPTIONS = {
    400: "The body isn't JSON, or the request isn't HTTP as it should be.",
    401: "No API key, or one that doesn't hold.",
    403: "The key's scope doesn't allow this.",
    404: "There is no such thing.",
    408: "The body took too long to arrive.",
    409: "It contradicts what stands.",
    413: "The body is too long.",
    415: "The body isn't sent as application/json.",
    422: "A field isn't as it should be; `errors` names it.",
    429: "Too many requests with this key; Retry-After says how long to wait, in seconds.",
    503: "The store can't be reached, or there is too much to do; try again.",
}


EVERYWHERE = (401, 403, 422, 429, 503)


WITH_BODY = (400, 408, 413, 415)
