import numpy as np

from nextreel.data.dataset import Dataset
from nextreel.data.times import DAY
from nextreel.evaluation.slices import estimate_slices, slice_by_gap, slice_by_length
from tests.frames import catalog, interactions


def test_a_query_is_in_the_slice_of_its_gap() -> None:
    dataset = Dataset.from_frames(interactions((1, 0, 5, 100)), catalog(2))
    gaps = np.array([0, 1, DAY, DAY + 1, 2 * DAY, 2 * DAY + 1])
    timestamps = 100 + gaps
    histories = dataset.histories(np.full(6, 1), timestamps + 1)
    members = {
        name: np.flatnonzero(part).tolist() for name, part in slice_by_gap(histories, timestamps).items()
    }
    assert list(members.values()) == [[0], [1, 2], [3, 4], [5]]


def test_a_query_without_a_history_is_in_no_slice_by_gap() -> None:
    dataset = Dataset.from_frames(interactions((1, 0, 5, 100)), catalog(2))
    timestamps = np.array([50])
    slices = slice_by_gap(dataset.histories(np.array([1]), timestamps), timestamps)
    assert not np.any(list(slices.values()))


def test_every_query_is_in_one_slice_by_length() -> None:
    rows = [(user, movie, 5.0, movie) for user, n in enumerate((1, 9, 10, 250)) for movie in range(n)]
    dataset = Dataset.from_frames(interactions(*rows), catalog(250))
    users = np.array([0, 1, 2, 3, 9])
    slices = slice_by_length(dataset.histories(users, np.full(5, 1000)))
    members = {name: np.flatnonzero(part).tolist() for name, part in slices.items()}
    assert list(members.values()) == [[4], [0, 1], [2], [], [3]]


def test_the_figure_of_a_slice_is_that_of_its_queries_alone() -> None:
    slices = {"hits": np.array([True, False]), "misses": np.array([False, True]), "empty": np.zeros(2, bool)}
    estimates = estimate_slices(slices, np.array([1, 0]), np.array([7, 8]), k=10)
    assert {name: metrics["Recall@10"].mean for name, metrics in estimates.items()} == {
        "hits": 1.0,
        "misses": 0.0,
    }
