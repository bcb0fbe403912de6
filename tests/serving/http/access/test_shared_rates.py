"""Several processes on a store keep the rate of a key together."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from nextreel.serving.http.access.rate_limits import RateLimiter, SharedUse
from nextreel.serving.storage.administration.key_use import exchange_use
from nextreel.serving.storage.store import Store


@pytest.fixture(scope="module")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for tests that use different keys."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('shared')}/nextreel.db") as store:
        yield store


@dataclass
class Process:
    """The limiter of a process, which tells the others through a store, at a clock that the test sets."""

    store: Store
    now: float = 0.0
    use: SharedUse = field(init=False)

    def __post_init__(self) -> None:
        self.use = SharedUse(RateLimiter(rate=10, burst=20, clock=lambda: self.now))

    def ask(self, times: int, key: str) -> int:
        """Return how many of so many requests with a key are allowed."""
        return sum(self.use.limiter.wait(key) == 0 for _ in range(times))

    def exchange(self) -> None:
        taken = self.use.collect()
        self.use.learn(taken, exchange_use(self.store, taken))


def test_what_was_taken_from_one_process_is_taken_from_the_others(store: Store) -> None:
    one, other = Process(store), Process(store)
    one.exchange()
    other.exchange()
    assert one.ask(15, "shop") == 15
    one.exchange()
    other.exchange()
    assert other.ask(15, "shop") == 5
    assert other.ask(15, "another key") == 15


def test_in_the_long_run_all_processes_together_allow_the_rate(sqlite_store: Store) -> None:
    processes = [Process(sqlite_store) for _ in range(3)]
    for process in processes:
        process.exchange()
    allowed = 0
    for second in range(20):
        for process in processes:
            process.now = float(second)
            allowed += process.ask(100, "crowd")
        for process in processes:
            process.exchange()
    most_at_once = 3 * 20
    assert allowed + most_at_once >= 10 * 19
    assert allowed <= 10 * 19 + most_at_once


def test_a_process_that_starts_later_doesnt_count_what_was_taken_before(sqlite_store: Store) -> None:
    one = Process(sqlite_store)
    one.exchange()
    one.ask(20, "late")
    one.exchange()
    late = Process(sqlite_store)
    late.exchange()
    assert late.ask(20, "late") == 20


def test_what_the_store_could_not_be_told_is_told_later(sqlite_store: Store) -> None:
    one, other = Process(sqlite_store), Process(sqlite_store)
    one.exchange()
    other.exchange()
    one.ask(10, "untold")
    one.use.give_back(one.use.collect())
    one.ask(5, "untold")
    one.exchange()
    other.exchange()
    assert other.ask(20, "untold") == 5


@pytest.mark.parametrize("tokens", [0.5, 1_000.0])
def test_costly_requests_count_by_their_cost(sqlite_store: Store, tokens: float) -> None:
    one, other, key = Process(sqlite_store), Process(sqlite_store), f"costly by {tokens}"
    one.exchange()
    other.exchange()
    assert one.use.limiter.charge(key, tokens) == 0
    one.exchange()
    other.exchange()
    assert other.ask(20, key) == (19 if tokens < 1 else 0)
