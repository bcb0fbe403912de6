"""The filters, the split and the averages of "Time to Split", on data that are small enough to follow by hand."""

import numpy as np
import polars as pl
import pytest

from benchmarks.time_to_split import TargetSplit, evaluate_targets, filter_rows, summarize
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.tables import Tables
from nextreel.data.timeline import Ties
from nextreel.models.popularity import Popularity
from tests.frames import catalog, interactions

CORE = [(user, movie, 5.0, 10 * movie) for user in range(5) for movie in range(5)]
"""Five users with the same five movies: the smallest 5-core."""


def split_of(*rows: tuple[int, int, float, int]) -> TargetSplit:
    frame = interactions(*rows)
    return TargetSplit.of(Tables.check(frame, catalog(12), None), frame)


def test_a_5_core_stays_as_it_is() -> None:
    assert filter_rows(interactions(*CORE)).rows() == sorted(CORE)


def test_a_movie_with_four_rows_goes_and_then_a_user_whom_four_rows_are_left() -> None:
    others = [(9, movie, 5.0, 10 * movie) for movie in range(4)]
    rare = [(user, 7, 5.0, 99) for user in (0, 1, 2, 9)]
    assert filter_rows(interactions(*CORE, *others, *rare)).rows() == sorted(CORE)


def test_a_repeat_goes_and_the_first_of_both_rows_stays() -> None:
    assert filter_rows(interactions(*CORE, (0, 4, 1.0, 41))).rows() == sorted(CORE)


def test_a_repeat_that_is_not_consecutive_stays() -> None:
    again = (0, 0, 5.0, 99)
    assert again in filter_rows(interactions(*CORE, again)).rows()


def test_rows_that_become_consecutive_repeats_when_a_rare_movie_goes_are_dropped_too() -> None:
    between, again = (0, 8, 5.0, 41), (0, 4, 5.0, 42)
    assert filter_rows(interactions(*CORE, between, again)).rows() == sorted(CORE)


def test_repeats_are_those_of_a_stable_sort_by_time() -> None:
    first, second = (0, 3, 5.0, 40), (0, 4, 5.0, 40)  # behind movie 4 of the same second
    assert filter_rows(interactions(*CORE, first, second)).filter(pl.col(USER_ID) == 0)[
        MOVIE_ID
    ].to_list() == [0, 1, 2, 3, 4, 3, 4]


def test_the_split_is_at_the_quantile_and_its_own_second_is_learned() -> None:
    split = split_of(*((1, movie % 9, 5.0, movie) for movie in range(11)))
    assert split.train[TIMESTAMP].to_list() == list(range(10))
    assert split.targets[TIMESTAMP].to_list() == [10]


def test_a_user_with_one_row_before_the_split_is_not_learned_but_has_it_in_the_history() -> None:
    early = [(1, movie % 9, 5.0, movie) for movie in range(18)]
    split = split_of(*early, (2, 0, 5.0, 3), (2, 1, 5.0, 99))
    assert split.train.filter(pl.col(USER_ID) == 2).is_empty()
    assert split.known.filter(pl.col(USER_ID) == 2)[MOVIE_ID].to_list() == [0]
    assert split.targets.filter(pl.col(USER_ID) == 2)[MOVIE_ID].to_list() == [1]


def test_the_first_row_of_a_new_user_is_known_and_no_target() -> None:
    early = [(1, movie % 9, 5.0, movie) for movie in range(30)]
    split = split_of(*early, (2, 3, 5.0, 98), (2, 4, 1.0, 99), (3, 4, 5.0, 99))
    assert split.targets.filter(pl.col(USER_ID) > 1).rows() == [(2, 4, 1.0, 99)]
    assert sorted(split.known.filter(pl.col(USER_ID) > 1)[MOVIE_ID]) == [3, 4]


@pytest.mark.parametrize(("ties", "rank"), [("file-order", 1), ("strict", 2)])
def test_a_target_sees_the_row_before_it_in_its_second_with_file_order_only(ties: Ties, rank: int) -> None:
    early = [(1, movie % 10, 5.0, movie) for movie in range(30)]
    split = split_of(*early, (1, 10, 5.0, 99), (1, 11, 5.0, 99))
    model = Popularity().fit(split.dataset(split.train))
    # Movie 11 ranks behind movie 10, which is as unpopular, unless that one is seen.
    result = evaluate_targets(model, split, ties)
    assert (result["protocol"]["ties"], result["last"]["MRR@10"]["mean"]) == (ties, 1 / rank)


def test_both_averages_and_the_last_targets() -> None:
    figures = summarize(ranks=np.array([1, 0, 0, 3, 1]), users=np.array([7, 8, 7, 7, 8]))
    assert figures["successive_global"]["Recall@10"].mean == pytest.approx(3 / 5)
    assert figures["successive_by_user"]["Recall@10"].mean == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert figures["last"]["Recall@10"].mean == 1
    assert figures["successive_global"]["NDCG@10"].mean == pytest.approx((1 + 0.5 + 1) / 5)
    assert figures["successive_by_user"]["NDCG@10"].mean == pytest.approx((1.5 / 3 + 1 / 2) / 2)
    assert figures["last"]["NDCG@10"].mean == pytest.approx((0.5 + 1) / 2)
