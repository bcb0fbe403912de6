import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.arrays import Float32Array
from nextreel.data.dataset import Dataset
from nextreel.models import common_users
from nextreel.models.base import Recommender
from nextreel.models.item_knn import ItemKNN, ItemKNNConfig
from nextreel.models.saved_state import restore_checked
from nextreel.models.user_vectors import HALVINGS_KEPT, build_interaction_matrix, build_profiles
from nextreel.testing import RecommenderConformance
from nextreel.testing.conformance import tiny_dataset
from tests.frames import any_interactions, catalog, interactions

LATER = 1_000_000


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return ItemKNN()


class TestConformanceAsInThePapers(RecommenderConformance):
    def make(self) -> Recommender:
        return ItemKNN(ItemKNNConfig(shrinkage=0, neighbours=5, half_life=None, unliked_weight=1))


def similarities(rows: pl.DataFrame, shrinkage: float = 0, neighbours: int = 100) -> Float32Array:
    """The similarity of each movie to each other one, 0 where it isn't kept."""
    model = ItemKNN(ItemKNNConfig(shrinkage=shrinkage, neighbours=neighbours)).fit(Dataset.from_frames(rows))
    n_movies = len(model.neighbours_)
    dense = np.zeros((n_movies, n_movies), dtype=np.float32)
    np.add.at(dense, (np.arange(n_movies)[:, None], model.neighbours_), model.similarities_)
    return dense


TOGETHER = interactions((1, 0, 5, 0), (1, 1, 5, 1), (2, 0, 5, 0), (2, 1, 5, 1), (2, 2, 5, 2), (3, 2, 5, 0))
"""Movies 0 and 1 share two users of two; movie 2 shares one of its two users with each of them."""


def test_similarities_are_cosines_that_sum_to_one() -> None:
    np.testing.assert_allclose(
        similarities(TOGETHER), [[0, 2 / 3, 1 / 3], [2 / 3, 0, 1 / 3], [1 / 2, 1 / 2, 0]], rtol=1e-6
    )


def test_shrinkage_trusts_a_movie_with_few_users_less() -> None:
    twice = [interactions((10 + user, 0, 5, 0), (10 + user, 3, 5, 1)) for user in range(2)]
    often = [
        interactions((20 + user, 0, 5, 0), (20 + user, 1, 5, 1), (20 + user, 2, 5, 2)) for user in range(8)
    ]
    rows = pl.concat([*twice, *often])
    plain, shrunk = similarities(rows), similarities(rows, shrinkage=20)
    assert shrunk[0, 3] / shrunk[0, 1] < plain[0, 3] / plain[0, 1]


def test_only_the_nearest_neighbours_are_kept() -> None:
    np.testing.assert_allclose(
        similarities(TOGETHER, neighbours=1), [[0, 2 / 3, 0], [2 / 3, 0, 0], [1 / 2, 0, 0]], rtol=1e-6
    )


def test_movies_are_compared_in_blocks_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = ItemKNN().fit(tiny_dataset())
    monkeypatch.setattr(common_users, "PAIRS_AT_ONCE", 7 * tiny_dataset().n_movies)
    in_blocks = ItemKNN().fit(tiny_dataset())
    np.testing.assert_array_equal(in_blocks.neighbours_, at_once.neighbours_)
    np.testing.assert_array_equal(in_blocks.similarities_, at_once.similarities_)


def test_a_large_catalog_takes_the_neighbours_memory_and_not_the_square_of_it() -> None:
    rows = interactions(*((1, movie, 5, movie) for movie in range(0, 90_000, 30_000)))
    model = ItemKNN(ItemKNNConfig(neighbours=4)).fit(Dataset.from_frames(rows, catalog(90_000)))
    assert sum(array.nbytes for array in model.state.values()) == 90_000 * 4 * 8
    assert model.neighbours_[30_000, :2].tolist() == [0, 60_000]


def test_the_state_that_an_earlier_version_saved_gives_the_same_scores() -> None:
    dataset = tiny_dataset()
    model = ItemKNN(ItemKNNConfig(neighbours=7)).fit(dataset)
    dense = np.zeros((dataset.n_movies, dataset.n_movies), dtype=np.float32)
    np.add.at(dense, (np.arange(dataset.n_movies)[:, None], model.neighbours_), model.similarities_)
    restored = restore_checked(ItemKNN(), {"similarities_": dense}, dataset.n_movies)
    timestamps = np.full(dataset.n_users, 2_000_000_000)
    histories = dataset.histories(dataset.user_ids, timestamps)
    np.testing.assert_allclose(
        restored.score(histories, timestamps), model.score(histories, timestamps), rtol=1e-5
    )


