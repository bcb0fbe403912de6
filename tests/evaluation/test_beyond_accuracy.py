import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.evaluation.beyond_accuracy import ListFigures, ListMeasurer, gini
from nextreel.evaluation.bootstrap import UserBootstrap
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.evaluation.rater_counts import count_raters
from tests.frames import catalog, interactions

# Three users; movie 0 is rated by all of them, movie 1 by one, movie 2 by none, movie 3 only late.
TRAIN = interactions((1, 0, 5, 1), (2, 0, 5, 2), (3, 0, 4, 3), (3, 1, 4, 4), (2, 3, 5, 50))
TEST = interactions((1, 1, 5, 10), (2, 1, 5, 10))


def movies_of(*genres: str) -> pl.DataFrame:
    return catalog(len(genres)).with_columns(Genres=pl.Series(genres))


def describe(lists: list[list[int]], movies: pl.DataFrame, train: pl.DataFrame = TRAIN) -> ListFigures:
    queries = EvaluationQueries.from_split(Dataset.from_frames(train, movies), TEST, "frozen")
    return ListMeasurer.of(queries).describe(np.array(lists, dtype=np.int32), UserBootstrap(queries.users))


def test_novelty_is_the_self_information_of_the_share_who_had_rated_a_movie_by_then() -> None:
    figures = describe([[0, 1], [0, 1]], catalog(4))
    expected = (-np.log2(4 / 4) - np.log2(2 / 4)) / 2
    assert figures.by_query["novelty"].mean == pytest.approx(expected)


def test_popularity_is_the_mean_share_who_had_rated_a_movie_by_then() -> None:
    figures = describe([[0, 1], [0, 2]], catalog(4))
    assert figures.by_query["popularity"].mean == pytest.approx(((1 + 1 / 3) / 2 + 1 / 2) / 2)


def test_ratings_at_the_query_and_later_make_no_movie_popular() -> None:
    timeline = Dataset.from_frames(TRAIN, catalog(4)).timeline
    raters, users = count_raters(timeline, np.array([3, 3, 0]), np.array([50, 51, 3]))
    assert (raters.tolist(), users.tolist()) == ([0, 1, 2], [3, 3, 2])


def test_a_user_who_rates_a_movie_again_counts_once() -> None:
    timeline = Dataset.from_frames(
        interactions((1, 0, 5, 1), (1, 0, 3, 2), (1, 0, 4, 3)), catalog(1)
    ).timeline
    raters, _ = count_raters(timeline, np.array([0]), np.array([10]))
    assert raters.tolist() == [1]


def test_lists_of_one_genre_have_no_variety_and_lists_of_distinct_genres_have_all() -> None:
    movies = movies_of("Drama", "Drama", "War", "Comedy")
    assert describe([[0, 1], [0, 1]], movies).by_query["variety"].mean == pytest.approx(0)
    assert describe([[0, 2], [2, 3]], movies).by_query["variety"].mean == pytest.approx(1)


def test_a_list_with_the_genres_that_the_user_liked_is_calibrated() -> None:
    movies = movies_of("Drama", "Drama", "War", "Drama")
    assert describe([[0, 1], [0, 1]], movies).by_query["miscalibration"].mean == pytest.approx(0)


def test_a_list_without_any_of_them_is_away_by_the_log_of_the_share_mixed_in() -> None:
    movies = movies_of("Drama", "Drama", "War", "Drama")
    assert describe([[2, 2], [2, 2]], movies).by_query["miscalibration"].mean == pytest.approx(np.log(100))


def test_users_who_liked_nothing_are_left_out_of_calibration() -> None:
    train = interactions((1, 0, 5, 1), (2, 0, 2, 2), (3, 1, 4, 4))
    movies = movies_of("Drama", "Drama", "War", "Drama")
    figures = describe([[0, 1], [2, 2]], movies, train)
    assert figures.by_query["miscalibration"].mean == pytest.approx(0)


def test_a_catalog_without_genres_has_neither_variety_nor_calibration() -> None:
    assert set(describe([[0, 1], [0, 1]], movies_of("", "", "", "")).by_query) == {"novelty", "popularity"}


def test_lists_of_one_movie_have_no_variety() -> None:
    assert "variety" not in describe([[0], [1]], catalog(4)).by_query


def test_coverage_is_the_share_of_the_catalog_in_any_list() -> None:
    assert describe([[0, 1], [0, 1]], catalog(4)).overall["coverage"] == 0.5


def test_recommending_all_movies_evenly_has_a_gini_of_zero_and_one_movie_alone_nearly_one() -> None:
    assert gini(np.full(10, 7)) == pytest.approx(0)
    assert gini(np.array([0] * 99 + [50])) == pytest.approx(0.99)


def test_gini_is_half_the_mean_difference_of_two_movies_over_the_mean() -> None:
    times = np.array([1, 2, 3, 10])
    assert gini(times) == pytest.approx(np.abs(times[:, None] - times).mean() / (2 * times.mean()))


def test_where_nothing_was_recommended_nothing_is_unequal() -> None:
    assert gini(np.zeros(5, dtype=np.int64)) == 0.0


def test_a_list_of_one_movie_has_no_variety() -> None:
    movies = movies_of("Drama", "Drama", "Comedy", "Comedy")
    assert "variety" in describe([[0, 1], [0, 2]], movies).by_query
    assert "variety" not in describe([[0], [1]], movies).by_query
