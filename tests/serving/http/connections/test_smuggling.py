"""No bytes are read as a request that a proxy in front of the server would take for a part of another one."""

import pytest

from tests.serving.http.connections.clients import GET, exchange, status_lines
from tests.serving.servers import Server

POST = b"POST /v1/recommendations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked",
        b"transfer-encoding: chunked\r\ncontent-length: 5",
        b"content-length: 5\r\ncontent-length: 6",
        b"content-length: 5\r\ncontent-length: 5",
        b"content-length: 5, 5",
        b"content-length: +5",
        b"content-length: -5",
        b"content-length: 0x5",
        b"content-length: 5 5",
        b"content-length: 5;",
        b"content-length:",
        b"content-length: \xb2",
        b"content-length: 99999999999999999999999",
        b"content-length : 5",
        b" content-length: 5",
        b"content-length\t: 5",
        b"content-\x00length: 5",
        b"content-length: 5\x00",
        b"x-a: b\n content-length: 5",
        b"x-a: b\r\n content-length: 5",
        b"x-a: b\rcontent-length: 5",
        b"transfer-encoding : chunked",
        b"transfer-encoding: xchunked",
        b"transfer-encoding: chunked, identity",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity",
        b"transfer-encoding: identity",
        b"transfer-encoding: \x0bchunked",
        b"transfer-encoding:\r\n chunked",
    ],
)
def test_a_body_whose_length_is_doubtful_is_refused_with_all_that_follows(
    strict: Server, headers: bytes
) -> None:
    answers = exchange(strict, POST + headers + b"\r\n\r\n" + b"0\r\n\r\n" + GET)
    assert [line.split()[1] for line in status_lines(answers)] == [b"400"]


@pytest.mark.parametrize(
    "chunks",
    [
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"+2\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b" 2\r\n{}\r\n0\r\n\r\n",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b"2\n{}\r\n0\r\n\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"2\r\n{}\n0\r\n\r\n",
        b"2\r\n{}\r\n0\n\n",
        b"2;a\nb\r\n{}\r\n0\r\n\r\n",
        b"10000000000000002\r\n{}\r\n0\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\ncontent-length: 5\r\n\r\n",
        b"2\r\n{}\r\n0\r\nbad header\r\n\r\n",
    ],
)
def test_a_chunk_that_is_doubtful_is_refused_with_all_that_follows(strict: Server, chunks: bytes) -> None:
    answers = exchange(strict, POST + b"transfer-encoding: chunked\r\n\r\n" + chunks + GET)
    assert [line.split()[1] for line in status_lines(answers)] == [b"400"]


@pytest.mark.parametrize(
    "trailers", [b"connection: upgrade\r\nupgrade: a\r\n", b"transfer-encoding: chunked\r\n"]
)
def test_what_follows_doubtful_trailers_is_no_body(strict: Server, trailers: bytes) -> None:
    missing = (
        b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    )
    answers = exchange(strict, missing + trailers + b"\r\n" + GET)
    statuses = [line.split()[1] for line in status_lines(answers)]
    assert statuses in ([b"404"], [b"404", b"200"], [b"400"])
