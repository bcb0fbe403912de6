from unittest import mock

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, TIMESTAMP
from nextreel.models.base import Recommender
from nextreel.models.popularity import Popularity, PopularityConfig
from nextreel.testing import RecommenderConformance, tiny_dataset
from tests.frames import any_interactions, interactions

DAY = 86_400


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return Popularity()


class TestConformanceOfAWindow(RecommenderConformance):
    def make(self) -> Recommender:
        return Popularity(PopularityConfig(window_days=7))


def scores_at(
    rows: pl.DataFrame, timestamps: list[int], window_days: float | None = None
) -> dict[int, list[float]]:
    """Score of each MovieID at each moment."""
    dataset = Dataset.from_frames(rows)
    model = Popularity(PopularityConfig(window_days=window_days)).fit(dataset)
    moments = np.array(timestamps)
    scores = model.score(dataset.histories(np.zeros_like(moments), moments), moments)
    return dict(zip(dataset.movie_ids.tolist(), scores.T.tolist(), strict=True))


@given(
    any_interactions(), st.lists(st.integers(0, 13), min_size=1, max_size=8), st.sampled_from([1, 4, 2**18])
)
def test_the_score_is_the_number_of_earlier_interactions(
    rows: pl.DataFrame, timestamps: list[int], between_checkpoints: int
) -> None:
    with mock.patch("nextreel.models.popularity.EVENTS_BETWEEN_CHECKPOINTS", between_checkpoints):
        found = scores_at(rows, timestamps)
    for movie, scores in found.items():
        counts = [
            len(rows.filter((pl.col(MOVIE_ID) == movie) & (pl.col(TIMESTAMP) < moment)))
            for moment in timestamps
        ]
        assert scores == counts


def test_the_window_counts_from_its_first_second_up_to_the_query() -> None:
    rows = interactions((1, 0, 5, 0), (1, 1, 5, 1), (2, 1, 5, DAY), (3, 0, 5, DAY + 1))
    scores = scores_at(rows, [DAY + 1], window_days=1)
    assert {movie: int(score) for movie, (score,) in scores.items()} == {0: 0, 1: 2}


def test_older_interactions_break_ties_within_the_window() -> None:
    rows = interactions((1, 0, 5, 0), (1, 1, 5, 5 * DAY), (2, 0, 5, 5 * DAY))
    scores = scores_at(rows, [6 * DAY], window_days=2)
    assert scores[0] > scores[1]


@given(any_interactions(), st.integers(0, 13))
def test_a_fit_on_another_future_scores_the_same(rows: pl.DataFrame, timestamps: int) -> None:
    past = rows.filter(pl.col(TIMESTAMP) < timestamps)
    future = rows.filter(pl.col(TIMESTAMP) >= timestamps).with_columns(
        ((pl.col(MOVIE_ID) + 1) % 10).alias(MOVIE_ID)
    )
    before, after = scores_at(rows, [timestamps]), scores_at(pl.concat([past, future]), [timestamps])
    for movie in before.keys() & after.keys():
        assert before[movie] == after[movie]


def test_no_queries_have_no_scores() -> None:
    dataset = tiny_dataset()
    nobody = np.empty(0, dtype=np.int64)
    assert Popularity().fit(dataset).score(dataset.histories(nobody, nobody), nobody).shape == (
        0,
        dataset.n_movies,
    )
