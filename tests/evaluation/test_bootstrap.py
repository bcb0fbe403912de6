import tracemalloc

import numpy as np
import pytest

from nextreel.arrays import BoolArray, Float64Array, Int64Array
from nextreel.evaluation import bootstrap
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap, estimate_mean

RANDOM = np.random.default_rng(1)
USERS = RANDOM.integers(7, size=40)
VALUES = RANDOM.random((40, 3)) - [0, 0.5, 1]
PART = RANDOM.random(40) < 0.3


def resample_plainly(
    values: Float64Array, users: Int64Array, part: BoolArray, resamples: int, level: float, seed: int
) -> Estimate:
    """Draw users one resample after the other, and average the queries of those drawn."""
    names, random, means = np.unique(users), np.random.default_rng(seed), []
    for _ in range(resamples):
        drawn = names[random.integers(len(names), size=len(names))]
        queries = np.concatenate([np.flatnonzero((users == user) & part) for user in drawn])
        if len(queries):
            means.append(values[queries].mean())
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(values[part].mean(), low, high)


def assert_close(found: Estimate, expected: Estimate) -> None:
    for name in ("mean", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-12), name


@pytest.mark.parametrize(
    "part", [np.ones(40, dtype=bool), PART, USERS == 3], ids=["all", "some", "of one user"]
)
def test_an_interval_is_that_of_a_plain_bootstrap(part: BoolArray) -> None:
    resampling = UserBootstrap(USERS, 40, 0.8, 5)
    found = resampling.estimate_all(VALUES, part)
    for column, estimate in enumerate(found):
        assert_close(estimate, resample_plainly(VALUES[:, column], USERS, part, 40, 0.8, 5))
        assert_close(resampling.estimate(VALUES[:, column], part), estimate)


def test_by_default_there_are_1000_resamples_and_an_interval_of_95_percent() -> None:
    expected = resample_plainly(VALUES[:, 0], USERS, np.ones(40, dtype=bool), 1000, 0.95, 0)
    assert_close(UserBootstrap(USERS).estimate(VALUES[:, 0]), expected)
    assert_close(estimate_mean(VALUES[:, 0], USERS), expected)


def test_a_batch_of_resamples_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = UserBootstrap(USERS).estimate_all(VALUES)
    monkeypatch.setattr(bootstrap, "USERS_PER_BATCH", 15)
    for found, estimate in zip(UserBootstrap(USERS).estimate_all(VALUES), expected, strict=True):
        assert_close(found, estimate)


def test_the_resamples_of_many_users_are_never_in_memory_as_numbers_of_eight_bytes() -> None:
    users, resamples = np.arange(100_000), 50
    tracemalloc.start()
    UserBootstrap(users, resamples).sums(np.ones((len(users), 1)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * resamples * len(users)


def test_an_estimate_is_written_with_its_interval() -> None:
    assert str(Estimate(0.12345, 0.1, 0.2)) == "0.1235 [0.1000, 0.2000]"


def test_the_mean_is_over_queries_not_over_users() -> None:
    estimate = estimate_mean(np.array([1.0, 1.0, 1.0, 0.0]), np.array([7, 7, 7, 8]))
    assert estimate.mean == 0.75


def test_equal_values_have_an_interval_of_no_width() -> None:
    estimate = estimate_mean(np.full(6, 0.5), np.array([1, 1, 2, 2, 3, 3]))
    assert (estimate.low, estimate.high) == (0.5, 0.5)


def test_queries_that_repeat_within_a_user_do_not_narrow_the_interval() -> None:
    values, users = np.random.default_rng(0).random(200), np.arange(200)
    single = estimate_mean(values, users)
    repeated = estimate_mean(np.repeat(values, 9), np.repeat(users, 9))
    assert repeated.high - repeated.low == pytest.approx(single.high - single.low)


def test_the_interval_covers_the_true_mean_of_clustered_queries_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    covered = []
    for seed in range(500):
        taste = random.normal(0.3, 0.2, size=100)
        users = np.repeat(np.arange(100), random.integers(1, 9, size=100))
        estimate = estimate_mean(random.normal(taste[users], 0.1), users, resamples=200, seed=seed)
        covered.append(estimate.low <= 0.3 <= estimate.high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_the_same_seed_gives_the_same_interval() -> None:
    values, users = np.random.default_rng(0).random(50), np.arange(50) // 2
    assert estimate_mean(values, users, seed=3) == estimate_mean(values, users, seed=3)
