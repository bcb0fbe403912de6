"""What frames requests is bounded: blank lines, headers, chunks, trailers, and requests that wait for answers."""

import pytest

from tests.serving.http.connections.clients import (
    CHUNK,
    CHUNKED,
    GET,
    exchange,
    flood,
    read_answer,
    status_lines,
)
from tests.serving.servers import BODY, HEAD, Server, connect

UNREAD = b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\n"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"\r\n" * 10_000),
        (GET, b"\r\n" * 10_000),
        (b"GET /", b"a" * 60_000),
        (b"GET / HTTP/1.1\r\n", b"x-a: b\r\n" * 8_000),
        (b"GET / HTTP/1.1\r\nx-a: ", b"b" * 60_000),
        (CHUNKED, b"0" * 60_000),
        (CHUNKED + b"5;a=", b"b" * 60_000),
        (CHUNKED, b"1\r\n \r\n" * 10_000),
        (CHUNKED + CHUNK + b"0\r\n", b"x-a: b\r\n" * 8_000),
        (CHUNKED + CHUNK + b"0\r\nx-a: ", b"b" * 60_000),
        (UNREAD + b"content-length: 1000000000\r\n\r\n", b" " * 60_000),
        (UNREAD + b"transfer-encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4_096 + b"\r\n"),
        (HEAD + b"content-length: 1000000000\r\n\r\n", b" " * 60_000),
        (GET[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n", b"a" * 60_000),
        (b"", GET * 1_000),
    ],
    ids=[
        "blank lines",
        "blank lines after an answer",
        "address",
        "headers",
        "header",
        "chunk size",
        "chunk extension",
        "tiny chunks",
        "trailers",
        "trailer",
        "unread body",
        "unread chunks",
        "refused body",
        "another protocol",
        "requests",
    ],
)
def test_nothing_is_taken_without_end(strict: Server, start: bytes, piece: bytes) -> None:
    assert flood(strict, start, piece) < 10_000_000
    assert strict.http.get("/healthz").is_success


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\r\n" * 6_000, b"431"),
        (CHUNKED + b"0" * 11_000, b"413"),
        (CHUNKED + b"5;a=" + b"b" * 11_000, b"413"),
        (CHUNKED + b"1\r\n \r\n" * 2_100, b"413"),
        (CHUNKED + CHUNK + b"0\r\nx-a: " + b"b" * 11_000, b"413"),
    ],
    ids=["blank lines", "chunk size", "chunk extension", "tiny chunks", "trailer"],
)
def test_framing_that_is_too_long_is_refused_with_a_problem(
    strict: Server, sent: bytes, status: bytes
) -> None:
    answer = exchange(strict, sent)
    assert [line.split()[1] for line in status_lines(answer)] == [status]
    assert b"have at most 10,000 bytes" in answer


def test_a_body_in_small_chunks_is_read(strict: Server) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY)
    with connect(strict) as connection:
        connection.sendall(CHUNKED + chunks + b"0\r\n\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_long_body_before_another_request_does_not_count_as_its_headers(strict: Server) -> None:
    body = BODY.ljust(90_000)
    first = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    with connect(strict) as connection:
        connection.sendall(first + GET[:-2])
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_requests_that_come_together_are_answered_in_order(strict: Server) -> None:
    missing = GET.replace(b"healthz", b"nowhere")
    with connect(strict) as connection:
        connection.sendall((GET + missing) * 20)
        statuses = [read_answer(connection).split()[1] for _ in range(40)]
    assert statuses == [b"200", b"404"] * 20


def test_too_many_requests_that_come_together_end_the_connection_after_some_answers(strict: Server) -> None:
    answers = exchange(strict, GET * 300)
    lines = status_lines(answers)
    assert 1 <= len(lines) <= 101
    assert set(lines) == {b"HTTP/1.1 200 OK"}
    assert b"\r\nconnection: close\r\n" in answers.rpartition(b"HTTP/1.1")[2]


def test_a_trailer_is_no_header_of_the_next_request(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(CHUNKED + CHUNK + b"0\r\nx-request-id: mine\r\n\r\n" + GET)
        assert b"mine" not in read_answer(connection) + read_answer(connection)
