"""Each phase of a connection ends in time, whatever the client does or doesn't do."""

import pytest

from tests.serving.http.connections.clients import (
    CHUNK,
    CHUNKED,
    GET,
    drip,
    exchange,
    read_answer,
    status_lines,
)
from tests.serving.servers import BODY, HEAD, Server, connect, read_all

UNREAD = b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 90000\r\n\r\n"
"""A request that is answered without its body."""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b"408"),
        (b"\r\n", b"408"),
        (b"G", b"408"),
        (b"GET / HTTP/1.1\r\nhost: a", b"408"),
        (HEAD + b"content-length: 1000\r\n\r\n{", b"408"),
        (CHUNKED, b"408"),
        (CHUNKED + b"5", b"408"),
        (CHUNKED + b"5;a=b", b"408"),
        (CHUNKED + CHUNK, b"408"),
        (CHUNKED + CHUNK + b"0\r\n", b"408"),
        (CHUNKED + CHUNK + b"0\r\nX-A: b\r\n", b"408"),
        (UNREAD, b"404"),
        (UNREAD + b"{", b"404"),
        (b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{", b"404"),
        (GET, b"200"),
    ],
)
def test_silence_closes_a_connection(strict: Server, sent: bytes, status: bytes) -> None:
    assert [line.split()[1] for line in status_lines(exchange(strict, sent))] == [status]


@pytest.mark.parametrize("sent", [b"\r", b"\r\n", b"G", b"GET / HTTP/1.1\r\n", GET[:-2]])
def test_silence_after_an_answer_and_a_little_more_closes_a_connection(strict: Server, sent: bytes) -> None:
    with connect(strict) as connection:
        connection.sendall(GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(sent)
        rest = read_all(connection)
    assert [line.split()[1] for line in status_lines(rest)] in ([], [b"408"])


def test_silence_in_the_body_of_an_answered_request_closes_a_connection(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(UNREAD)
        assert read_answer(connection).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"{")
        assert read_all(connection) == b""


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"\r\n"),
        (b"GET / HTTP/1.1\r\nx-a: ", b"a"),
        (GET, b"\r\n"),
        (GET + b"GET / HTTP/1.1\r\nx-a: ", b"a"),
        (HEAD + b"content-length: 1000\r\n\r\n", b" "),
        (CHUNKED, b"1\r\n \r\n"),
        (CHUNKED + CHUNK + b"0\r\n", b"x: y\r\n"),
        (UNREAD, b" "),
    ],
    ids=[
        "blank lines",
        "header",
        "blank lines later",
        "header later",
        "body",
        "chunks",
        "trailers",
        "unread body",
    ],
)
def test_what_comes_in_drips_keeps_no_connection_open(strict: Server, start: bytes, piece: bytes) -> None:
    with connect(strict) as connection:
        connection.sendall(start)
        drip(connection, piece)


def test_the_rest_of_an_unread_body_is_no_next_request(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(UNREAD)
        assert read_answer(connection).startswith(b"HTTP/1.1 404 ")
        connection.sendall(GET.ljust(90_000) + GET)
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")
        assert read_all(connection) == b""


def test_a_body_that_waits_for_leave_gets_it(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(HEAD + b"content-length: %d\r\nexpect: 100-continue\r\n\r\n" % len(BODY))
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_got_no_leave_is_not_awaited(strict: Server) -> None:
    sent = UNREAD.replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n")
    assert status_lines(exchange(strict, sent)) == [b"HTTP/1.1 404 Not Found"]


@pytest.mark.parametrize(
    "asked",
    [
        b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: YQ==\r\n",
        b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    ],
    ids=["websocket", "h2c"],
)
def test_a_request_for_another_protocol_is_answered_in_http_1(strict: Server, asked: bytes) -> None:
    answers = exchange(strict, GET[:-2] + asked + b"\r\n" + GET)
    assert status_lines(answers) == [b"HTTP/1.1 200 OK"]
    assert b"\r\nconnection: close\r\n" in answers


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 100,
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "SSH", "zeros", "tunnel"],
)
def test_what_is_not_http_1_is_refused_with_a_problem(strict: Server, sent: bytes) -> None:
    answer = exchange(strict, sent)
    assert status_lines(answer) == [b"HTTP/1.1 400 Bad Request"]
    assert b"\r\ncontent-type: application/problem+json\r\n" in answer
    assert b'"detail":"this isn\'t a valid request of HTTP/1.1"' in answer
    assert b"\r\nx-content-type-options: nosniff\r\n" in answer


def test_a_complete_request_is_answered_before_what_is_not_http_1(strict: Server) -> None:
    assert status_lines(exchange(strict, GET + b"\x16\x03\x01\x02")) == [b"HTTP/1.1 200 OK"]
