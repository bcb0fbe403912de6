import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nextreel.evaluation.bootstrap import UserBootstrap
from nextreel.evaluation.significance import (
    PairedTest,
    adjust_by_holm,
    compare_pairs,
    describe_significance,
    permute_users,
)

USERS = np.repeat(np.arange(60), 3)


def run(**models: np.ndarray) -> list[PairedTest]:
    return compare_pairs({"frozen": models}, UserBootstrap(USERS, resamples=300), permutations=2000)


def noise(seed: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.1, size=len(USERS))


def test_equal_models_differ_significantly_in_about_one_of_twenty_tests() -> None:
    random = np.random.default_rng(3)
    # Differences that users share, in one column a trial: the queries are far from independent.
    taste = random.normal(0, 0.2, size=(40, 800))
    users = np.repeat(np.arange(40), random.integers(1, 9, size=40))
    differences = taste[users] + random.normal(0, 0.1, size=(len(users), 800))
    ps = permute_users(UserBootstrap(users).totals(differences), permutations=999)
    assert 0.03 <= np.mean(ps < 0.05) <= 0.07


def test_p_is_close_to_that_of_a_t_test_where_every_user_has_one_query() -> None:
    differences = np.random.default_rng(5).normal(0.02, 0.1, size=(200, 1))
    p = permute_users(differences, permutations=20_000)[0]
    assert p == pytest.approx(ttest_1samp(differences[:, 0], 0).pvalue, abs=0.01)


def test_queries_that_repeat_within_a_user_are_no_further_evidence() -> None:
    values, users = np.random.default_rng(2).normal(0.02, 0.1, size=(50, 1)), np.arange(50)
    single = permute_users(UserBootstrap(users).totals(values))
    repeated = permute_users(UserBootstrap(np.repeat(users, 9)).totals(np.repeat(values, 9, axis=0)))
    assert repeated.tolist() == single.tolist()


def test_holm_multiplies_the_smallest_p_by_all_the_next_by_one_less_and_never_falls() -> None:
    assert adjust_by_holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_an_adjusted_p_is_at_most_one() -> None:
    assert adjust_by_holm([0.9, 0.8]) == [1.0, 1.0]


def test_no_tests_need_no_adjustment() -> None:
    assert adjust_by_holm([]) == []


def test_the_difference_is_the_better_minus_the_worse() -> None:
    (test,) = run(low=noise(0), high=noise(0) + 0.5)
    assert (test.better, test.worse) == ("high", "low")
    assert test.difference.mean == pytest.approx(0.5)
    assert test.significant


def test_equal_figures_never_differ_significantly() -> None:
    (test,) = run(one=noise(0), other=noise(0))
    assert (test.p, test.difference.low, test.difference.high) == (1.0, 0.0, 0.0)


def test_all_pairs_of_all_histories_are_one_family() -> None:
    models = {"a": noise(0), "b": noise(1, 0.04), "c": noise(2, 0.5)}
    bootstrap = UserBootstrap(USERS, resamples=100)
    tests = compare_pairs({"frozen": models, "live": models}, bootstrap, permutations=500)
    assert len(tests) == 6
    assert [test.adjusted_p for test in tests] == adjust_by_holm([test.p for test in tests])


def test_two_models_that_differ_are_reported_as_different() -> None:
    first, last = describe_significance(run(low=noise(0), high=noise(1, 0.5)), "NDCG@10")
    assert first == "NDCG@10, frozen history: the difference is significant. high is the best."
    assert last.endswith("in the one test of this run, a paired randomisation test over users.")


def test_pairs_that_cannot_be_told_apart_are_named() -> None:
    first, last = describe_significance(run(a=noise(0), b=noise(1), c=noise(2, -0.5)), "NDCG@10")
    assert "2 of 3 differences are significant. Not significant: " in first
    assert first.endswith("but not shown to be better than a.") or first.endswith(
        "but not shown to be better than b."
    )
    assert "in the 3 tests of this run" in last


def test_without_any_significant_difference_none_is_claimed() -> None:
    first, _ = describe_significance(run(a=noise(0), b=noise(1)), "NDCG@10")
    assert first.startswith("NDCG@10, frozen history: the difference is not significant.")
    assert "is ahead, but not shown to be better than" in first


def test_one_model_alone_has_nothing_to_be_compared_with() -> None:
    assert describe_significance(run(alone=noise(0)), "NDCG@10") == []
