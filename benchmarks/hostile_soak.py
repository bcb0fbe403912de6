"""A soak test in which everything goes wrong at once: does a server lose ratings, keep erased people, or fall silent?

For the whole time, clients write ratings under idempotency keys and repeat each until it is acknowledged, others ask
for lists, and one asks `/healthz` again and again, each time over a new connection. Meanwhile worker processes are
killed with SIGKILL and, less often, the whole server, which is then started again; slow and malformed connections stay
open; people are written, read and erased; versions of the model are promoted; and damaged versions are offered. At the
end, the store is compared with what was acknowledged, and every file that the server wrote is searched for the erased
people, whose ids occur nowhere else.

Only the health checks are timed, so the test may share its machine with other work.
"""

import asyncio
import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import polars as pl

from benchmarks.run import Config, Result
from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_id
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.models.registry import create_model
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from nextreel.serving.refit_data import write_data
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store

USERS, MOVIES, RATINGS = 300, 200, 12_000
"""Size of the synthetic data set that the server starts with."""
VERSIONS = {"a": "item-knn", "b": "ease", "c": "popularity"}
"""Versions of the model that the server is given; the last one is what damaged versions are copies of."""
WRITERS, READERS, SLOW_CLIENTS = 3, 2, 8
"""Number of clients that write and that read, and of slow connections of each kind that are open at the same time."""
PERSON_RATINGS = 3
"""Number of ratings of each person who is erased later."""
HEALTH_PAUSE, HEALTH_SECONDS = 0.2, 10.0
"""Seconds between two health checks, and after which one counts as unanswered."""
PAUSES = {
    "workers killed": 20.0,
    "servers killed": 200.0,
    "promotions": 7.0,
    "damaged versions refused": 15.0,
    "people erased": 1.0,
}
"""Mean seconds between two events of each kind, by the name of their count in the result."""
SLOW_SECONDS = 20.0
"""Time after which a slow client gives up, if the server hasn't closed its connection before."""
START_SECONDS = 120.0
"""Maximum time that a server takes to start, and an event to succeed."""
JSON = {"content-type": "application/json"}
_POST = b"POST /v1/recommendations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
_CHUNKED = _POST + b"transfer-encoding: chunked\r\n\r\n"
_GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
SLOW_BEGINNINGS = {
    "headers": _GET + b"x-slow: ",
    "a body": _POST + b"content-length: 1000\r\n\r\n{",
    "a chunk": _CHUNKED + b"fff\r\n{",
    "trailers": _CHUNKED + b"0\r\n" + b"a: b\r\n" * 1_000,
    "a second request": _GET + b"\r\nG",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00" * 10,
}
"""What slow clients send at once, by what they then send byte by byte."""


def measure(config: Config, data: Path) -> Result:
    """Return what was done to the server, what was lost or left, and the health checks; `data` isn't used."""
    with tempfile.TemporaryDirectory() as directory:
        site = Site.make(Path(directory), config["workers"], config["seed"])
        soak = Soak(site, random.Random(config["seed"]))
        asyncio.run(soak.run(60 * config["minutes"]))
        return {"minutes": config["minutes"], **soak.findings()}


