import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.models.base import Recommender
from nextreel.models.next_choices import NextChoices, NextChoicesConfig
from nextreel.models.popularity import Popularity
from nextreel.testing import RecommenderConformance
from tests.frames import any_interactions, interactions

NOBODY = 999


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return NextChoices()


def scores_at(
    rows: pl.DataFrame, timestamps: int, first: int, user: int = NOBODY, prior: float = 0.01
) -> dict[int, float]:
    """Score of each MovieID for a user at a moment."""
    dataset = Dataset.from_frames(rows)
    model = NextChoices(NextChoicesConfig(first=first, prior=prior)).fit(dataset)
    moment = np.array([timestamps])
    scores = model.score(dataset.histories(np.array([user]), moment), moment)[0]
    return dict(zip(dataset.movie_ids.tolist(), scores.tolist(), strict=True))


def test_for_an_empty_history_only_the_first_choices_of_each_user_count() -> None:
    rows = interactions(
        (1, 10, 5, 0), (1, 20, 5, 1), (2, 10, 5, 2), (2, 30, 5, 3), (3, 20, 5, 4), (3, 10, 5, 5)
    )
    scores = scores_at(rows, timestamps=9, first=1)
    assert {movie: int(score) for movie, score in scores.items()} == {10: 2, 20: 1, 30: 0}


def test_after_n_choices_those_that_follow_the_nth_count() -> None:
    rows = interactions(
        (1, 10, 5, 0),
        (1, 20, 5, 1),
        (1, 30, 5, 2),
        (1, 40, 5, 3),
        (2, 10, 5, 4),
        (2, 20, 5, 5),
        (3, 40, 5, 6),
    )
    scores = scores_at(rows, timestamps=9, first=1, user=3)
    assert {movie: int(score) for movie, score in scores.items()} == {10: 0, 20: 2, 30: 1, 40: 0}


def test_all_interactions_break_ties() -> None:
    rows = interactions(
        (1, 10, 5, 0), (2, 20, 5, 1), (2, 30, 5, 2), (1, 30, 5, 3), (3, 40, 5, 4), (3, 20, 5, 5)
    )
    scores = scores_at(rows, timestamps=9, first=1)
    assert scores[20] > scores[10] > scores[30] > 0


def test_while_few_choices_were_seen_popularity_decides() -> None:
    rows = interactions((1, 10, 5, 0), (1, 20, 5, 1), (2, 30, 5, 2), (2, 20, 5, 3))
    scores = scores_at(rows, timestamps=9, first=1, prior=100)
    assert scores == {10: 1 + 25, 20: 50, 30: 1 + 25}


def test_a_choice_at_the_very_moment_does_not_count() -> None:
    rows = interactions((1, 10, 5, 0), (2, 20, 5, 7))
    assert scores_at(rows, timestamps=7, first=8)[20] == 0


def test_in_one_second_the_order_of_the_file_says_what_came_first() -> None:
    rows = interactions((1, 20, 5, 0), (1, 10, 5, 0))
    scores = scores_at(rows, timestamps=9, first=1)
    assert scores[20] > 1 > scores[10]


@given(any_interactions(), st.integers(0, 13))
def test_with_every_choice_a_first_one_it_counts_as_popularity(rows: pl.DataFrame, timestamps: int) -> None:
    dataset, moment = Dataset.from_frames(rows), np.array([timestamps])
    popular = Popularity().fit(dataset).score(dataset.histories(np.array([NOBODY]), moment), moment)[0]
    scores = np.array(list(scores_at(rows, timestamps, first=len(rows)).values()))
    np.testing.assert_array_equal(np.floor(scores), popular)


@given(any_interactions(), st.integers(0, 13), st.integers(0, 5))
def test_another_future_changes_nothing(rows: pl.DataFrame, timestamps: int, user: int) -> None:
    past = rows.filter(pl.col(TIMESTAMP) < timestamps)
    future = rows.filter(pl.col(TIMESTAMP) >= timestamps).with_columns((pl.col(USER_ID) + 1) % 6)
    before, after = (
        scores_at(each, timestamps, first=2, user=user) for each in (rows, pl.concat([past, future]))
    )
    assert before == after
