"""A server under load: single queries at a fixed rate and batches, or memory over a long time.

The server is a process of its own, started by the command that people use, on a store of its own. Queries are drawn
from the data: a user at a moment of theirs. Single queries leave at fixed moments, whether earlier ones were answered
or not, and the time of each counts from the moment it was due, so that a server that stalls can't hide it.

The model is fitted on all of the data, or is the one that another benchmark, the config's `row`, has left behind.

A soak (a config with `soak_minutes`) measures memory alone, so it may share its machine with other work: its result
states no latency. Its queries go at a modest rate through connections that are renewed every minute; each minute also
brings a batch of queries and one of ratings, enough of them that the server folds its log several times.
"""

import asyncio
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.run import left_by
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset
from nextreel.models.registry import create_model
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.inference.engine import Engine, RecommendationRequest
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store

BATCH = 1_000
WARM_UP = 100
"""Requests that aren't counted."""
START_SECONDS = 600
MINUTE = 60
CLIENTS, SOAK_RATINGS = 4, 1_000
"""Of a soak: connections at a time, and ratings a minute."""


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Milliseconds of single queries, queries a second in batches, and the server's memory; of a soak, memory alone."""
    dataset = read_dataset(data)
    with tempfile.TemporaryDirectory() as directory:
        store = f"sqlite:///{directory}/store.db"
        model = left_by(config["row"], data) if "row" in config else _fit(config, dataset, Path(directory))
        with serving(model, store, config.get("workers", 1)) as (port, process):
            measuring = _soak if "soak_minutes" in config else _load
            figures = asyncio.run(measuring(config, dataset, port, process.pid))
        if measuring is _load:
            figures["in process"] = _measure_engine(model, store, dataset)
    return {"data": {"sha256": dataset.fingerprint}, **figures}


def _fit(config: dict[str, Any], dataset: Dataset, directory: Path) -> Path:
    model = directory / "model"
    save(Predictor(create_model(config["model"]).fit(dataset), dataset), model)
    return model


@contextmanager
def serving(model: Path, store: str, workers: int) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A server's port and process; ready, and stopped at the end."""
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
    due = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                assert answer.status == 200
                return
        except OSError:
            if time.monotonic() > due:
                raise
            time.sleep(0.2)


async def _load(config: dict[str, Any], dataset: Dataset, port: int, pid: int) -> dict[str, Any]:
    random = np.random.default_rng(config["seed"])
    ask = Client(port)
    for body in _single_bodies(dataset, random, WARM_UP):
        await ask.post("/v1/recommendations", body)
    figures: dict[str, Any] = {}
    bodies = _single_bodies(dataset, random, round(config["rate"] * config["seconds"]))
    figures["single"] = _describe_latency(await _at_rate(port, bodies, config["rate"]), config["rate"])
    figures["batch"] = await _batches(dataset, random, port, config["batches"], config["clients"])
    figures["peak_memory_gib"] = round(sum(_memory(pid, "VmHWM")) / 2**20, 3)
    return figures


