"""The number of connections is limited, and health checks get through at the limit."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from nextreel.serving.http.connections.bounded_protocol import RESERVED_CONNECTIONS
from tests.serving.http.connections.clients import GET, exchange, read_answer, status_lines
from tests.serving.servers import Server, connect, eventually, read_all, serving

CAP = 4
USERS = GET.replace(b"/healthz", b"/v1/users/1/history")


@pytest.fixture(scope="module")
def small(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        model, f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db", limits={"connections": CAP}
    ) as started:
        yield started


@pytest.fixture
def full(small: Server) -> Iterator[Server]:
    """A server on all whose connections a client has begun a request."""
    with ExitStack() as stack:
        for _ in range(CAP):
            stack.enter_context(connect(small)).sendall(b"GET /healthz HTTP/1.1\r\n")
        yield small
    eventually(lambda: status_lines(exchange(small, closing(USERS))) == [b"HTTP/1.1 200 OK"])


def closing(request: bytes) -> bytes:
    return request[:-2] + b"connection: close\r\n\r\n"


def test_a_request_beyond_the_cap_is_refused_with_a_problem(full: Server) -> None:
    answer = exchange(full, USERS)
    assert status_lines(answer) == [b"HTTP/1.1 503 Service Unavailable"]
    assert b"\r\nretry-after: 1\r\n" in answer
    assert b'"detail":"too many connections; try again later"' in answer


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/readyz?from=a-load-balancer"])
def test_health_checks_are_answered_at_the_cap(full: Server, path: str) -> None:
    response = httpx.get(full.url + path)
    assert response.status_code == 200
    assert response.headers["connection"] == "close"


def test_health_checks_are_answered_behind_any_number_of_connections(full: Server) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(full)) for _ in range(2 * RESERVED_CONNECTIONS)]
        assert httpx.get(f"{full.url}/healthz").status_code == 200
        assert read_all(silent[0]) == b""  # it made room for a newer one


def test_idle_connections_make_room_for_new_ones(small: Server) -> None:
    with ExitStack() as stack:
        for _ in range(3 * CAP):
            client = stack.enter_context(connect(small))
            client.sendall(USERS)
            assert read_answer(client).startswith(b"HTTP/1.1 200 ")
        client.sendall(USERS)  # the newest is still open
        assert read_answer(client).startswith(b"HTTP/1.1 200 ")
