"""What the API refuses and how it explains that, with a real server and a real store."""

import json
from typing import Any

import pytest

from tests.serving.servers import LATE, Server


@pytest.fixture
def api(server: Server) -> Server:
    return server


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "user_id"),
        ({"user_id": -1}, "user_id"),
        ({"user_id": 1, "k": 0}, "k"),
        ({"user_id": 1, "k": 1_001}, "k"),
        ({"user_id": 1, "timestamp": "soon"}, "timestamp"),
        ({"user_id": 1, "timestamp": 10**13}, "timestamp"),
        ({"user_id": 1, "diversity": 1.5}, "diversity"),
        ({"user_id": 1, "wanted": 5}, "wanted"),
        ({"user_id": 1, "exclude": ["a"]}, "exclude[0]"),
    ],
)
def test_a_wrong_field_is_named(api: Server, query: dict[str, object], field: str) -> None:
    problem = api.problem(422, "POST", "/v1/recommendations", json=query)
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize(
    ("path", "fields", "values"),
    [
        ("recommendations", "user_id timestamp k year_min year_max", (True, "12", 1.5)),
        ("recommendations", "diversity calibration", (True, "1")),
        ("recommendations", "exclude_seen explain", (1, "true")),
        ("interactions", "user_id movie_id timestamp", (True, "12", 1.5)),
        ("interactions", "rating", (True, "4")),
        ("movies", "movie_id year", (True, "12", 1.5)),
        ("movies", "title", (True, 12)),
    ],
)
def test_a_value_of_another_type_is_refused(
    api: Server, path: str, fields: str, values: tuple[object, ...]
) -> None:
    schemas = api.ok("GET", "/openapi.json")["components"]["schemas"]
    body = {"recommendations": "RecommendationQuery", "interactions": "Interaction", "movies": "NewMovie"}[
        path
    ]
    for field in fields.split():
        for value in values:
            sent = {**schemas[body]["examples"][0], field: value}
            problem = api.problem(422, "POST", f"/v1/{path}", json=sent)
            assert [error["field"] for error in problem["errors"]] == [field], sent


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/movies/{}", "movie_id"),
        ("/v1/users/{}", "user_id"),
        ("/v1/users/1/recommendations?k={}", "k"),
        ("/v1/users/1/history?limit={}", "limit"),
        ("/v1/users/1/history?offset={}", "offset"),
        ("/v1/movies/2/similar?k={}", "k"),
        ("/v1/movies?query=a&limit={}", "limit"),
    ],
)
def test_a_number_in_an_address_is_made_of_digits(api: Server, path: str, field: str) -> None:
    for text in ("1_0", "%2B1", "%201", "1.0", "9" * 5_000, "one"):
        problem = api.problem(422, "GET", path.format(text))
        assert problem["detail"] == f"{field}: expected a whole number"


@pytest.mark.parametrize(
    "timestamp",
    ["now", "20240132", "1969", str(LATE), " 5 ", "1_000", "٢٠٢٤-01-01", "2024-01-01T25:00", 1.5, True, [1]],
)
def test_what_is_no_timestamp_is_refused(api: Server, timestamp: object) -> None:
    query = {"user_id": 1, "timestamp": timestamp}
    problem = api.problem(422, "POST", "/v1/recommendations", json=query)
    assert problem["errors"][0]["field"] == "timestamp"
    assert "expected POSIX seconds or ISO 8601" in problem["detail"]


@pytest.mark.parametrize(
    "timestamp", ["now", " 5 ", "1_000", "+5", "9" * 5_000, "2024-01-01T25:00", "1e3", ""]
)
def test_what_is_no_timestamp_in_an_address_is_refused(api: Server, timestamp: str) -> None:
    problem = api.problem(422, "GET", "/v1/users/1/recommendations", params={"at": timestamp})
    assert problem["errors"][0]["field"] == "at"
    assert "expected POSIX seconds or ISO 8601" in problem["detail"]


def test_a_parameter_that_an_address_does_not_have_is_refused(api: Server) -> None:
    found = api.problem(422, "GET", "/v1/users/1/recommendations?timestamp=5")
    assert (
        found["detail"]
        == "timestamp: unknown parameter; expected one of at, diversity, exclude_seen, explain, k"
    )
    assert found["errors"][0]["field"] == "timestamp"
    found = api.problem(422, "POST", "/v1/recommendations?k=5", json={"user_id": 1})
    assert found["detail"] == "k: unknown parameter; this endpoint has no query parameters"


def test_the_wrong_query_of_a_batch_is_named(api: Server) -> None:
    batch = {"queries": [{"user_id": 1}, {"user_id": 1, "k": 0}]}
    problem = api.problem(422, "POST", "/v1/recommendations/batch", json=batch)
    assert problem["errors"][0]["field"] == "queries[1].k"


def test_a_batch_with_a_thousand_wrong_fields_lists_the_first_of_them(api: Server) -> None:
    row = {"user_id": 1, "movie_id": 1, "rating": -1}
    problem = api.problem(422, "POST", "/v1/interactions/batch", json={"interactions": [row] * 1_000})
    assert [error["field"] for error in problem["errors"]] == [f"interactions[{i}].rating" for i in range(50)]
    assert problem["detail"].endswith(" (and 999 more)")


