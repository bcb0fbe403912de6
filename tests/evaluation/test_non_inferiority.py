"""Whether a new model is shown to be at most so much worse than an old one."""

import numpy as np
import pytest

from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import TIMESTAMP
from nextreel.evaluation.non_inferiority import compare_predictors, compare_values, find_queries
from nextreel.evaluation.significance import permute_users
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor

USERS: Int64Array = np.repeat(np.arange(300), 4)


def draw_hits(seed: int) -> Float64Array:
    """The NDCG of single queries: mostly 0, and otherwise that of some rank."""
    random = np.random.default_rng(seed)
    return np.where(random.random(len(USERS)) < 0.3, 1 / np.log2(1 + random.integers(1, 11, len(USERS))), 0.0)


def test_the_same_lists_are_not_worse() -> None:
    old = draw_hits(0)
    compared = compare_values(old, old, USERS, margin=0.05)
    assert compared.shown
    assert (compared.queries, compared.users) == (1_200, 300)
    assert compared.difference.mean == 0


def test_without_a_margin_the_same_lists_are_not_shown_to_be_better() -> None:
    old = draw_hits(0)
    assert compare_values(old, old, USERS, margin=0.0).p == 1


def test_lists_that_are_worse_by_more_than_the_margin_are_not_promoted() -> None:
    old = draw_hits(0)
    assert compare_values(old, 0.9 * old, USERS, margin=0.05).p == 1
    assert compare_values(old, 0.9 * old, USERS, margin=0.15).shown


def test_better_lists_are_shown_to_be_better() -> None:
    old = draw_hits(0)
    compared = compare_values(old, 1.1 * old, USERS, margin=0.0)
    assert compared.shown
    assert compared.difference.low > 0


def test_a_handful_of_users_shows_nothing() -> None:
    users = np.repeat(np.arange(4), 100)
    same = np.full(len(users), 0.5)
    assert not compare_values(same, same, users, margin=0.05).shown


def test_where_no_list_has_a_hit_nothing_is_shown() -> None:
    none = np.zeros(len(USERS))
    assert compare_values(none, none, USERS, margin=0.5).p == 1


def test_a_model_that_is_worse_by_just_the_margin_is_hardly_ever_promoted() -> None:
    """At the edge of the null hypothesis, the test errs in about one case of twenty."""
    margin, promoted = 0.1, 0
    for seed in range(100):
        old, other = draw_hits(seed), draw_hits(10_000 + seed)
        is_lost = np.random.default_rng(seed).random(len(USERS)) < 0.2
        new = np.where(is_lost, other * (1 - margin / 0.2), old)
        promoted += compare_values(old, new, USERS, margin, permutations=300).shown
    assert promoted / 100 < 0.1


def test_a_one_sided_p_is_half_of_the_two_sided_one_or_what_is_left() -> None:
    totals = np.random.default_rng(3).normal(0.1, 1, (100, 1))
    two, one, reverse = (
        permute_users(totals)[0],
        permute_users(totals, one_sided=True)[0],
        permute_users(-totals, one_sided=True)[0],
    )
    assert one == pytest.approx(two / 2, abs=0.01)
    assert one + reverse == pytest.approx(1, abs=0.01)


def test_two_saved_models_are_asked_the_same_with_the_histories_that_a_server_has(
    predictor: Predictor,
) -> None:
    rows = predictor.dataset.interactions()
    since = int(rows[TIMESTAMP][2_700])
    learned: Dataset = predictor.dataset.with_rows(rows.head(2_700))
    popular = Predictor(Popularity().fit(learned), learned)
    queries = find_queries(rows, since, 4.0)
    compared = compare_predictors(popular, predictor, rows, queries, margin=0.05)
    assert (
        compared.queries
        == len(queries)
        == rows.filter((rows["Rating"] >= 4) & (rows[TIMESTAMP] >= since)).height
    )
    again = compare_predictors(popular, popular, rows, queries, margin=0.05)
    assert again.old == again.new == compared.old
