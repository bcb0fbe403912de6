"""Real servers for tests: each a process on a free port, with a small model and a real store."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.prediction.predictor import Predictor
from tests import warm_python

LATE = 1_704_067_200
"""2024-01-01, after the last interaction of the sample."""

BODY = b'{"user_id": 1, "k": 3}'
HEAD = b"POST /v1/recommendations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"

WITH_LIMITS = """
import json, sys
from pathlib import Path
from nextreel.serving.app import Settings
from nextreel.serving.http.request_limits import Limits
from nextreel.serving.server import listen, prepare_store, run
model, store, limits = sys.argv[1:]
settings = Settings(Path(model), store, keys_required=False, limits=Limits(**json.loads(limits)))
prepare_store(settings, None, lambda done, total: None)
listener = listen("127.0.0.1", 0)
run(settings, listener, lambda: print(f"http://127.0.0.1:{listener.getsockname()[1]} ", flush=True))
"""


@dataclass
class Server:
    """A running server."""

    url: str
    process: "subprocess.Popen[str]"
    log: Path
    """File of its standard error."""
    printed: list[str] = field(default_factory=list)
    """Lines of its standard output, up to the one with its address."""
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.new_client()

    def new_client(self) -> httpx.Client:
        """Return a client with connections of its own, which any worker may accept.

        There is no TLS here, and `verify=False` spares the 30 ms in which httpx reads all certificates.
        """
        return httpx.Client(base_url=self.url, timeout=60, verify=False)

    def recommend(self, user_id: int, timestamp: int | None = None, **more: Any) -> dict[str, Any]:
        query = {"user_id": user_id, "timestamp": timestamp, **more}
        return self.ok("POST", "/v1/recommendations", json=query)

    def rate(
        self, user_id: int, movie_id: int, rating: float, timestamp: int | None = None
    ) -> dict[str, Any]:
        row = {"user_id": user_id, "movie_id": movie_id, "rating": rating, "timestamp": timestamp}
        return self.ok("POST", "/v1/interactions", json=row)

    def ok(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        response = self.http.request(method, path, **more)
        assert response.is_success, response.text
        body: dict[str, Any] = response.json()
        return body

    def problem(self, status: int, method: str, path: str, **more: Any) -> dict[str, Any]:
        response = self.http.request(method, path, **more)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        body: dict[str, Any] = response.json()
        assert (body["status"], body["request_id"]) == (status, response.headers["x-request-id"])
        return body

    def lines(self) -> list[dict[str, Any]]:
        """Return the log so far."""
        return read_log(self.log)


def read_log(log: Path) -> list[dict[str, Any]]:
    """Return the lines of a log, less a last one that is still being written: a reader can see the start of a write."""
    complete, _, _ = log.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in complete.splitlines()]


@contextmanager
def serving(
    model: Path,
    store_url: str,
    *options: object,
    limits: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start a server by the command or, with limits that the command has no option for, by its functions."""
    if limits is None:
        command = [*warm_python.python(), "-m", "nextreel", "serve", str(model), "--store", store_url]
        command += ["--port", "0", *map(str, options)]
    else:
        command = [*warm_python.python(), "-c", WITH_LIMITS, str(model), store_url, json.dumps(limits)]
    log = model.parent / f"log-{time.monotonic_ns()}"
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            printed: list[str] = []
            for line in process.stdout:
                printed.append(line)
                if "http://" in line:
                    break
            assert "http://" in "".join(printed), log.read_text()
            port = printed[-1].split("http://")[1].split()[0].partition("/")[0].rpartition(":")[2]
            server = Server(f"http://127.0.0.1:{port}", process, log, printed)
            with server.http:
                server.http.headers.update(headers or {})
                wait_until_ready(server)
                yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert server.process.poll() is None, server.log.read_text()
        try:
            if server.http.get("/readyz").is_success:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)


def eventually(fact: Callable[[], bool]) -> None:
    """Wait until the fact is true, at most a minute."""
    due = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < due
        time.sleep(0.02)


def connect(server: Server) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def read_all(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def make_small_predictor() -> Predictor:
    """Return a model over 60 generated users and 150 movies, fitted on all but the last tenth of the ratings."""
    sample = make_sample(users=60, movies=150, ratings=3_000, seed=3)
    dataset = Dataset.from_frames(sample.interactions, sample.movies, sample.users)
    rows = dataset.interactions()
    options = SequentialRidgeConfig(dimensions=8, hidden=16, rank=8, regularization=20)
    return Predictor(SequentialRidge(options).fit(dataset.with_interactions(rows.head(2_700))), dataset)
