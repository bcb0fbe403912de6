import numpy as np
import pytest

from nextreel.data.times import DAY
from nextreel.errors import QueryError
from nextreel.evaluation.own_backtest import LEAST_HISTORY, MOST_A_DAY, backtest_history
from nextreel.models.popularity import Popularity
from nextreel.prediction.own_history import OwnHistory
from nextreel.prediction.predictor import Predictor
from nextreel.testing.conformance import tiny_dataset

DATASET = tiny_dataset()
POPULARITY = Predictor(Popularity().fit(DATASET), DATASET)
START = 10_000 * DAY


def watched(movies: list[int], days: list[int]) -> OwnHistory:
    """A history of movies, by index, on these days."""
    seconds = [START + day * DAY + place for place, day in enumerate(days)]
    return OwnHistory(
        np.array(movies, dtype=np.int32),
        np.full(len(movies), 4, dtype=np.float32),
        np.array(seconds),
        DATASET.scale,
    )


def most_popular(n: int) -> list[int]:
    listed = POPULARITY.recommend([99_999], k=n, at=START)["MovieID"].to_numpy()
    return [int(movie) for movie in DATASET.index_of_movies(listed)]


def test_a_movie_that_was_recommended_on_its_day_is_a_hit() -> None:
    first, *_, last = most_popular(60)
    seen = [movie for movie in range(60) if movie not in (first, last)][:LEAST_HISTORY]
    result = backtest_history(POPULARITY, watched([*seen, first, last], [0, 1, 2, 3, 4, 10, 11]))
    assert [film.rank for film in result.films] == [1, 0]
    assert result.hit_rate.mean == 0.5
    assert result.n_days == 2


def test_a_movie_watched_again_is_asked_about_once() -> None:
    seen = most_popular(7)
    result = backtest_history(POPULARITY, watched([*seen, seen[0]], [0, 1, 2, 3, 4, 5, 6, 7]))
    assert [film.movie for film in result.films] == seen[LEAST_HISTORY:]


def test_the_movies_of_one_day_do_not_know_each_other() -> None:
    best = most_popular(8)
    result = backtest_history(POPULARITY, watched(best, [0, 1, 2, 3, 4, 9, 9, 9]))
    assert [film.rank for film in result.films] == [1, 2, 3]


def test_a_day_on_which_many_movies_were_marked_is_left_out() -> None:
    days = [0] * (MOST_A_DAY + 1) + [5]
    result = backtest_history(POPULARITY, watched(list(range(MOST_A_DAY + 2)), days))
    assert (result.n_marked, len(result.films)) == (MOST_A_DAY + 1, 1)


def test_popularity_is_no_better_than_itself() -> None:
    result = backtest_history(POPULARITY, watched(list(range(20)), list(range(20))))
    assert result.hit_rate == result.popularity


def test_a_history_without_days_to_ask_about_is_an_error() -> None:
    with pytest.raises(QueryError, match="this history has 3 movies on 3 days"):
        backtest_history(POPULARITY, watched([1, 2, 3], [0, 1, 2]))
