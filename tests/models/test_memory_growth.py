"""The memory of fits and of lists grows in proportion to ratings and movies: a small guard for large data.

Memory is counted as numpy allocates it, in one thread, so the figures are the same in each run.
"""

import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.models.base import Recommender
from nextreel.models.popularity import Popularity
from nextreel.models.registry import create_model
from nextreel.ranking.ranker import SCORES_AT_ONCE, Ranker
from nextreel.testing import tiny_dataset

MODELS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "next-choices": {},
    "item-knn": {"neighbours": 10},
    "ease": {"most_movies": 100},
    "als": {"factors": 8, "iterations": 1},
    "sequential-ridge": {"most_movies": 100, "dimensions": 8, "hidden": 8, "rank": 8},
}
FEW_USERS = 500
RATINGS_OF_A_USER = 20


def make_dataset(users: int, movies: int) -> Dataset:
    """Return a data set in which everybody rates as many movies of the catalog, most of them the first ones."""
    random = np.random.default_rng(0)
    user = np.repeat(np.arange(users), RATINGS_OF_A_USER)
    movie = (movies * random.random(len(user)) ** 3).astype(np.int64)
    rows = {
        "UserID": user,
        "MovieID": movie,
        "Rating": random.integers(1, 6, len(user)),
        "Timestamp": random.permutation(len(user)),
    }
    catalog = {
        "MovieID": np.arange(movies),
        "Title": [f"Movie {number} (1990)" for number in range(movies)],
        "Genres": ["Drama"] * movies,
    }
    return Dataset.from_frames(pl.DataFrame(rows), pl.DataFrame(catalog))


def measure_peak(task: Callable[[], object]) -> int:
    """Return the highest number of bytes that a task holds at a time."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", MODELS)
def test_four_times_the_ratings_and_movies_take_about_four_times_the_memory_to_fit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def fit(dataset: Dataset) -> Recommender:
        return create_model(name, MODELS[name]).fit(dataset)

    fit(tiny_dataset())  # What is made once in a process doesn't count.
    small, large = (
        measure_peak(partial(fit, make_dataset(users, 4 * users))) for users in (FEW_USERS, 4 * FEW_USERS)
    )
    assert small < large < 5 * small


def test_lists_for_many_queries_never_have_all_scores_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    dataset = make_dataset(2_000, 8_000)
    ranker, timestamps = Ranker.of(Popularity().fit(dataset), dataset), np.full(2_000, 10**6)
    histories = dataset.histories(dataset.user_ids, timestamps)
    peak = measure_peak(lambda: ranker.rank(histories, timestamps))
    batch, all_scores = 4 * SCORES_AT_ONCE, 4 * dataset.n_users * dataset.n_movies
    assert batch < peak < 2 * batch < all_scores
