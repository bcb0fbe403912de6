"""Clients that speak HTTP/1.1 byte by byte."""

import contextlib
import socket
import time

from tests.serving.servers import BODY, HEAD, Server, connect, read_all

GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)
"""The body as one chunk."""


def exchange(server: Server, sent: bytes) -> bytes:
    """Send this on a new connection, and return what the server sends until it closes the connection."""
    with connect(server) as connection:
        connection.sendall(sent)
        return read_all(connection)


def read_answer(connection: socket.socket) -> bytes:
    """Return the next answer with its body, and leave what follows it."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += receive(connection, 1)
    length = int(answer.lower().partition(b"content-length: ")[2].split()[0])
    end = len(answer) + length
    while len(answer) < end:
        answer += receive(connection, end - len(answer))
    return answer


def receive(connection: socket.socket, most: int) -> bytes:
    data = connection.recv(most)
    assert data, "the connection was closed"
    return data


def status_lines(answers: bytes) -> list[bytes]:
    """Return the status line of each answer."""
    return [line for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def flood(server: Server, start: bytes, piece: bytes, most: int = 20_000_000) -> int:
    """Send a piece again and again until the server ends that, and return how many bytes were sent."""
    sent = 0
    with connect(server) as connection, contextlib.suppress(OSError):
        connection.sendall(start)
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    return sent


def drip(connection: socket.socket, piece: bytes) -> bytes:
    """Send a piece each time that nothing comes for a moment, until the server closes the connection; return all."""
    connection.settimeout(0.05)
    received, due = b"", time.monotonic() + 30
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < due:
            try:
                data = connection.recv(65_536)
                if not data:
                    return received
                received += data
            except TimeoutError:
                connection.sendall(piece)
        raise AssertionError("the connection is still open")
    return received