@dataclass
class Site:
    """The directories of a server, and its process."""

    directory: Path
    workers: int
    port: int
    movies: list[str]
    """Ids of all movies."""
    process: "subprocess.Popen[bytes]" = field(init=False)

    @classmethod
    def make(cls, directory: Path, workers: int, seed: int) -> "Site":
        """Fit the versions of the model on synthetic data whose ids are texts, and choose a port."""
        sample = make_sample(users=USERS, movies=MOVIES, ratings=RATINGS, seed=seed)
        movie_id, user_id = pl.format("movie-{}", MOVIE_ID), pl.format("user-{}", USER_ID)
        interactions = sample.interactions.with_columns(movie_id.alias(MOVIE_ID), user_id.alias(USER_ID))
        dataset = Dataset.from_frames(interactions, sample.movies.with_columns(movie_id.alias(MOVIE_ID)))
        versions = VersionDirectory.create(directory / "versions")
        for version, model in VERSIONS.items():
            save(Predictor(create_model(model).fit(dataset), dataset), directory / model)
            versions.add(directory / model, version)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        return cls(directory, workers, port, dataset.movies[MOVIE_ID].to_list())

    @property
    def versions(self) -> Path:
        """Directory of the versions of the model."""
        return self.directory / "versions"

    @property
    def store(self) -> str:
        """URL of the store."""
        return f"sqlite:///{self.directory}/store.db"

    @property
    def log(self) -> Path:
        """File of what all runs of the server print."""
        return self.directory / "server.log"

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the server, in a process group of its own, and wait until it is ready."""
        command = [sys.executable, "-m", "nextreel", "serve", self.versions, "--store", self.store]
        command += ["--port", self.port, "--workers", self.workers]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not await self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server didn't start: " + self.log.read_text()[-2_000:])
            await asyncio.sleep(0.1)

    async def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            async with httpx.AsyncClient(base_url=self.url) as client:
                return (await client.get("/readyz")).is_success
        return False

    def kill(self) -> None:
        """Kill the server and its workers, without a chance to finish anything."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def worker_pids(self) -> list[int]:
        """Return the processes that answer requests."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        return [
            int(child) for child in children if b"spawn_main" in _read_bytes(Path(f"/proc/{child}/cmdline"))
        ]

    def resident_mib(self) -> float:
        """Return the memory of the largest worker."""
        sizes = [_resident_kib(_read_bytes(Path(f"/proc/{pid}/status"))) for pid in self.worker_pids()]
        return max(sizes, default=0) / 1024


@dataclass
class Soak:
    """Everything that happens to one server, and what came of it."""

    site: Site
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    """How often each thing happened."""
    acknowledged: set[tuple[str, str, int]] = field(default_factory=set)
    """(user, movie, timestamp) of each rating that the server said it had stored, but for erased people's."""
    erased: list[str] = field(default_factory=list)
    """Ids of the people whose erasure the server has confirmed."""
    health_seconds: list[float] = field(default_factory=list)
    """How long each answered health check took."""
    largest_mib: float = 0.0
    """Largest memory of a worker that was seen."""
    _is_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared while the whole server is dead, from the kill until it is ready again."""
    _ends: float = 0.0

    async def run(self, seconds: float) -> None:
        """Start the server, do everything at once for so long, and kill it."""
        await self.site.start()
        self._is_up.set()
        self._ends = time.monotonic() + seconds
        events = {
            "workers killed": self._kill_worker,
            "servers killed": self._kill_server,
            "promotions": self._promote,
            "damaged versions refused": self._offer_damage,
            "people erased": self._erase_somebody,
        }
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._check_health())
                for number in range(WRITERS):
                    tasks.create_task(self._write(number))
                for _ in range(READERS):
                    tasks.create_task(self._read())
                for beginning in SLOW_BEGINNINGS.values():
                    for _ in range(SLOW_CLIENTS):
                        tasks.create_task(self._be_slow(beginning))
                for name, event in events.items():
                    tasks.create_task(self._repeat(name, event))
        finally:
            self.site.kill()

    def findings(self) -> Result:
        """Return all counts, after comparing the store and the server's files with what was acknowledged."""
        with Store.open(self.site.store) as store:
            stored = set(store.everything()[1].select(USER_ID, MOVIE_ID, TIMESTAMP).iter_rows())
            expected = {(encode_id(user), encode_id(movie), time) for user, movie, time in self.acknowledged}
            data = self.site.directory / "refit"
            write_data(store, load(self.site.directory / VERSIONS["a"]).dataset, data)
        remains = find_remains(self.site.directory, self.erased)
        answered = sorted(self.health_seconds)
        return {
            "events": {name: self.counts[name] for name in PAUSES},
            "slow connections": self.counts["slow connections"],
            "slow connections closed by the server": self.counts["slow connections closed"],
            "lists": self.counts["lists"],
            "ratings acknowledged": len(self.acknowledged),
            "ratings lost": len(expected - stored),
            "erased people found in a file": len(remains),
            "files with an erased person": sorted({file for files in remains.values() for file in files}),
            "health checks": {
                "answered": len(answered),
                "answered at the second try": self.counts["health checks repeated"],
                "unanswered": self.counts["health checks unanswered"],
                "median_ms": round(1000 * answered[len(answered) // 2], 1),
                "max_ms": round(1000 * answered[-1], 1),
            },
            "largest_worker_mib": round(self.largest_mib, 1),
        }

    @property
    def _goes_on(self) -> bool:
        return time.monotonic() < self._ends

    async def _repeat(self, name: str, event: Callable[[], Awaitable[bool]]) -> None:
        """Let an event happen at random times, and count how often it succeeded."""
        while True:
            pause = self.random.expovariate(1 / PAUSES[name])
            await asyncio.sleep(min(pause, max(0.0, self._ends - time.monotonic())))
            await self._is_up.wait()
            if not self._goes_on:
                return
            self.counts[name] += await event()

    async def _check_health(self) -> None:
        """Ask `/healthz` again and again.

        A check that isn't answered is repeated once, at once, and again whenever a worker was killed meanwhile.
        """
        while self._goes_on:
            await asyncio.sleep(HEALTH_PAUSE)
            await self._is_up.wait()
            started, kills = time.monotonic(), self.counts["workers killed"]
            is_answered = await self._is_healthy()
            is_repeated = False
            while not is_answered and self._is_up.is_set():
                if is_repeated and kills == self.counts["workers killed"]:
                    break
                is_repeated, kills = True, self.counts["workers killed"]
                is_answered = await self._is_healthy()
            self.counts["health checks repeated"] += is_answered and is_repeated
            if is_answered:
                self.health_seconds.append(time.monotonic() - started)
            elif self._is_up.is_set():
                self.counts["health checks unanswered"] += 1
            self.largest_mib = max(self.largest_mib, self.site.resident_mib())

    async def _is_healthy(self) -> bool:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(HEALTH_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.site.port)
                writer.write(_GET + b"connection: close\r\n\r\n")
                status = await reader.readline()
                writer.close()
                return status.split()[1:2] == [b"200"]
        return False

    async def _request(self, method: str, path: str, **more: object) -> httpx.Response:
        """Send a request until there is an answer that isn't a server error."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            await self._is_up.wait()
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient(base_url=self.site.url, timeout=30, headers=JSON) as client:
                    response = await client.request(method, path, **more)  # type: ignore[arg-type]
                if response.status_code < 500:
                    return response
                self.counts[f"answers {response.status_code}"] += 1
            if time.monotonic() > deadline:
                raise RuntimeError(f"{method} {path} wasn't answered for {START_SECONDS:g} seconds")
            await asyncio.sleep(0.05)

    async def _rate(self, user: str, movie: str, key: str) -> tuple[str, str, int]:
        """Store a rating; the request is repeated with the same key until it is acknowledged."""
        row = {"user_id": user, "movie_id": movie, "rating": 4, "timestamp": int(time.time())}
        response = await self._request("POST", "/v1/interactions", json=row, headers={"idempotency-key": key})
        if not response.is_success:
            raise RuntimeError(f"a rating was refused: {response.text}")
        return user, movie, int(str(row["timestamp"]))

    async def _write(self, number: int) -> None:
        """Store ratings of ever new users, one of each movie."""
        for user in _count(f"writer-{number}-"):
            for movie in self.site.movies:
                if not self._goes_on:
                    return
                self.acknowledged.add(await self._rate(user, movie, uuid.uuid4().hex))

    async def _read(self) -> None:
        while self._goes_on:
            body = {"user_id": f"user-{self.random.randint(1, USERS)}"}
            response = await self._request("POST", "/v1/recommendations", json=body)
            self.counts["lists"] += response.is_success

    async def _be_slow(self, beginning: bytes) -> None:
        """Open connections and send them a beginning, then a byte a second until the server closes them."""
        while self._goes_on:
            await self._is_up.wait()
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.site.port)
                self.counts["slow connections"] += 1
                writer.write(beginning)
                gives_up = time.monotonic() + SLOW_SECONDS
                while time.monotonic() < gives_up and self._goes_on:
                    if writer.transport.is_closing():
                        break
                    await asyncio.sleep(1)
                    writer.write(b"x")
                self.counts["slow connections closed"] += writer.transport.is_closing()
                writer.transport.abort()
            await asyncio.sleep(0.1)

    async def _kill_worker(self) -> bool:
        pids = self.site.worker_pids()
        if len(pids) < self.site.workers:
            return False  # The one that was killed last isn't replaced yet; without the other nobody could answer.
        os.kill(self.random.choice(pids), signal.SIGKILL)
        return True

    async def _kill_server(self) -> bool:
        self._is_up.clear()
        self.site.kill()
        await self.site.start()
        self._is_up.set()
        return True

    async def _promote(self) -> bool:
        version = self.random.choice(list(VERSIONS))
        return (await self._request("POST", f"/v1/admin/models/{version}/promote")).is_success

    async def _offer_damage(self) -> bool:
        """Offer a copy of a version in which one byte is changed; return whether it was refused."""
        name = f"damaged-{uuid.uuid4().hex[:8]}"
        whole = VersionDirectory.open(self.site.versions).find(list(VERSIONS)[-1]).path
        copy = whole.with_name(name)
        shutil.copytree(whole, copy)
        file = self.random.choice([file for file in sorted(copy.iterdir()) if file.stat().st_size])
        content = bytearray(file.read_bytes())
        content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
        file.write_bytes(content)
        response = await self._request("POST", f"/v1/admin/models/{name}/promote")
        shutil.rmtree(copy)
        if response.is_success:
            raise RuntimeError(f"the server accepted a version with a changed byte in {file.name}")
        return True

    async def _erase_somebody(self) -> bool:
        """Let somebody rate movies, ask for lists and be erased; then repeat one of their writes, as clients do."""
        person, key = f"erased-{uuid.uuid4()}", uuid.uuid4().hex
        for number, movie in enumerate(self.random.sample(self.site.movies, PERSON_RATINGS)):
            row = await self._rate(person, movie, f"{key}{number}")
        await self._request("GET", f"/v1/users/{person}/recommendations")
        await self._request("GET", f"/time-travel?user={person}")
        response = await self._request("DELETE", f"/v1/users/{person}")
        if not response.is_success:
            raise RuntimeError(f"an erasure was refused: {response.text}")
        repeated = {"user_id": row[0], "movie_id": row[1], "rating": 4, "timestamp": row[2]}
        key = f"{key}{PERSON_RATINGS - 1}"
        await self._request("POST", "/v1/interactions", json=repeated, headers={"idempotency-key": key})
        self.erased.append(person)
        return True


def find_remains(directory: Path, people: list[str]) -> dict[str, list[str]]:
    """Return the files in which anything of these people is found, by person: their ids as texts or as codes."""
    remains: dict[str, list[str]] = {}
    files = [file for file in sorted(directory.rglob("*")) if file.is_file()]
    for file in files:
        content = file.read_bytes()
        for person in people:
            code = encode_id(person)
            if any(
                form in content for form in (person.encode(), str(code).encode(), code.to_bytes(8, "big"))
            ):
                remains.setdefault(person, []).append(str(file.relative_to(directory)))
    return remains


def _count(prefix: str) -> Iterator[str]:
    return (f"{prefix}{number}" for number in itertools.count())


def _read_bytes(file: Path) -> bytes:
    """Return what a file of /proc holds; nothing if the process is gone."""
    with contextlib.suppress(OSError):
        return file.read_bytes()
    return b""


def _resident_kib(status: bytes) -> int:
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(b"VmRSS"))
