import numpy as np
import pytest

from nextreel.evaluation.bootstrap import estimate_mean


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
