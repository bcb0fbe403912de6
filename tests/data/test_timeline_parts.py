"""What is derived from a timeline: other orders, fewer rows and users, and parts of histories."""

import numpy as np
import pytest

from nextreel.arrays import Int64Array
from nextreel.data.rating_scale import STARS
from nextreel.data.timeline import NEVER, Timeline

RANDOM = np.random.default_rng(2)
N_ROWS, N_USERS = 60, 9
USERS, MOVIES = RANDOM.integers(1, N_USERS - 1, size=N_ROWS), RANDOM.integers(8, size=N_ROWS)
RATINGS = RANDOM.integers(1, 6, size=N_ROWS).astype(np.float64)
TIMESTAMPS = RANDOM.integers(20, size=N_ROWS)
USER_IDS = np.arange(N_USERS) * 10 + 5
TIMELINE = Timeline.from_rows(USERS, MOVIES, RATINGS, TIMESTAMPS, USER_IDS)
"""Users 0 and 8, at both ends, have no rows."""

Row = tuple[int, int, float, int]
"""UserID, movie, rating, and timestamp."""


def rows_of(timeline: Timeline) -> list[Row]:
    users = timeline.user_ids[timeline.users]
    columns = (users, timeline.movies, timeline.ratings, timeline.timestamps)
    return [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def expected_rows() -> list[Row]:
    order = sorted(range(N_ROWS), key=lambda row: (USERS[row], TIMESTAMPS[row]))
    columns = (USER_IDS[USERS], MOVIES, RATINGS, TIMESTAMPS)
    return [tuple(column[row].item() for column in columns) for row in order]


def assert_consistent(timeline: Timeline) -> None:
    assert len(timeline.offsets) == timeline.n_users + 1
    assert (timeline.offsets[0], timeline.offsets[-1]) == (0, len(timeline))
    assert (np.diff(timeline.offsets) >= 0).all()


def test_rows_are_sorted_by_user_then_by_time_then_as_they_came() -> None:
    assert rows_of(TIMELINE) == expected_rows()
    assert (TIMELINE.n_users, len(TIMELINE)) == (N_USERS, N_ROWS)
    assert_consistent(TIMELINE)


def test_in_order_of_time_rows_of_one_second_keep_the_order_of_their_users() -> None:
    expected = sorted(range(N_ROWS), key=lambda row: TIMELINE.timestamps[row])
    assert TIMELINE.by_time.timestamps.tolist() == TIMELINE.timestamps[expected].tolist()
    assert TIMELINE.by_time.movies.tolist() == TIMELINE.movies[expected].tolist()


def superseding_row(row: int) -> int:
    """The next row of the same user and movie, or the number of rows."""
    same = (TIMELINE.users == TIMELINE.users[row]) & (TIMELINE.movies == TIMELINE.movies[row])
    later = np.flatnonzero(same[row + 1 :])
    return int(row + 1 + later[0]) if len(later) else N_ROWS


def test_a_row_is_superseded_by_the_next_one_of_its_user_and_movie() -> None:
    assert TIMELINE.superseded_by is not None
    assert TIMELINE.superseded_by.tolist() == [superseding_row(row) for row in range(N_ROWS)]


@pytest.mark.parametrize("timestamp", [0, 7, 15, 19, 20])
def test_a_row_counts_as_superseded_only_after_that_has_happened(timestamp: int) -> None:
    expected = []
    for row in range(N_ROWS):
        later = superseding_row(row)
        expected.append(later < N_ROWS and TIMELINE.timestamps[later] < timestamp)
    assert TIMELINE.is_superseded(np.arange(N_ROWS), timestamp).tolist() == expected
    assert TIMELINE.is_superseded(np.array([5, 3]), timestamp).tolist() == [expected[5], expected[3]]


def test_where_nobody_rated_a_movie_twice_nothing_is_superseded() -> None:
    once = Timeline.from_rows(np.arange(3), np.arange(3), np.ones(3), np.arange(3), np.arange(3))
    assert once.superseded_by is None
    assert once.is_superseded(np.arange(3), NEVER).tolist() == [False] * 3


def test_a_rating_from_the_threshold_on_is_a_positive() -> None:
    assert TIMELINE.positive_rating == STARS.liked_from == 4
    assert TIMELINE.is_positive().tolist() == (TIMELINE.ratings >= 4).tolist()
    assert TIMELINE.is_positive(np.array([4, 2])).tolist() == (TIMELINE.ratings[[4, 2]] >= 4).tolist()


def test_only_marked_rows_are_kept_and_all_users() -> None:
    kept = RANDOM.random(N_ROWS) < 0.5
    timeline = TIMELINE.keep(kept)
    assert rows_of(timeline) == [row for row, is_kept in zip(expected_rows(), kept, strict=True) if is_kept]
    assert timeline.user_ids.tolist() == USER_IDS.tolist()
    assert_consistent(timeline)


def test_users_without_rows_are_left_out() -> None:
    timeline = TIMELINE.only_users_with_rows()
    assert timeline.user_ids.tolist() == sorted(set(USER_IDS[USERS].tolist()))
    assert rows_of(timeline) == expected_rows()
    assert_consistent(timeline)
    assert timeline.by_time is TIMELINE.by_time, "computed before"
    assert timeline.superseded_by is TIMELINE.superseded_by
    assert timeline.only_users_with_rows() is timeline


def test_users_are_left_out_with_their_rows() -> None:
    gone = USER_IDS[[0, 3, 5]]
    timeline = TIMELINE.without_users(np.append(gone, 1_000))
    assert timeline.user_ids.tolist() == [user for user in USER_IDS.tolist() if user not in gone]
    assert rows_of(timeline) == [row for row in expected_rows() if row[0] not in gone]
    assert_consistent(timeline)


def cut(user: int, timestamp: int) -> list[int]:
    """The rows of a user before a timestamp."""
    return np.flatnonzero((TIMELINE.users == user) & (TIMELINE.timestamps < timestamp)).tolist()


@pytest.mark.parametrize("n_queries", [1, 4, 5, 40])
@pytest.mark.parametrize("ties", ["strict", "file-order"])
def test_the_slices_of_histories_end_before_the_timestamp(n_queries: int, ties: str) -> None:
    users = np.resize(np.arange(N_USERS), n_queries)
    timestamps: Int64Array = RANDOM.integers(-2, 24, size=n_queries)
    histories = TIMELINE.as_of(USER_IDS[users], timestamps, ties)  # type: ignore[arg-type]
    until = timestamps + (ties == "file-order")
    assert histories.as_of.tolist() == until.tolist()
    assert histories.user_ids.tolist() == USER_IDS[users].tolist()
    for query in range(n_queries):
        rows = range(histories.starts[query], histories.stops[query])
        assert list(rows) == cut(int(users[query]), int(until[query]))


def test_parts_of_histories_are_taken_by_query() -> None:
    timestamps = np.array([5, 20, 12, 9, 30])
    histories = TIMELINE.as_of(USER_IDS[:5], timestamps)
    for chosen in (np.array([3, 1]), np.array([False, True, False, True, False]), slice(1, 4)):
        part = histories[chosen]
        for name in ("user_ids", "starts", "stops", "as_of"):
            assert getattr(part, name).tolist() == getattr(histories, name)[chosen].tolist()
        assert len(part) == len(part.starts)


def test_kept_rows_of_histories_are_a_timeline_of_their_own() -> None:
    histories = TIMELINE.as_of(USER_IDS[[4, 0, 2]], np.array([20, 20, 15]))
    query, row = histories.rows()
    chosen = np.arange(len(row)) % 3 != 1
    kept = histories.keep(query[chosen], row[chosen])
    found_query, found_row = kept.rows()
    assert found_query.tolist() == query[chosen].tolist()
    for name in ("movies", "ratings", "timestamps"):
        of_rows = getattr(TIMELINE, name)[row[chosen]]
        assert getattr(kept.timeline, name)[found_row].tolist() == of_rows.tolist()
    assert kept.lengths.tolist() == np.bincount(query[chosen], minlength=3).tolist()
    assert kept.as_of.tolist() == histories.as_of.tolist()
    assert kept.timeline.user_ids.tolist() == [0, 1, 2]
    assert_consistent(kept.timeline)


def test_kept_rows_repeat_no_movie_where_no_row_does() -> None:
    once = Timeline.from_rows(
        np.repeat([0, 1], 4), np.tile(np.arange(4), 2), RATINGS[:8], TIMESTAMPS[:8], USER_IDS
    )
    histories = once.as_of(USER_IDS[[1, 0, 1]], np.full(3, NEVER))
    query, row = histories.rows()
    kept = histories.keep(query[::2], row[::2]).timeline
    assert kept.superseded_by is None
    again = Timeline.from_rows(kept.users, kept.movies, kept.ratings, kept.timestamps, kept.user_ids)
    assert again.superseded_by is None


@pytest.mark.parametrize("n", [1, 3, 100])
def test_the_latest_rows_of_each_history(n: int) -> None:
    histories = TIMELINE.as_of(USER_IDS, np.full(N_USERS, 15))
    assert histories.last(n).lengths.tolist() == np.minimum(histories.lengths, n).tolist()
    assert histories.last(n).stops.tolist() == histories.stops.tolist()
    without = histories.without_last(np.minimum(histories.lengths, n))
    assert without.lengths.tolist() == np.maximum(histories.lengths - n, 0).tolist()
    assert without.starts.tolist() == histories.starts.tolist()
