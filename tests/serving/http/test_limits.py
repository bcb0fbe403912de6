"""The server when clients send too much, or send or receive too slowly."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serving.servers import BODY, HEAD, LATE, Server, connect, eventually, read_all, serving


def test_a_body_of_10_megabytes_is_refused_before_it_is_sent(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(HEAD + b"content-length: 10000000\r\n\r\n" + BODY)
        response = read_all(connection)
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b"a body has at most 1,000,000 bytes" in response


def test_a_body_without_a_length_is_refused_once_it_is_too_long(server: Server) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with connect(server) as connection:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 10_000_000:
                connection.sendall(chunk)
                sent += 0x10000
        except OSError:
            pass  # it closed the connection, as it should
        assert sent < 9_000_000
    assert server.http.get("/healthz").is_success


def test_a_client_that_sends_10_megabytes_is_told_so(server: Server) -> None:
    response = httpx.post(
        f"{server.url}/v1/recommendations",
        content=b" " * 10_000_000,
        headers={"content-type": "application/json"},
    )
    assert response.status_code == 413


LONG = b"a" * 70_000


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + LONG,
        b"GET /" + LONG + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: " + LONG,
        b"GET / HTTP/1.1\r\nhost: " + LONG + b"\r\n\r\n",
    ],
    ids=["unfinished address", "address", "unfinished header", "header"],
)
def test_headers_of_70_kilobytes_are_refused(server: Server, sent: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(sent)
        assert read_all(connection).startswith(b"HTTP/1.1 431 ")


@pytest.fixture(scope="module")
def impatient(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"body_seconds": 0.3, "header_seconds": 0.6, "send_seconds": 0.5, "at_once": 2}
    with serving(model, f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db", limits=limits) as started:
        yield started


def test_a_client_that_sends_its_body_too_slowly_gets_408(impatient: Server) -> None:
    with connect(impatient) as slow:
        slow.sendall(HEAD + b"content-length: 1000\r\n\r\n{")
        assert impatient.http.get("/healthz").is_success
        response = read_all(slow)
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"the body didn't arrive within 0.3 seconds" in response


@pytest.mark.parametrize("start", [b"", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"])
def test_a_client_that_sends_its_headers_too_slowly_gets_408(impatient: Server, start: bytes) -> None:
    with connect(impatient) as slow:
        slow.sendall(start)
        assert impatient.http.get("/healthz").is_success
        assert read_all(slow).startswith(b"HTTP/1.1 408 ")


def request_megabytes(server: Server, times: int = 1) -> socket.socket:
    """Open a connection with a small receive buffer, and request 15 megabytes on it without reading any."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
    connection.settimeout(60)
    connection.connect((host, int(port)))
    query = {"user_id": 1, "timestamp": LATE, "k": 150, "exclude_seen": False}
    body = json.dumps({"queries": [query] * 1_000}).encode()
    head = HEAD.replace(b"/recommendations", b"/recommendations/batch")
    connection.sendall((head + f"content-length: {len(body)}\r\n\r\n".encode() + body) * times)
    return connection


def count_aborted(server: Server) -> int:
    """Return how many responses were not received by their clients."""
    return sum(line["message"] == "a client didn't receive its response in time" for line in server.lines())


def test_the_connection_of_a_client_that_does_not_read_its_answer_is_ended(impatient: Server) -> None:
    before = count_aborted(impatient)
    with request_megabytes(impatient) as deaf:
        eventually(lambda: count_aborted(impatient) > before)
        head, _, body = read_all(deaf).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    assert 0 < len(body) < length


def test_clients_that_do_not_read_keep_nobody_else_waiting(impatient: Server) -> None:
    before = count_aborted(impatient)
    # The second response on each connection waits behind the first, in one of the two slots.
    with request_megabytes(impatient, times=2), request_megabytes(impatient, times=2):
        eventually(lambda: count_aborted(impatient) >= before + 2)
        eventually(lambda: impatient.http.get("/healthz").is_success)


def test_a_client_with_little_room_gets_its_whole_answer(server: Server) -> None:
    with request_megabytes(server) as small, small.makefile("rb") as response:
        headers = iter(response.readline, b"\r\n")
        length = next(
            int(line.split()[1]) for line in list(headers) if line.lower().startswith(b"content-length")
        )
        assert len(json.loads(response.read(length))["answers"]) == 1_000
