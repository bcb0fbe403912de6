from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import FEW_QUERIES, Timeline
from nextreel.errors import ConfigError
from tests.frames import any_interactions, interactions


def history_of(dataset: Dataset, user_id: int, timestamp: int) -> list[tuple[int, float, int]]:
    """(MovieID, Rating, Timestamp) of one history."""
    histories = dataset.histories(np.array([user_id]), np.array([timestamp]))
    _, row = histories.rows()
    timeline = dataset.timeline
    return [
        (int(dataset.movie_ids[timeline.movies[i]]), float(timeline.ratings[i]), int(timeline.timestamps[i]))
        for i in row
    ]


def naive_history(rows: pl.DataFrame, user_id: int, timestamp: int) -> list[tuple[int, float, int]]:
    """The definition: filter, order by time and file, and let the later rating of a movie win."""
    before = rows.filter((pl.col(USER_ID) == user_id) & (pl.col(TIMESTAMP) < timestamp))
    ordered = before.sort(TIMESTAMP, maintain_order=True)
    latest = ordered.unique(MOVIE_ID, keep="last", maintain_order=True)
    return sorted(latest.select(MOVIE_ID, RATING, TIMESTAMP).rows(), key=lambda row: row[2])


@given(any_interactions(), st.integers(0, 6), st.integers(0, 13))
def test_a_history_is_what_a_naive_filter_finds(rows: pl.DataFrame, user_id: int, timestamp: int) -> None:
    history = history_of(Dataset.from_frames(rows), user_id, timestamp)
    assert sorted(history) == sorted(naive_history(rows, user_id, timestamp))
    assert [row[2] for row in history] == sorted(row[2] for row in history)


@given(any_interactions(), st.integers(1, 4))
def test_repeated_ratings_are_found_whatever_the_number_of_users_at_once(
    rows: pl.DataFrame, users_at_once: int
) -> None:
    expected = Dataset.from_frames(rows).timeline.superseded_by
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nextreel.data.timeline.USERS_AT_ONCE", users_at_once)
        found = Dataset.from_frames(rows).timeline.superseded_by
    np.testing.assert_array_equal(found, expected)


@given(any_interactions(), st.integers(0, 13), st.randoms())
def test_rows_at_or_after_the_timestamp_change_no_history(
    rows: pl.DataFrame, timestamp: int, random: Random
) -> None:
    future = pl.col(TIMESTAMP) >= timestamp
    past, later = rows.filter(~future), rows.filter(future)
    other_movies = [random.randrange(10) for _ in range(len(later))]
    other = pl.concat([past, later.with_columns(pl.Series(MOVIE_ID, other_movies, dtype=pl.Int64))])
    for user_id in range(6):
        assert history_of(Dataset.from_frames(rows), user_id, timestamp) == history_of(
            Dataset.from_frames(other), user_id, timestamp
        )


def test_a_row_in_the_querys_own_second_is_not_in_the_history() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 4, 100), (1, 11, 4, 101)))
    assert history_of(dataset, 1, 101) == [(10, 4, 100)]


def test_rows_of_one_second_keep_the_order_of_their_file() -> None:
    dataset = Dataset.from_frames(interactions((1, 12, 4, 100), (1, 10, 4, 100), (1, 11, 4, 100)))
    assert [movie for movie, _, _ in history_of(dataset, 1, 101)] == [12, 10, 11]


def test_a_later_rating_of_a_movie_wins_once_it_has_happened() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 2, 100), (1, 11, 3, 150), (1, 10, 5, 200)))
    assert history_of(dataset, 1, 200) == [(10, 2, 100), (11, 3, 150)]
    assert history_of(dataset, 1, 201) == [(11, 3, 150), (10, 5, 200)]


def test_the_later_row_of_a_file_wins_within_one_second() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 2, 100), (1, 10, 5, 100)))
    assert history_of(dataset, 1, 101) == [(10, 5, 100)]


def test_an_unknown_user_has_an_empty_history() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 4, 100)))
    assert history_of(dataset, 2, 1_000) == []


def test_the_last_rows_of_a_history_are_its_latest() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 4, 1), (1, 11, 4, 2), (1, 12, 4, 3)))
    _, row = dataset.histories(np.array([1]), np.array([9])).last(2).rows()
    assert dataset.movie_ids[dataset.timeline.movies[row]].tolist() == [11, 12]


def test_a_timeline_takes_sixteen_bytes_a_row() -> None:
    timeline = Dataset.from_frames(interactions((1, 10, 4, 1), (2, 11, 4, 2))).timeline
    assert (timeline.movies.itemsize, timeline.ratings.itemsize, timeline.timestamps.itemsize) == (4, 4, 8)


def test_renumbering_leaves_the_rows_of_unnumbered_movies_out() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 4, 1), (1, 11, 3, 2), (2, 10, 2, 3), (3, 12, 5, 4)))
    timeline = dataset.timeline.renumber(np.array([-1, 1, 0], dtype=np.int32))
    assert timeline.movies.tolist() == [1, 0]
    assert timeline.ratings.tolist() == [3.0, 5.0]
    assert timeline.as_of(np.array([1, 2, 3]), np.full(3, 9)).lengths.tolist() == [1, 0, 1]


def test_a_timeline_without_users_has_empty_histories() -> None:
    none = np.empty(0, dtype=np.int64)
    timeline = Timeline.from_rows(none, none, none.astype(np.float32), none, none)
    assert timeline.as_of(np.array([7]), np.array([100])).lengths.tolist() == [0]


@given(rows=any_interactions(), seconds=st.lists(st.integers(-5, 50), min_size=FEW_QUERIES + 1, max_size=12))
def test_a_batch_of_queries_gets_the_histories_of_single_queries(
    rows: pl.DataFrame, seconds: list[int]
) -> None:
    dataset = Dataset.from_frames(rows)
    users, timestamps = np.resize(dataset.user_ids, len(seconds)), np.array(seconds)
    together = dataset.histories(users, timestamps)
    alone = [dataset.histories(users[i : i + 1], timestamps[i : i + 1]) for i in range(len(seconds))]
    assert together.stops.tolist() == [int(histories.stops[0]) for histories in alone]


@given(any_interactions(), st.integers(0, 6), st.integers(0, 12))
def test_with_file_order_a_history_also_holds_its_own_second(
    rows: pl.DataFrame, user_id: int, timestamp: int
) -> None:
    dataset = Dataset.from_frames(rows)
    _, row = dataset.histories(np.array([user_id]), np.array([timestamp]), "file-order").rows()
    timeline = dataset.timeline
    found = [(int(dataset.movie_ids[timeline.movies[i]]), int(timeline.timestamps[i])) for i in row]
    expected = naive_history(rows, user_id, timestamp + 1)
    assert sorted(found) == sorted((movie, second) for movie, _, second in expected)


def test_a_rating_replaces_an_earlier_one_of_its_own_second_only_in_histories_that_hold_it() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 4, 100), (1, 11, 4, 100), (1, 10, 1, 100)))
    whole = dataset.histories(np.array([1]), np.array([100]), "file-order")
    assert whole.rows()[1].tolist() == [1, 2]
    assert whole.without_last(np.array([1])).rows()[1].tolist() == [0, 1]


def test_an_unknown_rule_for_ties_is_an_error() -> None:
    dataset = Dataset.from_frames(interactions((1, 10, 4, 100)))
    with pytest.raises(ConfigError, match="ties is 'lenient'; expected strict or file-order"):
        dataset.histories(np.array([1]), np.array([100]), "lenient")  # type: ignore[arg-type]
