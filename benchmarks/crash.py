"""Crashes: does kill -9 under write load lose an acknowledged interaction, or leave half a batch in the store?

A writer process adds batches from several threads and reports each batch that the store has acknowledged. Then one
process is killed with SIGKILL: the writer, the PostgreSQL process that serves its connection (PostgreSQL then ends all
other connections and recovers), or PostgreSQL's first process (which is then started again). A writer that survives
retries the batch that failed. After a writer has ended, the store is opened again and compared with the acknowledged
batches.
"""

import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, Self, get_args

import psycopg

from benchmarks.postgres import Postgres
from benchmarks.run import Config, Result
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.errors import StoreError
from nextreel.serving.storage.store import NewInteraction, Store

THREADS, BATCH, MOST_BATCHES = 4, 3, 30
"""Number of threads of the writer, of interactions in a batch, and maximum of batches acknowledged before the kill."""

LONGEST_PAUSE = 0.1
"""Maximum seconds between the last of these acknowledgements and the kill."""

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])

Victim = Literal["writer", "serving process", "first process"]
VICTIMS: tuple[Victim, ...] = get_args(Victim)
"""The process that is killed; the last two belong to PostgreSQL."""


@dataclass
class Tally:
    """Counts over all rounds of a case."""

    acknowledged: int = 0
    """Number of interactions whose `add` returned."""
    lost: int = 0
    """Number of acknowledged interactions that were missing afterwards."""
    half_written: int = 0
    """Number of batches of which only some interactions were stored."""
    unacknowledged: int = 0
    """Number of interactions that were stored but not yet acknowledged, which is allowed."""


def measure(config: Config, data: Path) -> Result:
    """Return a tally of each case: a store, the process that is killed, and the number of rounds; `data` isn't used."""
    with tempfile.TemporaryDirectory() as directory, Postgres(durable=True) as server:
        tallies = []
        for number, case in enumerate(config["cases"]):
            if case["store"] == "sqlite":
                tally = crash(f"sqlite:///{directory}/{number}.db", case["killed"], case["rounds"])
            else:
                tally = crash_postgresql(server, case["killed"], case["rounds"])
            tallies.append({**case, **vars(tally)})
            print(tallies[-1], flush=True)
    return {"cases": tallies}


def crash_postgresql(server: Postgres, victim: Victim, rounds: int) -> Tally:
    """Kill the victim `rounds` times while a writer writes to a new database."""
    name = f"crash {victim}"
    return crash(server.create_database(name), victim, rounds, lambda: _kill(server, name, victim))


def _kill(server: Postgres, database: str, victim: Victim) -> None:
    match victim:
        case "writer":
            return
        case "first process":
            server.kill()
            server.start()
        case "serving process":
            while not _kill_serving_process(server, database):
                time.sleep(0.02)


def _kill_serving_process(server: Postgres, database: str) -> bool:
    try:
        return server.kill_backend(database)
    except psycopg.OperationalError:
        return False  # The server is still recovering from the kill before.


def crash(url: str, victim: Victim, rounds: int, kill_server: Callable[[], None] = lambda: None) -> Tally:
    """Kill the victim `rounds` times while a writer writes to one store; return what was lost."""
    tally = Tally()
    random_times = random.Random(0)
    n_writers = rounds if victim == "writer" else 1
    for number in range(n_writers):
        users = range(number * THREADS, (number + 1) * THREADS)
        with _Writer(url, users) as writer:
            for _ in range(rounds // n_writers):
                writer.wait_for(random_times.randint(1, MOST_BATCHES))
                # A random pause, so that the kill doesn't always follow an acknowledgement.
                time.sleep(random_times.uniform(0, LONGEST_PAUSE))
                kill_server()
            if victim != "writer":
                writer.wait_for(MOST_BATCHES)
        _compare(url, users, set(writer.acknowledged), tally)
    return tally


class _Writer:
    """A process that runs `write_forever` until it is killed at the end of the `with` block."""

    def __init__(self, url: str, users: range) -> None:
        self.acknowledged: list[tuple[int, int]] = []
        self._receiver, sender = PROCESSES.Pipe(duplex=False)
        self._process = PROCESSES.Process(target=write_forever, args=(url, users, sender))
        self._process.start()
        sender.close()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._listener.join()
        self._receiver.close()

    def wait_for(self, batches: int) -> None:
        """Wait until so many more batches have been acknowledged."""
        target = len(self.acknowledged) + batches
        while len(self.acknowledged) < target:
            if not self._process.is_alive():
                raise RuntimeError("the writer ended by itself")
            time.sleep(0.001)

    def _listen(self) -> None:
        with suppress(EOFError):
            while True:
                self.acknowledged.append(self._receiver.recv())


def _compare(url: str, users: range, acknowledged: set[tuple[int, int]], tally: Tally) -> None:
    """Add to the tally how the store differs from the acknowledged batches, each (user, second)."""
    with _open_when_ready(url) as store:
        rows = store.histories(users)
    sizes = {(user, second): size for user, second, size in rows.group_by(USER_ID, TIMESTAMP).len().rows()}
    tally.acknowledged += BATCH * len(acknowledged)
    tally.lost += sum(BATCH - sizes.get(batch, 0) for batch in acknowledged)
    tally.half_written += sum(size != BATCH for size in sizes.values())
    tally.unacknowledged += sum(size for batch, size in sizes.items() if batch not in acknowledged)


def _open_when_ready(url: str) -> Store:
    deadline = time.monotonic() + 60
    while True:
        try:
            return Store.open(url)
        except StoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def write_forever(url: str, users: range, acknowledged: Connection) -> None:
    """Add batches in one thread per user; send (user, second) of each batch that was acknowledged."""
    store = _open_when_ready(url)
    send_lock = threading.Lock()

    def write(user: int) -> None:
        for second in count():
            batch = [NewInteraction(user, movie, 3.0, second) for movie in range(BATCH)]
            while not _try_to_add(store, batch):
                time.sleep(0.02)
            with send_lock:
                acknowledged.send((user, second))

    for user in users:
        threading.Thread(target=write, args=(user,)).start()


def _try_to_add(store: Store, batch: list[NewInteraction]) -> bool:
    try:
        store.add(batch, idempotency_key=f"{batch[0].user_id} {batch[0].timestamp}")
    except StoreError:
        return False
    return True
