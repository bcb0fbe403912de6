from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_info

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, USER_ID
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.models.ease import EASE
from nextreel.models.item_knn import ItemKNN
from nextreel.models.popularity import Popularity
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.explanations import EXPLAINED, MovieContribution, explain
from nextreel.testing.conformance import tiny_dataset
from tests.frames import catalog, interactions

DATASET = tiny_dataset()
SMALL = SequentialRidgeConfig(dimensions=8, hidden=16, rank=8, regularization=5.0)
USER = 7 * int(np.argmax(np.diff(DATASET.timeline.offsets)))
LATER = DATASET.timeline.timestamps[DATASET.timeline.offsets[[USER // 7 + 1]] - 1] + 1


@pytest.fixture(
    scope="module", params=[SequentialRidge(SMALL), EASE(), ItemKNN()], ids=lambda m: type(m).__name__
)
def model(request: pytest.FixtureRequest) -> Recommender:
    fitted: Recommender = request.param.fit(DATASET)
    return fitted


def score(model: Recommender, dataset: Dataset, user_id: int = USER) -> Float32Array:
    scores: Float32Array = model.score(dataset.histories(np.array([user_id]), LATER), LATER)[0]
    return scores


def reasons_for(
    model: Recommender, dataset: Dataset, movie: int, user_id: int = USER
) -> list[MovieContribution]:
    (reasons,) = explain(model, dataset.histories(np.array([user_id]), LATER), LATER, np.array([movie]))
    return reasons


def without(dataset: Dataset, movie: int, user_id: int = USER) -> Dataset:
    """The dataset as if the user had never rated the movie."""
    rated = (pl.col(USER_ID) == user_id) & (pl.col(MOVIE_ID) == int(dataset.movie_ids[movie]))
    return dataset.with_interactions(dataset.interactions().filter(~rated))


def test_without_the_strongest_reason_the_score_falls_by_its_contribution(model: Recommender) -> None:
    recommended = int(
        Predictor(model, DATASET)
        .ranker.rank(DATASET.histories(np.array([USER]), LATER), LATER, 1)
        .movies[0, 0]
    )
    strongest = reasons_for(model, DATASET, recommended)[0]
    fall = score(model, DATASET)[recommended] - score(model, without(DATASET, strongest.movie))[recommended]
    assert strongest.contribution > 0
    assert strongest.contribution == pytest.approx(float(fall), abs=1e-6)


def test_every_contribution_is_the_change_of_the_score_without_the_movie(model: Recommender) -> None:
    with_all = score(model, DATASET)
    for reason in reasons_for(model, DATASET, 11):
        change = with_all[11] - score(model, without(DATASET, reason.movie))[11]
        assert reason.contribution == pytest.approx(float(change), abs=1e-6)


def test_reasons_are_the_movies_of_the_history_the_strongest_support_first(model: Recommender) -> None:
    reasons = reasons_for(model, DATASET, 11)
    contributions = [reason.contribution for reason in reasons]
    assert contributions == sorted(contributions, reverse=True)
    _, rows = DATASET.histories(np.array([USER]), LATER).rows()
    assert sorted(reason.row for reason in reasons) == rows.tolist()
    assert all(DATASET.timeline.movies[reason.row] == reason.movie for reason in reasons)


def test_every_recommended_movie_has_its_own_reasons(model: Recommender) -> None:
    histories = DATASET.histories(np.array([USER]), LATER)
    together = explain(model, histories, LATER, np.array([3, 11]))
    assert together == [reasons_for(model, DATASET, 3), reasons_for(model, DATASET, 11)]


def test_a_later_interaction_is_no_reason(model: Recommender) -> None:
    timeline = DATASET.timeline
    row = int(timeline.offsets[USER // 7]) + 3
    timestamps = timeline.timestamps[row : row + 1]
    (reasons,) = explain(model, DATASET.histories(np.array([USER]), timestamps), timestamps, np.array([11]))
    assert {int(timeline.timestamps[reason.row]) < timestamps[0] for reason in reasons} == {True}


RATED_AGAIN = Dataset.from_frames(
    interactions(
        (1, 0, 5, 10), (1, 1, 4, 20), (1, 0, 2, 30), (2, 0, 5, 10), (2, 2, 5, 11), (3, 1, 4, 5), (3, 2, 4, 6)
    ),
    catalog(4),
)


def test_a_movie_that_was_rated_twice_is_one_reason_and_left_out_altogether() -> None:
    model = ItemKNN().fit(RATED_AGAIN)
    reasons = {reason.movie: reason for reason in reasons_for(model, RATED_AGAIN, 2, user_id=1)}
    assert set(reasons) == {0, 1}
    assert RATED_AGAIN.timeline.timestamps[reasons[0].row] == 30
    without_it = score(model, without(RATED_AGAIN, 0, user_id=1), user_id=1)[2]
    fall = float(score(model, RATED_AGAIN, user_id=1)[2] - without_it)
    assert reasons[0].contribution == pytest.approx(fall, abs=1e-6)


def test_the_contribution_of_an_only_movie_is_the_difference_to_an_empty_history() -> None:
    model = ItemKNN().fit(RATED_AGAIN)
    timestamps = np.array([20])
    (reasons,) = explain(model, RATED_AGAIN.histories(np.array([1]), timestamps), timestamps, np.array([2]))
    without_history = model.score(RATED_AGAIN.histories(np.array([9]), timestamps), timestamps)[0, 2]
    with_history = model.score(RATED_AGAIN.histories(np.array([1]), timestamps), timestamps)[0, 2]
    assert [reason.contribution for reason in reasons] == [
        pytest.approx(float(with_history - without_history))
    ]


def test_a_user_without_a_history_gets_no_reasons() -> None:
    assert reasons_for(ItemKNN().fit(RATED_AGAIN), RATED_AGAIN, 2, user_id=9) == []


def test_a_model_that_knows_no_movie_of_the_history_gives_no_reasons() -> None:
    nobody_rated_it = without(without(RATED_AGAIN, 1, user_id=1), 1, user_id=3)
    model = SequentialRidge(SMALL).fit(nobody_rated_it)
    only_unknown = without(without(RATED_AGAIN, 0, user_id=1), 2, user_id=1)
    assert reasons_for(model, only_unknown, 2, user_id=1) == []


def test_reasons_contribute_nothing_to_a_model_that_ignores_histories() -> None:
    reasons = reasons_for(Popularity().fit(DATASET), DATASET, 11)
    assert {reason.contribution for reason in reasons} == {0.0}


class Watched(Popularity):
    """Notes in how many threads the libraries of matrix products compute while it scores."""

    threads: ClassVar[list[int]] = []

    def score_movies(self, histories: Histories, timestamps: Int64Array, movies: Int64Array) -> Float32Array:
        blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
        self.threads.extend(library["num_threads"] for library in blas)
        return super().score_movies(histories, timestamps, movies)


def test_an_explanation_is_computed_in_one_thread() -> None:
    reasons_for(Watched().fit(DATASET), DATASET, 11)
    assert set(Watched.threads) == {1}


def test_only_the_latest_movies_of_a_long_history_are_reasons() -> None:
    rows = interactions(*((1, movie, 5, movie) for movie in range(EXPLAINED + 5)))
    dataset = Dataset.from_frames(rows)
    reasons = reasons_for(Popularity().fit(dataset), dataset, 0, user_id=1)
    assert {reason.movie for reason in reasons} == set(range(5, EXPLAINED + 5))


def test_more_than_one_query_is_refused() -> None:
    histories = DATASET.histories(np.array([0, 7]), np.repeat(LATER, 2))
    with pytest.raises(QueryError, match="2 queries to explain; expected one"):
        explain(Popularity().fit(DATASET), histories, np.repeat(LATER, 2), np.array([0]))


def test_fewer_reasons_can_be_computed_and_their_contributions_stay(model: Recommender) -> None:
    histories = DATASET.histories(np.array([USER]), LATER)
    (all_reasons,), (latest_reasons,) = (
        explain(model, histories, LATER, np.array([11]), latest) for latest in (200, 3)
    )
    _, rows = histories.rows()
    assert sorted(reason.row for reason in latest_reasons) == rows[-3:].tolist()
    expected = {reason.row: reason.contribution for reason in all_reasons}
    for reason in latest_reasons:
        assert reason.contribution == pytest.approx(expected[reason.row], abs=1e-6)
