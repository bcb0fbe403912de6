import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nextreel.evaluation import significance
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
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


TOTALS = np.random.default_rng(4).normal([0.05, -0.05, 0.2], 0.3, size=(30, 3))


def permute_plainly(totals: np.ndarray, permutations: int, seed: int, one_sided: bool = False) -> np.ndarray:
    draws = np.random.default_rng(seed).integers(2, size=(permutations, len(totals)), dtype=np.int8)
    permuted = np.array([np.where(draw[:, None] == 1, totals, -totals).sum(axis=0) for draw in draws])
    observed = totals.sum(axis=0)
    if not one_sided:
        permuted, observed = abs(permuted), abs(observed)
    return np.asarray((1 + (permuted >= observed - 1e-9).sum(axis=0)) / (1 + permutations))


@pytest.mark.parametrize("one_sided", [False, True])
def test_p_is_that_of_a_plain_permutation_test(one_sided: bool) -> None:
    found = permute_users(TOTALS, 200, 7, one_sided)
    np.testing.assert_allclose(found, permute_plainly(TOTALS, 200, 7, one_sided), rtol=1e-12)


def test_by_default_a_test_is_two_sided_and_has_10_000_permutations() -> None:
    np.testing.assert_array_equal(permute_users(TOTALS), permute_users(TOTALS, 10_000, 0, False))
    (test,) = compare_pairs({"live": {"a": noise(0), "b": noise(1)}}, UserBootstrap(USERS, seed=5))
    differences = (noise(0) - noise(1))[:, None]
    assert test.p == permute_users(UserBootstrap(USERS).totals(differences), 10_000, 5)[0]


@pytest.mark.parametrize("users_per_batch", [1, 100, 299])
def test_every_permutation_counts_once_whatever_the_batches(
    users_per_batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(significance, "USERS_PER_BATCH", users_per_batch)
    assert permute_users(np.zeros((30, 2)), 101).tolist() == [1.0, 1.0]
    assert permute_users(np.ones((30, 1)), 101).tolist() == [1 / 102]


@pytest.mark.parametrize(
    ("total", "one_sided", "least", "most"),
    [(1.0, False, 1, 1), (-1.0, False, 1, 1), (1.0, True, 0.4, 0.6), (-1.0, True, 1, 1)],
)
def test_a_permuted_difference_that_equals_the_observed_one_counts(
    total: float, one_sided: bool, least: float, most: float
) -> None:
    assert least <= permute_users(np.array([[total]]), 1000, one_sided=one_sided)[0] <= most


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
    assert (test.better, test.worse) == ("one", "other")
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


def paired(better: str, worse: str, adjusted_p: float, history: str = "frozen") -> PairedTest:
    return PairedTest(history, better, worse, Estimate(0.1, 0.05, 0.15), adjusted_p / 3, adjusted_p)


@pytest.mark.parametrize(
    ("tests", "sentence"),
    [
        ([paired("a", "b", 0.01)], "the difference is significant. a is the best."),
        (
            [paired("a", "b", 0.05)],
            "the difference is not significant. a is ahead, but not shown to be better than b.",
        ),
        (
            [paired("a", "b", 0.01), paired("a", "c", 0.01), paired("b", "c", 0.01)],
            "all 3 differences are significant. a is the best.",
        ),
        (
            [paired("a", "b", 0.5), paired("a", "c", 0.5), paired("b", "c", 0.5)],
            "none of the 3 differences is significant. a is ahead, but not shown to be better than b and c.",
        ),
        (
            [paired("b", "c", 0.01), paired("a", "b", 0.5), paired("a", "c", 0.061)],
            "1 of 3 differences is significant. Not significant: a and b (0.1000 [0.0500, 0.1500], p 0.5); "
            "a and c (0.1000 [0.0500, 0.1500], p 0.061). a is ahead, but not shown to be better than b and c.",
        ),
        (
            [paired("b", "c", 0.5), paired("a", "b", 0.01), paired("a", "c", 0.01)],
            "2 of 3 differences are significant. Not significant: b and c (0.1000 [0.0500, 0.1500], p 0.5). "
            "a is the best.",
        ),
    ],
)
def test_the_sentence_of_a_history(tests: list[PairedTest], sentence: str) -> None:
    first, last = describe_significance(tests, "Recall@10")
    assert first == f"Recall@10, frozen history: {sentence}"
    assert last.startswith("Significant means that p, adjusted by Holm's method, is below 0.05 in the ")


def test_each_history_has_a_sentence_and_all_tests_count_together() -> None:
    tests = [paired("a", "b", 0.01), paired("b", "a", 0.5, "live")]
    assert describe_significance(tests, "NDCG@10") == [
        "NDCG@10, frozen history: the difference is significant. a is the best.",
        "NDCG@10, live history: the difference is not significant. b is ahead, but not shown to be better than a.",
        "Significant means that p, adjusted by Holm's method, is below 0.05 in the 2 tests of this run, which are "
        "paired randomisation tests over users.",
    ]


def test_the_facts_of_a_test_say_whether_the_difference_is_significant() -> None:
    assert paired("a", "b", 0.03).facts() == {
        "history": "frozen",
        "better": "a",
        "worse": "b",
        "difference": {"mean": 0.1, "low": 0.05, "high": 0.15},
        "p": 0.01,
        "adjusted_p": 0.03,
        "real": True,
    }


def test_one_model_alone_has_nothing_to_be_compared_with() -> None:
    assert describe_significance(run(alone=noise(0)), "NDCG@10") == []
