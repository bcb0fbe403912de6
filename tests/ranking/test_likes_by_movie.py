import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER
from nextreel.ranking.likes_by_movie import LikesByMovie
from tests.frames import any_interactions, interactions


@given(any_interactions(), st.integers(0, 13))
def test_the_index_finds_what_a_pass_over_all_rows_finds(rows: pl.DataFrame, timestamp: int) -> None:
    dataset = Dataset.from_frames(rows)
    timeline, n_movies = dataset.timeline, dataset.n_movies + 1  # one movie that has come later
    superseded_by = timeline.superseded_by
    until = np.append(timeline.timestamps, NEVER)[len(timeline) if superseded_by is None else superseded_by]
    stands = (timeline.timestamps < timestamp) & timeline.is_positive() & (until >= timestamp)
    likes = LikesByMovie.of(timeline)
    expected = np.bincount(timeline.movies[stands], minlength=n_movies)
    assert likes.count(timestamp, n_movies).tolist() == expected.tolist()
    for movie in range(n_movies):
        users = timeline.users[stands & (timeline.movies == movie)]
        assert sorted(likes.find_likers(movie, timestamp)) == timeline.user_ids[users].tolist()


def test_users_come_in_the_order_of_their_likes() -> None:
    rows = interactions((1, 0, 5, 30), (2, 0, 5, 10), (3, 0, 5, 20), (4, 0, 1, 5))
    likes = LikesByMovie.of(Dataset.from_frames(rows).timeline)
    assert likes.find_likers(0, 31).tolist() == [2, 3, 1]