class Client:
    """One connection that is kept open: HTTP/1.1 by hand, so that the client costs little beside the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer, which must be a success."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(answered.lower().partition("content-length: ")[2].partition("\r\n")[0])
        content = await reader.readexactly(length)
        assert answered.startswith("HTTP/1.1 20"), answered + content.decode()
        return content

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()


async def _at_rate(port: int, bodies: list[bytes], rate: float) -> list[float]:
    """Seconds from when each request was due to its answer."""
    free: deque[Client] = deque()
    loop = asyncio.get_running_loop()
    start = loop.time() + 0.1

    async def ask(number: int, body: bytes) -> float:
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - loop.time()))
        client = free.popleft() if free else Client(port)
        await client.post("/v1/recommendations", body)
        free.append(client)
        return loop.time() - due

    return list(await asyncio.gather(*(ask(number, body) for number, body in enumerate(bodies))))


async def _batches(
    dataset: Dataset, random: np.random.Generator, port: int, count: int, clients: int
) -> dict[str, float]:
    bodies = [_batch_body(dataset, random) for _ in range(count)]
    seconds: list[float] = []

    async def work() -> None:
        client = Client(port)
        while bodies:
            body, started = bodies.pop(), time.perf_counter()
            await client.post("/v1/recommendations/batch", body)
            seconds.append(time.perf_counter() - started)

    await Client(port).post("/v1/recommendations/batch", bodies[0])
    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    total = time.perf_counter() - started
    return {
        "clients": clients,
        "queries_per_second": round(count * BATCH / total, 1),
        "median_ms": round(statistics.median(seconds) * 1000, 2),
    }


async def _soak(config: dict[str, Any], dataset: Dataset, port: int, pid: int) -> dict[str, Any]:
    """What the server took on in a long time, and its memory in MiB at the start and after each minute."""
    random, loop = np.random.default_rng(config["seed"]), asyncio.get_running_loop()
    rate, minutes = config["soak_rate"], config["soak_minutes"]
    memory, started = [_resident_mib(pid)], loop.time()
    for minute in range(minutes):
        bodies = deque(_single_bodies(dataset, random, rate * MINUTE))
        due = iter(started + minute * MINUTE + np.arange(len(bodies)) / rate)
        clients = [Client(port) for _ in range(CLIENTS)]
        await asyncio.gather(*(_ask_in_time(client, bodies, due) for client in clients))
        await clients[0].post("/v1/recommendations/batch", _batch_body(dataset, random))
        await clients[0].post("/v1/interactions/batch", _ratings_body(dataset, random, SOAK_RATINGS))
        for client in clients:
            client.close()
        memory.append(_resident_mib(pid))
    return {
        "soak": {
            "minutes": round((loop.time() - started) / MINUTE, 1),
            "queries": minutes * (rate * MINUTE + BATCH),
            "ratings": minutes * SOAK_RATINGS,
            "memory_mib": {
                "start": memory[0],
                "after 10 minutes": memory[10],
                "end": memory[-1],
                "peak": round(sum(_memory(pid, "VmHWM")) / 1024, 1),
                "each minute": memory,
            },
        }
    }


async def _ask_in_time(client: Client, bodies: deque[bytes], due: Iterator[float]) -> None:
    """Send the next body at the next moment, until there is none."""
    while bodies:
        body, moment = bodies.popleft(), next(due)
        await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
        await client.post("/v1/recommendations", body)


def _resident_mib(pid: int) -> float:
    return round(sum(_memory(pid, "VmRSS")) / 1024, 1)


def _single_bodies(dataset: Dataset, random: np.random.Generator, count: int) -> list[bytes]:
    return [
        json.dumps({"user_id": user, "timestamp": at}).encode() for user, at in _draw(dataset, random, count)
    ]


def _batch_body(dataset: Dataset, random: np.random.Generator) -> bytes:
    queries = [{"user_id": user, "timestamp": at} for user, at in _draw(dataset, random, BATCH)]
    return json.dumps({"queries": queries}).encode()


def _ratings_body(dataset: Dataset, random: np.random.Generator, count: int) -> bytes:
    now, movies = int(time.time()), random.choice(dataset.movie_ids, count)
    users = random.choice(dataset.user_ids, count)
    rows = [
        {"user_id": int(user), "movie_id": int(movie), "rating": 4, "timestamp": now}
        for user, movie in zip(users, movies, strict=True)
    ]
    return json.dumps({"interactions": rows}).encode()


def _draw(dataset: Dataset, random: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Users, each at the moment of one of their ratings; the diligent come more often, as on any day."""
    row = random.integers(0, len(dataset.timeline), count)
    users = dataset.user_ids[dataset.timeline.users[row]]
    return list(zip(users.tolist(), dataset.timeline.timestamps[row].tolist(), strict=True))


def _describe_latency(seconds: list[float], rate: float) -> dict[str, float]:
    milliseconds = np.array(seconds) * 1000
    shares = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99, "max_ms": 100}
    figures = {name: round(float(np.percentile(milliseconds, share)), 2) for name, share in shares.items()}
    return {"rate": rate, "requests": len(seconds), **figures}


def _memory(pid: int, name: str) -> list[int]:
    """KiB of a process and its children: VmRSS now, VmHWM at most."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    found = []
    for each in (str(pid), *children):
        lines = Path(f"/proc/{each}/status").read_text(encoding="utf-8").splitlines()
        found += [int(line.split()[1]) for line in lines if line.startswith(name)]
    return found


def _measure_engine(model: Path, store: str, dataset: Dataset) -> dict[str, float]:
    """What the engine alone takes of that, in milliseconds of processor time: the rest is HTTP and JSON."""
    random = np.random.default_rng(0)
    with Store.open(store) as opened:
        engine = Engine.open(VersionDirectory.open(model).current, opened)
        requests = [RecommendationRequest(user, at) for user, at in _draw(dataset, random, BATCH)]
        engine.recommend(requests)
        started = time.process_time()
        engine.recommend(requests)
        batch = time.process_time() - started
        started = time.process_time()
        for request in requests[:200]:
            engine.recommend([request])
        single = (time.process_time() - started) / 200
    return {"single_ms": round(1000 * single, 3), "batch_ms": round(1000 * batch, 1)}
