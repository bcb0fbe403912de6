import numpy as np
import pytest

from nextreel.arrays import Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.transformer import query_windows
from nextreel.models.transformer.query_windows import QueryWindows
from nextreel.testing import tiny_dataset
from tests.frames import catalog, interactions


def live_histories(dataset: Dataset) -> tuple[Histories, Int64Array]:
    """The history before each interaction, in random order, and the timestamps."""
    rows = np.random.default_rng(0).permutation(len(dataset.timeline))
    timestamps = dataset.timeline.timestamps[rows]
    return dataset.histories(dataset.timeline.user_ids[dataset.timeline.users[rows]], timestamps), timestamps


def seen_by_query(windows: QueryWindows) -> dict[int, list[tuple[int, int]]]:
    """Movie and time of each event that each query sees, by the query's number."""
    movies, _, timestamps = windows.events
    seen = {}
    for start, first, n in zip(windows.starts, windows.first_query, windows.n_queries, strict=True):
        for place in range(first, first + n):
            rows = slice(start, start + windows.n_seen[place])
            events = zip(movies[rows].tolist(), timestamps[rows].tolist(), strict=True)
            seen[int(windows.queries[place])] = list(events)
    return seen


def latest(histories: Histories, window: int) -> dict[int, list[tuple[int, int]]]:
    """The same for the latest events of each history that isn't empty."""
    timeline = histories.timeline
    query, row = histories.last(window).rows()
    seen: dict[int, list[tuple[int, int]]] = {
        number: [] for number in np.flatnonzero(histories.lengths > 0).tolist()
    }
    for number, movie, time in zip(
        query.tolist(), timeline.movies[row].tolist(), timeline.timestamps[row].tolist(), strict=True
    ):
        seen[number].append((movie, time))
    return seen


@pytest.mark.parametrize("window", [1, 5, 500])
def test_a_query_sees_the_latest_events_of_its_history(window: int) -> None:
    histories, timestamps = live_histories(tiny_dataset())
    windows = QueryWindows.of(histories, timestamps, window)
    assert seen_by_query(windows) == latest(histories, window)
    assert windows.timestamps.tolist() == timestamps[windows.queries].tolist()
    assert windows.lengths.tolist() == histories.lengths[windows.queries].tolist()


def test_histories_that_begin_at_the_same_event_share_a_window() -> None:
    histories, timestamps = live_histories(tiny_dataset())
    assert len(QueryWindows.of(histories, timestamps, 500)) == len(
        np.unique(histories.starts[histories.lengths > 0])
    )


def test_a_rating_that_is_replaced_later_is_seen_by_earlier_queries_only() -> None:
    dataset = Dataset.from_frames(
        interactions((1, 0, 5, 10), (1, 1, 4, 20), (1, 0, 2, 30), (2, 0, 5, 10), (2, 1, 4, 20)), catalog(3)
    )
    timestamps = np.array([25, 40, 15, 25, 15])
    histories = dataset.histories(np.array([1, 1, 1, 2, 2]), timestamps)
    windows = QueryWindows.of(histories, timestamps, 10)
    assert seen_by_query(windows) == {
        0: [(0, 10), (1, 20)],
        1: [(1, 20), (0, 30)],
        2: [(0, 10)],
        3: [(0, 10), (1, 20)],
        4: [(0, 10)],
    }
    assert len(windows) == 4  # user 2's queries share one


def test_no_part_has_more_queries_than_may_be_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_windows, "QUERIES_AT_ONCE", 7)
    histories, timestamps = live_histories(tiny_dataset())
    windows = QueryWindows.of(histories, timestamps, 500)
    parts = list(windows.divide())
    assert max(len(part.queries) for part in parts) <= 7
    merged = {query: events for part in parts for query, events in seen_by_query(part).items()}
    assert merged == latest(histories, 500)


def test_no_query_has_no_windows() -> None:
    histories, timestamps = live_histories(tiny_dataset())
    empty = histories.lengths == 0
    windows = QueryWindows.of(histories[empty], timestamps[empty], 10)
    assert len(windows) == 0
    assert list(windows.divide()) == []