def test_a_movie_that_nobody_rated_resembles_nothing() -> None:
    model = ItemKNN().fit(Dataset.from_frames(TOGETHER, catalog(4)))
    assert not model.similarities_[3].any()
    assert not model.similarities_[model.neighbours_ == 3].any()


def test_the_latest_movie_counts_most() -> None:
    pairs = [(user, movie, 5, 0) for user, two in enumerate([(0, 1), (2, 3)]) for movie in two]
    model = ItemKNN().fit(Dataset.from_frames(interactions(*pairs)))
    known = Dataset.from_frames(interactions((9, 0, 5, 0), (9, 2, 5, 1)), catalog(4))
    scores = model.score(known.histories(np.array([9]), np.array([LATER])), np.array([LATER]))[0]
    assert scores[3] > scores[1] > 0


def test_a_user_who_was_not_trained_on_is_answered_from_the_history() -> None:
    rows = pl.concat([TOGETHER, interactions((4, 0, 5, 0), (4, 2, 3, 1))])
    dataset = Dataset.from_frames(rows)
    model = ItemKNN().fit(dataset)
    stranger = dataset.with_interactions(interactions((99, 0, 5, 0), (99, 2, 3, 1)))
    timestamps = np.array([LATER])
    np.testing.assert_array_equal(
        model.score(stranger.histories(np.array([99]), timestamps), timestamps),
        model.score(dataset.histories(np.array([4]), timestamps), timestamps),
    )


def profile(
    *rows: tuple[int, float], half_life: float | None = None, unliked_weight: float = 1.0
) -> list[float]:
    """The vector of one user over movies 0 to 3 after these (MovieID, Rating), a second apart."""
    frame = interactions(*((1, movie, rating, second) for second, (movie, rating) in enumerate(rows)))
    histories = Dataset.from_frames(frame, catalog(4)).histories(np.array([1]), np.array([LATER]))
    vector: list[float] = build_profiles(histories, 4, half_life, unliked_weight).toarray()[0].tolist()
    return vector


def test_a_weight_halves_with_every_half_life() -> None:
    assert profile((2, 5), (0, 5), (3, 5), half_life=1) == [0.5, 0, 0.25, 1]


def test_without_a_half_life_all_weigh_the_same() -> None:
    assert profile((2, 5), (0, 1), (3, 5)) == [1, 0, 1, 1]


def test_a_rating_below_four_weighs_less() -> None:
    assert profile((0, 3.5), (1, 4), (2, 5), unliked_weight=0.25) == [0.25, 1, 1, 0]


def test_a_movie_rated_again_counts_once_and_as_of_the_later_time() -> None:
    assert profile((0, 1), (1, 5), (0, 5), half_life=1, unliked_weight=0.5) == [1, 0.5, 0, 0]


@pytest.mark.parametrize(("halvings", "entries"), [(HALVINGS_KEPT, 2), (HALVINGS_KEPT + 1, 1)])
def test_what_float32_cannot_tell_from_nothing_is_left_out(halvings: int, entries: int) -> None:
    frame = interactions((1, 0, 5, 0), (1, 1, 5, 1))
    histories = Dataset.from_frames(frame).histories(np.array([1]), np.array([LATER]))
    assert build_profiles(histories, 2, half_life=1 / halvings).nnz == entries


@given(any_interactions())
def test_the_interaction_matrix_has_a_one_for_each_movie_of_a_user(rows: pl.DataFrame) -> None:
    dataset = Dataset.from_frames(rows)
    expected = np.zeros((dataset.n_users, dataset.n_movies))
    expected[dataset.timeline.users, dataset.timeline.movies] = 1
    np.testing.assert_array_equal(build_interaction_matrix(dataset).toarray(), expected)


@given(any_interactions(), st.integers(0, 13))
def test_each_vector_of_a_batch_is_that_of_the_history_alone(rows: pl.DataFrame, timestamps: int) -> None:
    dataset = Dataset.from_frames(rows)
    histories = dataset.histories(dataset.user_ids, np.full(dataset.n_users, timestamps))
    together = build_profiles(histories, dataset.n_movies, half_life=2).toarray()
    for user in range(dataset.n_users):
        alone = build_profiles(histories[user : user + 1], dataset.n_movies, half_life=2).toarray()
        np.testing.assert_array_equal(alone[0], together[user])
