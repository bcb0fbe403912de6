"""A data set that is expanded by its own structure."""

import numpy as np
import polars as pl
import pytest

from benchmarks.expanded_movielens import LONGEST_SHIFT, Expansion
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic_data import make_sample

COPIES, BLOCKS = 3, 4


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    sample = make_sample(users=60, movies=80, ratings=2_000)
    return Dataset.from_frames(sample.interactions, sample.movies, sample.users)


@pytest.fixture(scope="module")
def expanded(dataset: Dataset) -> Dataset:
    expansion = Expansion.of(dataset, COPIES, BLOCKS)
    return Dataset.from_frames(pl.concat(expansion.interactions()), expansion.movies(), expansion.users())


def test_every_copy_of_a_user_has_as_many_ratings_as_the_user(dataset: Dataset, expanded: Dataset) -> None:
    lengths = np.diff(dataset.timeline.offsets)
    assert (expanded.n_users, expanded.n_movies) == (COPIES * dataset.n_users, BLOCKS * dataset.n_movies)
    assert np.diff(expanded.timeline.offsets).tolist() == np.tile(lengths, COPIES).tolist()


def test_a_copy_rates_copies_of_what_the_user_rated_and_later_by_the_same_time(
    dataset: Dataset, expanded: Dataset
) -> None:
    original, first_copy = dataset.timeline, slice(0, len(dataset.timeline))
    assert (expanded.timeline.movies[first_copy] % dataset.n_movies).tolist() == original.movies.tolist()
    later = expanded.timeline.timestamps[first_copy] - original.timestamps
    by_user = pl.DataFrame({"user": original.users, "later": later}).group_by("user")
    assert by_user.agg(pl.col("later").n_unique())["later"].max() == 1
    assert later.min() >= 0
    assert later.max() < LONGEST_SHIFT


def test_movies_of_one_second_stay_together(dataset: Dataset, expanded: Dataset) -> None:
    rows = expanded.interactions()
    blocks = rows.group_by(USER_ID, TIMESTAMP).agg((pl.col(MOVIE_ID) // dataset.n_movies).n_unique())
    assert blocks[MOVIE_ID].max() == 1


def test_popular_movies_have_the_most_popular_copies(dataset: Dataset) -> None:
    kernel = Expansion.of(dataset, COPIES, BLOCKS).kernel
    assert kernel.sum(axis=1) == pytest.approx(np.ones(COPIES))
    assert (np.diff(kernel, axis=1) < 0).all()


def test_another_seed_draws_other_blocks(dataset: Dataset) -> None:
    first, again, other = (
        next(Expansion.of(dataset, COPIES, BLOCKS, seed).interactions()) for seed in (0, 0, 1)
    )
    assert first.equals(again)
    assert not first.equals(other)
