"""HEAD gets the status and the headers of GET, of the API and of the page, and no body."""

import pytest

from tests.serving.servers import Server, connect, eventually, read_all

GETTABLE = [
    "/",
    "/you",
    "/model",
    "/strip?user=1",
    "/assets/page.css",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/v1/model",
    "/v1/movies?query=the",
    "/v1/movies/1",
    "/v1/movies/1/similar",
    "/v1/users/1",
    "/v1/users/1/history",
    "/v1/users/1/recommendations",
    "/v1/admin/models",
]
VARYING = {"x-request-id", "date", "content-length"}
"""Headers that differ between two requests for the same address: a list names the request that asked for it."""


@pytest.mark.parametrize("path", GETTABLE)
def test_head_has_the_status_and_the_headers_of_get(server: Server, path: str) -> None:
    got, head = server.http.get(path), server.http.head(path)
    assert got.is_success
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers.keys() == got.headers.keys()
    for name in got.headers.keys() - VARYING:
        assert head.headers[name] == got.headers[name], name


def test_head_says_how_long_the_body_would_be(server: Server) -> None:
    plain = {"accept-encoding": "identity"}
    length = len(server.http.get("/v1/movies/1", headers=plain).content)
    assert server.http.head("/v1/movies/1", headers=plain).headers["content-length"] == str(length)


def test_a_connection_goes_on_after_a_head(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        received = read_all(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.count(b'{"status":"ok"}') == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/movies/987654", 404), ("/v1/movies", 422), ("/nothing", 404), ("/?user=x", 422)],
)
def test_a_problem_has_the_same_status_by_head(server: Server, path: str, status: int) -> None:
    head = server.http.head(path)
    assert (head.status_code, head.content) == (status, b"")


def test_where_get_is_not_allowed_head_is_not_either(server: Server) -> None:
    head = server.http.head("/v1/interactions")
    assert (head.status_code, head.headers["allow"]) == (405, "POST")


def test_allow_names_head_beside_get(server: Server) -> None:
    assert server.http.put("/v1/model").headers["allow"] == "GET, HEAD"


def test_the_log_says_head(server: Server) -> None:
    server.http.head("/healthz", headers={"x-request-id": "by-head"})
    eventually(lambda: any(line.get("request_id") == "by-head" for line in server.lines()))
    line = next(line for line in server.lines() if line.get("request_id") == "by-head")
    assert (line["method"], line["path"], line["status"]) == ("HEAD", "/healthz", 200)
    assert 'method="HEAD",route="/healthz"' in server.http.get("/metrics").text
