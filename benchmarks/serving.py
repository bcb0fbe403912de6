"""A server under load: latency at a fixed rate and throughput of batches, or memory over a long time.

The server runs in its own process, started by `nextreel serve`, on a new store. Each query is drawn from the data: a
user as of the time of one of the user's ratings. Single queries are sent at fixed times, whether or not earlier ones
have been answered, and the latency of each counts from the time it was due, so a stall of the server isn't hidden.
Each connection has a thread of its own, since the timers of an event loop are late by up to a millisecond.

Users who come back are measured apart, because a server keeps what its model computed from their histories: some users
ask about now again and again, and batches of all users, as of now, are sent once and then again.

With `rates` in the config, queries arrive at random, as from people who don't know of each other (a Poisson process),
at each of these rates in turn: the latency by rate shows where the server begins to queue.

The model is fitted on all of the data, or is the one that another benchmark (the config's `row`) has left.

A soak test (a config with `soak_minutes`) measures memory alone, so it may share its machine with other work. It sends
queries at a moderate rate through connections that are renewed every minute, and in each minute also a batch of queries
and a batch of ratings: enough ratings that the server folds its log into the snapshot several times.
"""

import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np

from benchmarks.run import Config, Result, find_outputs
from nextreel.arrays import Float64Array
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset
from nextreel.models.registry import create_model
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store

BATCH = 1_000
"""Number of queries in a batch."""
WARM_UP = 100
"""Number of requests at the start that aren't counted."""
START_SECONDS = 600
"""Maximum seconds that a server takes to start."""
PAUSE_BETWEEN_RATES = 2
"""Seconds in which a server that fell behind at one rate catches up before the next."""
MINUTE = 60
SOAK_CLIENTS, SOAK_RATINGS = 4, 1_000
"""Number of connections at a time and of ratings per minute in a soak test."""
RETURNING_USERS = 500
"""Number of users whose single queries are sent again."""
MOST_CLIENTS = 64
"""Number of connections, each with a thread of its own, through which single queries are sent; more would wait."""
RECEIVED_AT_ONCE = 2**20
"""Maximum number of bytes that a client takes from its connection at once."""
ENGINE_QUERIES = 200
"""Number of single queries that the engine alone is timed with."""


def measure(config: Config, data: Path) -> Result:
    """Return latency (ms), batch throughput (queries per second) and memory; for a soak test only memory."""
    dataset = read_dataset(data)
    with tempfile.TemporaryDirectory() as directory:
        store = f"sqlite:///{directory}/store.db"
        model = (
            find_outputs(config["row"], data) if "row" in config else _fit(config, dataset, Path(directory))
        )
        with serving(model, store, config.get("workers", 1)) as (port, process):
            measure_server = _choose_measurement(config)
            measurements = measure_server(config, dataset, port, process.pid)
        if measure_server is _load:
            measurements["in process"] = _measure_engine(model, store, dataset)
    return {"data": {"sha256": dataset.fingerprint}, **measurements}


def _choose_measurement(config: Config) -> Callable[[Config, Dataset, int, int], Result]:
    if "soak_minutes" in config:
        return _soak
    return _open_loop if "rates" in config else _load


def _fit(config: Config, dataset: Dataset, directory: Path) -> Path:
    model = directory / "model"
    save(Predictor(create_model(config["model"]).fit(dataset), dataset), model)
    return model


