"""Who tries wrong keys is slowed down, and nobody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nextreel.serving.http.access import failed_attempts, rate_limits
from nextreel.serving.http.access.failed_attempts import FAILURES_AT_ONCE, FailedAttempts
from nextreel.serving.http.access.rate_limits import RateLimiter
from nextreel.serving.storage.administration.api_keys import Scope, create_key, revoke_key
from nextreel.serving.storage.store import Store
from tests.serving.servers import Server, serving


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('keys')}/nextreel.db"


@pytest.fixture(scope="module")
def key(store_url: str) -> str:
    with Store.open(store_url) as store:
        return create_key(store, "shop", Scope.WRITE)


@pytest.fixture(scope="module")
def guarded(model: Path, store_url: str, key: str) -> Iterator[Server]:
    options = ["--require-keys", "--trusted-proxy", "127.0.0.1"]
    with serving(model, store_url, *options) as started:
        yield started


def ask(server: Server, key: str, client: str) -> int:
    """The status of the answer to a client of the proxy with this key."""
    return server.http.get("/v1/model", headers={"X-API-Key": key, "X-Forwarded-For": client}).status_code


def test_wrong_keys_from_one_address_are_slowed_down_and_right_ones_are_not(
    guarded: Server, store_url: str, key: str
) -> None:
    assert ask(guarded, key, "203.0.113.1") == 200
    tried = [ask(guarded, f"nextreel_{i}_guess", "203.0.113.1") for i in range(FAILURES_AT_ONCE + 10)]
    assert set(tried[:FAILURES_AT_ONCE]) == {401}
    assert 429 in tried[FAILURES_AT_ONCE:]
    refused = guarded.http.get(
        "/v1/model", headers={"X-API-Key": "nextreel_x_guess", "X-Forwarded-For": "203.0.113.1"}
    )
    assert refused.status_code in (401, 429)
    if refused.status_code == 429:
        assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert ask(guarded, key, "203.0.113.1") == 200  # a key that was accepted before
    assert ask(guarded, "nextreel_x_guess", "203.0.113.2") == 401  # another address
    assert guarded.http.get("/healthz", headers={"X-Forwarded-For": "203.0.113.1"}).status_code == 200


def test_requests_without_a_key_are_no_attempts(guarded: Server, key: str) -> None:
    sent = {"X-Forwarded-For": "203.0.113.3"}
    statuses = {guarded.http.get("/v1/model", headers=sent).status_code for _ in range(FAILURES_AT_ONCE + 5)}
    assert statuses == {401}
    assert ask(guarded, key, "203.0.113.3") == 200


def make(now: list[float]) -> FailedAttempts:
    return FailedAttempts(RateLimiter(rate=0.5, burst=2, clock=lambda: now[0]))


def attempt(failed: FailedAttempts, address: str, key: str, is_right: bool = False) -> float:
    """Try a key, and return the seconds to wait if it isn't looked up."""
    wait = failed.wait(address, key)
    if not wait:
        failed.note(address, key, is_right)
    return wait


def test_attempts_come_back_with_time() -> None:
    now = [0.0]
    failed = make(now)
    assert [attempt(failed, "a", "guess") for _ in range(3)] == [0, 0, 2]
    now[0] = 2.0
    assert [attempt(failed, "a", "guess") for _ in range(2)] == [0, 2]


def test_guesses_at_the_same_moment_are_counted_before_they_are_looked_up() -> None:
    failed = make([0.0])
    assert [failed.wait("a", f"guess {i}") for i in range(3)] == [0, 0, 2]


def test_right_keys_take_no_attempt() -> None:
    failed = make([0.0])
    for i in range(5):
        assert attempt(failed, "a", f"key {i}", is_right=True) == 0
    assert [attempt(failed, "a", "guess") for _ in range(3)] == [0, 0, 2]
    assert attempt(failed, "a", "key 0", is_right=True) == 0
    assert attempt(failed, "a", "a key that wasn't used before", is_right=True) == 2


def test_a_key_that_was_revoked_is_an_attempt_like_others() -> None:
    failed = make([0.0])
    attempt(failed, "a", "key", is_right=True)
    tried = [attempt(failed, "a", "key") for _ in range(3)]
    assert tried == [0, 0, 2]


def test_a_network_of_ipv6_is_one_address() -> None:
    failed = make([0.0])
    tried = [attempt(failed, f"2001:db8::{host}", "guess") for host in (1, 2, 3)]
    assert tried == [0, 0, 2]
    assert attempt(failed, "2001:db8:0:1::3", "guess") == 0
    assert attempt(failed, "", "guess") == 0


def test_memory_is_bounded_however_many_addresses_and_keys_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MAX_BUCKETS", 10)
    monkeypatch.setattr(failed_attempts, "MAX_ACCEPTED", 10)
    failed = make([0.0])
    for i in range(100):
        attempt(failed, f"10.0.0.{i}", f"guess {i}")
        attempt(failed, "10.0.0.1", f"key {i}", is_right=True)
    assert len(failed._limiter._buckets) == len(failed._accepted) == 10


def test_a_revoked_key_ends_at_once_though_it_was_accepted(guarded: Server, store_url: str) -> None:
    with Store.open(store_url) as store:
        passing = create_key(store, "passing", Scope.READ)
        assert ask(guarded, passing, "203.0.113.9") == 200
        revoke_key(store, "passing")
    assert ask(guarded, passing, "203.0.113.9") == 401
