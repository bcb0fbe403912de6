"""Recent popularity counts the 30 days before the query's day, and nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.times import DAY
from nextreel.models.recent_popularity import RECENT_DAYS, RecentPopularity

N_MOVIES = 4
EVENTS = st.lists(st.tuples(st.integers(0, 3 * RECENT_DAYS * DAY), st.integers(0, N_MOVIES - 1)), max_size=40)


def make(events: list[tuple[int, int]]) -> RecentPopularity:
    ordered = sorted(events)
    days = np.array([time // DAY for time, _ in ordered], dtype=np.int32)
    return RecentPopularity(days, np.array([movie for _, movie in ordered], dtype=np.int32), N_MOVIES)


@given(events=EVENTS, times=st.lists(st.integers(0, 4 * RECENT_DAYS * DAY), max_size=6))
def test_it_counts_the_days_before_the_day_of_the_query(
    events: list[tuple[int, int]], times: list[int]
) -> None:
    scores = make(events).at(np.array(times, dtype=np.int64))
    assert scores.shape == (len(times), N_MOVIES)
    for time, row in zip(times, scores, strict=True):
        before = time // DAY * DAY
        counts = [0] * N_MOVIES
        for event, movie in events:
            counts[movie] += before - RECENT_DAYS * DAY <= event < before
        np.testing.assert_allclose(row, np.log1p(counts), rtol=1e-6)


@given(events=EVENTS, time=st.integers(0, 3 * RECENT_DAYS * DAY))
def test_the_future_changes_nothing(events: list[tuple[int, int]], time: int) -> None:
    query = np.array([time])
    past = [event for event in events if event[0] < time]
    np.testing.assert_array_equal(make(events).at(query), make(past).at(query))