@contextmanager
def serving(model: Path, store: str, workers: int) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Start a server and yield its port and its process once it is ready; stop it at the end of the block."""
    command = [sys.executable, "-m", "nextreel", "serve", model, "--store", store, "--port", 0]
    command += ["--workers", workers]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if "http://" in line)
            port = int(line.split("http://")[1].split()[0].rpartition(":")[2])
            _wait_until_ready(port)
            yield port, process
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as response:
                assert response.status == 200
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _load(config: Config, dataset: Dataset, port: int, pid: int) -> Result:
    """Return the latency of single queries, the throughput of batches, and the peak memory in GiB."""
    random = np.random.default_rng(config["seed"])
    _warm_up(port, dataset, random)
    rate, count, clients = config["rate"], round(config["rate"] * config["seconds"]), config["clients"]
    due = np.arange(count) / rate
    latencies = _send_at(port, _single_bodies(_draw_queries(dataset, random, count)), due)
    batches = [_batch_body(_draw_queries(dataset, random, BATCH)) for _ in range(config["batches"])]

    now = int(time.time())
    users = [(user, now) for user in random.permutation(dataset.user_ids).tolist()]
    returning = users[:RETURNING_USERS]
    _send_at(port, _single_bodies(returning), due[: len(returning)])
    bodies = _single_bodies([returning[i] for i in random.integers(0, len(returning), count)])
    latencies_again = _send_at(port, bodies, due)
    everybody = [_batch_body(users[i : i + BATCH]) for i in range(0, len(users) - BATCH + 1, BATCH)]
    return {
        "single": _describe_latency(latencies, rate),
        "single, users again": _describe_latency(latencies_again, rate),
        "batch": _send_batches(port, batches, clients),
        "batch, each user once": _send_batches(port, everybody, clients),
        "batch, users again": _send_batches(port, everybody[-1:] * config["batches"], clients),
        "peak_memory_gib": round(_memory_kib(pid, "VmHWM") / 2**20, 3),
    }


def _open_loop(config: Config, dataset: Dataset, port: int, pid: int) -> Result:
    """Return the latency of single queries that arrive at random, by the mean number of arrivals per second."""
    random = np.random.default_rng(config["seed"])
    _warm_up(port, dataset, random)
    by_rate = []
    for rate in config["rates"]:
        due = draw_arrivals(random, rate, config["seconds"])
        latencies = _send_at(port, _single_bodies(_draw_queries(dataset, random, len(due))), due)
        by_rate.append(_describe_latency(latencies, rate))
        time.sleep(PAUSE_BETWEEN_RATES)
    return {"open loop": by_rate, "peak_memory_gib": round(_memory_kib(pid, "VmHWM") / 2**20, 3)}


def _warm_up(port: int, dataset: Dataset, random: np.random.Generator) -> None:
    with Client(port) as client:
        for body in _single_bodies(_draw_queries(dataset, random, WARM_UP)):
            client.post("/v1/recommendations", body)


def draw_arrivals(random: np.random.Generator, rate: float, seconds: float) -> Float64Array:
    """Return the times of a Poisson process in order, float64[n]: `rate` arrivals a second on average, in seconds from
    its start."""
    count = random.poisson(rate * seconds)
    return np.sort(random.uniform(0, seconds, count))


class Client:
    """One open HTTP/1.1 connection, written by hand so that the client uses little processor time beside the server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def post(self, path: str, body: bytes) -> bytes:
        """Send a request and return the body of the response, which must be a success."""
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        self._socket.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head_of_response, _, beginning = received.partition(b"\r\n\r\n")
        length = int(head_of_response.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        content = bytearray(beginning)
        while len(content) < length:
            content += self._receive()
        assert head_of_response.startswith(b"HTTP/1.1 20"), (head_of_response + content).decode()
        return bytes(content)

    def _receive(self) -> bytes:
        received = self._socket.recv(RECEIVED_AT_ONCE)
        assert received, "the server closed the connection"
        return received


def _send_at(
    port: int, bodies: Sequence[bytes], due_seconds: Float64Array, clients: int = MOST_CLIENTS
) -> list[float]:
    """Send each request when it is due, float64[n] in seconds from the start, whether or not earlier ones have been
    answered, as long as fewer than `clients` wait; return the seconds from when each one was due to its response."""
    latencies, start = [0.0] * len(bodies), time.perf_counter() + 0.1

    def send(client: Client, number: int) -> None:
        due = start + due_seconds[number]
        time.sleep(max(0.0, due - time.perf_counter()))
        client.post("/v1/recommendations", bodies[number])
        latencies[number] = time.perf_counter() - due

    _share_among_clients(port, clients, len(bodies), send)
    return latencies


def _share_among_clients(port: int, clients: int, count: int, send: Callable[[Client, int], None]) -> None:
    """Call `send` for each number below `count`, in order, by so many clients, each in a thread of its own.

    What a call raises is raised here.
    """
    numbers, lock = iter(range(count)), Lock()

    def work() -> None:
        with Client(port) as client:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                send(client, number)

    with ThreadPoolExecutor(clients) as pool:
        for call in [pool.submit(work) for _ in range(clients)]:
            call.result()


def _send_batches(port: int, batches: Sequence[bytes], clients: int) -> dict[str, float]:
    """Send batches through several clients at once; return the throughput and the median latency."""
    seconds = [0.0] * len(batches)

    def send(client: Client, number: int) -> None:
        started = time.perf_counter()
        client.post("/v1/recommendations/batch", batches[number])
        seconds[number] = time.perf_counter() - started

    started = time.perf_counter()
    _share_among_clients(port, clients, len(batches), send)
    total = time.perf_counter() - started
    return {
        "clients": clients,
        "queries_per_second": round(len(batches) * BATCH / total, 1),
        "median_ms": round(statistics.median(seconds) * 1000, 2),
    }


def _soak(config: Config, dataset: Dataset, port: int, pid: int) -> Result:
    """Return the number of queries and ratings sent, and the memory in MiB at the start and after each minute."""
    random = np.random.default_rng(config["seed"])
    rate, minutes = config["soak_rate"], config["soak_minutes"]
    memory, started = [_resident_mib(pid)], time.perf_counter()
    for minute in range(minutes):
        queries = _single_bodies(_draw_queries(dataset, random, rate * MINUTE))
        due = started + minute * MINUTE + np.arange(len(queries)) / rate - time.perf_counter()
        _send_at(port, queries, due, SOAK_CLIENTS)
        with Client(port) as client:
            client.post("/v1/recommendations/batch", _batch_body(_draw_queries(dataset, random, BATCH)))
            client.post("/v1/interactions/batch", _ratings_body(dataset, random, SOAK_RATINGS))
        memory.append(_resident_mib(pid))
    return {
        "soak": {
            "minutes": round((time.perf_counter() - started) / MINUTE, 1),
            "queries": minutes * (rate * MINUTE + BATCH),
            "ratings": minutes * SOAK_RATINGS,
            "memory_mib": {
                "start": memory[0],
                "after 10 minutes": memory[10],
                "end": memory[-1],
                "peak": round(_memory_kib(pid, "VmHWM") / 1024, 1),
                "each minute": memory,
            },
        }
    }


def _resident_mib(pid: int) -> float:
    return round(_memory_kib(pid, "VmRSS") / 1024, 1)


def _single_bodies(queries: Sequence[tuple[int, int]]) -> list[bytes]:
    return [json.dumps({"user_id": user, "timestamp": timestamp}).encode() for user, timestamp in queries]


def _batch_body(queries: Sequence[tuple[int, int]]) -> bytes:
    bodies = [{"user_id": user, "timestamp": timestamp} for user, timestamp in queries]
    return json.dumps({"queries": bodies}).encode()


def _ratings_body(dataset: Dataset, random: np.random.Generator, count: int) -> bytes:
    now, movies = int(time.time()), random.choice(dataset.movie_ids, count)
    users = random.choice(dataset.user_ids, count)
    rows = [
        {"user_id": int(user), "movie_id": int(movie), "rating": 4, "timestamp": now}
        for user, movie in zip(users, movies, strict=True)
    ]
    return json.dumps({"interactions": rows}).encode()


def _draw_queries(dataset: Dataset, random: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Return (UserID, Timestamp) of random ratings, so that active users are drawn more often, as on a real server."""
    row = random.integers(0, len(dataset.timeline), count)
    users = dataset.user_ids[dataset.timeline.users[row]]
    return list(zip(users.tolist(), dataset.timeline.timestamps[row].tolist(), strict=True))


def _describe_latency(seconds: list[float], rate: float) -> dict[str, float]:
    milliseconds = np.array(seconds) * 1000
    percents = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99, "max_ms": 100}
    percentiles = {
        name: round(float(np.percentile(milliseconds, percent)), 2) for name, percent in percents.items()
    }
    return {"rate": rate, "requests": len(seconds), **percentiles}


def _memory_kib(pid: int, name: str) -> int:
    """Return the memory of a process and its children together: VmRSS is the current one, VmHWM the peak."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    total = 0
    for process in (str(pid), *children):
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith(name))
    return total


def _measure_engine(model: Path, store: str, dataset: Dataset) -> dict[str, float]:
    """Return processor milliseconds of the engine alone; the rest of a request's time is HTTP and JSON.

    Each part asks other queries, since the engine keeps what its model computed from a history.
    """
    random = np.random.default_rng(0)
    with Store.open(store) as opened:
        engine = Engine.open(VersionDirectory.open(model).current, opened)
        warm_up, batch, singles = (
            [RecommendationRequest(*query) for query in _draw_queries(dataset, random, count)]
            for count in (BATCH, BATCH, ENGINE_QUERIES)
        )
        engine.recommend(warm_up)
        started = time.process_time()
        engine.recommend(batch)
        of_batch = time.process_time() - started
        started = time.process_time()
        for request in singles:
            engine.recommend([request])
        of_single = (time.process_time() - started) / ENGINE_QUERIES
    return {"single_ms": round(1000 * of_single, 3), "batch_ms": round(1000 * of_batch, 1)}
