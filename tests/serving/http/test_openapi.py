"""The OpenAPI description is true: the server responds as described to every request that schemathesis makes."""

from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from nextreel.serving.app import Settings, create_app
from tests.serving.servers import Server

CHECKS = [
    schemathesis.checks.not_a_server_error,
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]


DESCRIPTION = create_app(Settings(Path("model"), "sqlite:///nextreel.db", keys_required=False)).openapi()


# A body that breaks the schema may also be too long, and is then refused with 413.
REFUSED = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429"]
CONFIG = schemathesis.config.SchemathesisConfig.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": REFUSED}}}
)


@schemathesis.openapi.from_dict(DESCRIPTION, config=CONFIG).parametrize()
@settings(max_examples=settings().max_examples // 7, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: "schemathesis.Case[Any]", server: Server) -> None:
    case.call_and_validate(server.url, checks=CHECKS)


def test_the_server_describes_itself_so(server: Server) -> None:
    assert server.ok("GET", "/openapi.json") == DESCRIPTION


def test_every_route_has_an_example_and_says_which_problems_it_knows(server: Server) -> None:
    described = server.ok("GET", "/openapi.json")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            for status, response in operation["responses"].items():
                if status == "204":
                    assert "content" not in response
                    continue
                content_types = set(response["content"])
                assert (content_types == {"application/problem+json"}) == (status >= "400"), (path, status)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"]["$ref"].rpartition("/")[2]
                assert described["components"]["schemas"][name]["examples"], name


def test_the_examples_of_the_description_are_answered(server: Server) -> None:
    described = server.ok("GET", "/openapi.json")
    for name, path in (
        ("RecommendationQuery", "/v1/recommendations"),
        ("QueryBatch", "/v1/recommendations/batch"),
        ("Interaction", "/v1/interactions"),
        ("InteractionBatch", "/v1/interactions/batch"),
        ("NewMovie", "/v1/movies"),
        ("HistoryFile", "/v1/histories"),
        ("JointQuery", "/v1/recommendations/together"),
    ):
        for example in described["components"]["schemas"][name]["examples"]:
            response = httpx.post(f"{server.url}{path}", json=example)
            about_the_catalog = "isn't in the catalog" in response.text or "the catalog has" in response.text
            assert response.is_success or about_the_catalog, response.text