NOTHING = "[" + "[]," * 9_000 + "[]]"
QUERIES = ",".join([f'{{"exclude":{NOTHING}}}'] * 30)
UNKNOWN = ",".join(f'"a{i}":0' for i in range(85_000))


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        ("recommendations", f'{{"user_id":1,{UNKNOWN}}}', 1),
        ("recommendations/batch", f'{{"queries":[{{{UNKNOWN}}}]}}', 1),
        ("interactions/batch", f'{{"interactions":[{{{UNKNOWN}}}]}}', 1),
        ("recommendations", f'{{"user_id":1,"exclude":{NOTHING},"history":{NOTHING}}}', 2),
        ("recommendations/batch", f'{{"queries":[{QUERIES}]}}', 50),
        ("interactions", f'{{"user_id":1,"movie_id":1,"rating":4,"{"a" * 900_000}":1}}', 1),
        ("interactions", f'{{"user_id":{"9" * 4_000},"movie_id":1,"rating":4}}', 1),
        ("movies", f'{{"movie_id":1,"title":"{"a" * 900_000}","genres":{NOTHING}}}', 2),
    ],
)
def test_a_body_with_very_many_or_long_errors_has_a_short_answer(
    api: Server, path: str, body: str, errors: int
) -> None:
    headers = {"content-type": "application/json"}
    problem = api.problem(422, "POST", f"/v1/{path}", content=body.encode(), headers=headers)
    assert len(problem["errors"]) == errors
    assert len(json.dumps(problem)) < 10_000


def test_a_body_with_more_errors_than_can_be_described_says_how_many(api: Server) -> None:
    batch = {"queries": [{f"wrong_{i}": 0 for i in range(20)}] * 1_000}
    problem = api.problem(422, "POST", "/v1/recommendations/batch", json=batch)
    assert problem["detail"] == "body: 21,000 fields or values of the body are invalid"


def test_an_address_with_many_unknown_parameters_has_a_short_answer(api: Server) -> None:
    address = "/v1/movies?" + "&".join(f"a{i}" for i in range(8_000))
    problem = api.problem(422, "GET", address)
    assert len(problem["errors"]) == 50
    assert problem["detail"].endswith(" (and 7,999 more)")


def test_a_body_without_a_content_type_is_refused(api: Server) -> None:
    problem = api.problem(415, "POST", "/v1/recommendations", content=b'{"user_id": 1}')
    assert problem["detail"] == (
        "the content type of the body is application/octet-stream; expected application/json"
    )


def test_a_batch_has_at_most_a_thousand_queries(api: Server) -> None:
    batch = {"queries": [{"user_id": 1}] * 1_001}
    assert (
        api.problem(422, "POST", "/v1/recommendations/batch", json=batch)["errors"][0]["field"] == "queries"
    )


def test_a_genre_that_no_movie_has_is_named(api: Server) -> None:
    query = {"user_id": 1, "include_genres": ["Polka"]}
    assert "'Polka'" in api.problem(422, "POST", "/v1/recommendations", json=query)["detail"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b"{", "application/json"),
        (415, b"user_id=1", "application/x-www-form-urlencoded"),
        (400, b"[" * 100_000, "application/json"),
        (422, b'{"user_id": 1, "k": NaN}', "application/json"),
        (400, b'{"user_id": ' + b"9" * 5_000 + b"}", "application/json"),
        (400, b"\xff\xfe\x00", "application/json"),
    ],
    ids=["cut", "form", "deep", "nan", "huge number", "not utf-8"],
)
def test_a_body_that_is_no_json_is_a_problem_too(api: Server, status: int, body: bytes, kind: str) -> None:
    api.problem(status, "POST", "/v1/recommendations", content=body, headers={"content-type": kind})


@pytest.mark.parametrize(
    ("method", "path", "sent", "detail"),
    [
        ("POST", "/v1/movies", {"json": {"movie_id": 1, "title": " "}}, "title: expected one line of text"),
        (
            "POST",
            "/v1/movies",
            {"json": {"movie_id": 1, "title": "a\nb"}},
            "title: expected one line of text",
        ),
        (
            "POST",
            "/v1/movies",
            {"json": {"movie_id": 1, "title": "a", "genres": ["a|b"]}},
            "genres[0]: expected one line of text without '|'",
        ),
        (
            "POST",
            "/v1/interactions",
            {
                "json": {"user_id": 1, "movie_id": 2, "rating": 4, "timestamp": 5},
                "headers": {"Idempotency-Key": "a b"},
            },
            "idempotency-key: expected printable ASCII characters without spaces",
        ),
        ("POST", "/v1/admin/models/-a/promote", {}, "version: expected the name of a version"),
        (
            "POST",
            "/v1/recommendations",
            {"content": b'{"user_id": "\xff"}', "headers": {"content-type": "application/json"}},
            "the body can't be read as JSON: it isn't UTF-8, is nested too deeply, or holds too long a number",
        ),
        (
            "POST",
            "/v1/recommendations",
            {"content": b"{}", "headers": {"content-type": ""}},
            "the content type is empty; expected application/json",
        ),
    ],
    ids=["blank", "two lines", "bar", "key", "version", "not utf-8", "no type"],
)
def test_a_problem_says_what_was_expected(
    api: Server, method: str, path: str, sent: dict[str, Any], detail: str
) -> None:
    response = api.http.request(method, path, **sent)
    assert 400 <= response.status_code < 500
    assert response.json()["detail"].startswith(detail)


def test_unknown_paths_and_methods_are_problems(api: Server) -> None:
    api.problem(404, "GET", "/v1/nothing")
    response = api.http.put("/v1/recommendations")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
