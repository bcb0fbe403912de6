"""Crashes: does kill -9 under write load lose an interaction that was acknowledged, or keep half a batch?

A writer process adds batches from several threads and reports each one once it was acknowledged. Then one process is
killed with SIGKILL: the writer, the PostgreSQL process that serves it (the server then ends all others and recovers),
or PostgreSQL's first process (and it's started again). A writer that lives on sends the batch that failed again.
Once a writer has ended, the store is opened anew and compared with what it had acknowledged.
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
from typing import Any, Literal, Self, get_args

import psycopg

from benchmarks.postgres import Postgres
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.errors import StoreError
from nextreel.serving.storage.store import NewInteraction, Store

THREADS, BATCH, MOST_BATCHES = 4, 3, 30
"""Of the writer: its threads, interactions in a batch, and batches acknowledged before the kill at most."""

LONGEST_PAUSE = 0.1
"""Seconds between that and the kill at most."""

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])

Victim = Literal["writer", "serving process", "first process"]
VICTIMS: tuple[Victim, ...] = get_args(Victim)
"""Who is killed; the last two are PostgreSQL's."""


@dataclass
class Tally:
    """What was counted over the rounds of a case."""

    acknowledged: int = 0
    """Interactions whose `add` returned."""
    lost: int = 0
    """Acknowledged interactions that weren't there afterwards."""
    half_written: int = 0
    """Batches of which some but not all interactions were there."""
    unacknowledged: int = 0
    """Interactions that were there although their acknowledgement had not come yet; they may be."""


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """A tally by case, a case being a store, who is killed, and how often; no data set is used."""
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
    """Kill the victim in each of some rounds on a database of its own."""
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
        return False  # still recovering from the last time


def crash(url: str, victim: Victim, rounds: int, kill_server: Callable[[], None] = lambda: None) -> Tally:
    """Kill the victim in each of some rounds, on one store that lives through all of them."""
    tally = Tally()
    moments = random.Random(0)
    lives = rounds if victim == "writer" else 1
    for life in range(lives):
        users = range(life * THREADS, (life + 1) * THREADS)
        with _Writer(url, users) as writer:
            for _ in range(rounds // lives):
                writer.wait_for(moments.randint(1, MOST_BATCHES))
                time.sleep(
                    moments.uniform(0, LONGEST_PAUSE)
                )  # so that the kill isn't tied to an acknowledgement
                kill_server()
            if victim != "writer":
                writer.wait_for(MOST_BATCHES)
        _compare(url, users, set(writer.acknowledged), tally)
    return tally


class _Writer:
    """A process that runs `write_forever` until it's killed on leaving the context."""

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
        """Until so many more were acknowledged."""
        enough = len(self.acknowledged) + batches
        while len(self.acknowledged) < enough:
            if not self._process.is_alive():
                raise RuntimeError("the writer ended by itself")
            time.sleep(0.001)

    def _listen(self) -> None:
        with suppress(EOFError):
            while True:
                self.acknowledged.append(self._receiver.recv())


def _compare(url: str, users: range, acknowledged: set[tuple[int, int]], tally: Tally) -> None:
    with _open_when_up(url) as store:
        rows = store.histories(users)
    sizes = {(user, second): size for user, second, size in rows.group_by(USER_ID, TIMESTAMP).len().rows()}
    tally.acknowledged += BATCH * len(acknowledged)
    tally.lost += sum(BATCH - sizes.get(batch, 0) for batch in acknowledged)
    tally.half_written += sum(size != BATCH for size in sizes.values())
    tally.unacknowledged += sum(size for batch, size in sizes.items() if batch not in acknowledged)


def _open_when_up(url: str) -> Store:
    deadline = time.monotonic() + 60
    while True:
        try:
            return Store.open(url)
        except StoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def write_forever(url: str, users: range, acknowledged: Connection) -> None:
    """Add batches, a thread for each user; send (user, second) of each one that was acknowledged."""
    store = _open_when_up(url)
    one_at_a_time = threading.Lock()

    def write(user: int) -> None:
        for second in count():
            batch = [NewInteraction(user, movie, 3.0, second) for movie in range(BATCH)]
            while not _is_added(store, batch):
                time.sleep(0.02)
            with one_at_a_time:
                acknowledged.send((user, second))

    for user in users:
        threading.Thread(target=write, args=(user,)).start()


def _is_added(store: Store, batch: list[NewInteraction]) -> bool:
    try:
        store.add(batch, idempotency_key=f"{batch[0].user_id} {batch[0].timestamp}")
    except StoreError:
        return False
    return True
