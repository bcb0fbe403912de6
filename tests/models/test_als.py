import numpy as np
import numpy.typing as npt
import pytest

from nextreel.data.dataset import Dataset
from nextreel.models import als
from nextreel.models.als import ALS, ALSConfig
from nextreel.models.base import Recommender
from nextreel.models.user_vectors import build_interaction_matrix, build_profiles
from nextreel.testing import RecommenderConformance
from nextreel.testing.conformance import tiny_dataset
from tests.frames import catalog, interactions

LATER = 2_000_000_000
Float64Array = npt.NDArray[np.float64]


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return ALS(ALSConfig(factors=8, regularization=1))


class TestConformanceAsInThePaper(RecommenderConformance):
    def make(self) -> Recommender:
        return ALS(ALSConfig(factors=4, alpha=40, regularization=1, half_life=None, unliked_weight=1))


def loss(shares: Float64Array, users: Float64Array, movies: Float64Array, config: ALSConfig) -> float:
    """Hu et al.'s loss, where a cell counts to its share as rated and to the rest as not rated."""
    predicted = users @ movies.T
    as_rated = shares * (1 + config.alpha) * (1 - predicted) ** 2
    as_not_rated = (1 - shares) * predicted**2
    sizes = (users**2).sum() + (movies**2).sum()
    return float((as_rated + as_not_rated).sum() + config.regularization * sizes)


def best_users(shares: Float64Array, movies: Float64Array, config: ALSConfig) -> Float64Array:
    """The users' factors at the least loss, from the paper's equation with its diagonal matrices."""
    confidence = 1 + config.alpha * shares
    preferred = (1 + config.alpha) * shares
    return np.stack(
        [
            np.linalg.solve(
                movies.T @ np.diag(row) @ movies + config.regularization * np.eye(config.factors),
                movies.T @ liked,
            )
            for row, liked in zip(confidence, preferred, strict=True)
        ]
    )


def test_every_iteration_lowers_the_loss() -> None:
    dataset = tiny_dataset()
    shares = build_interaction_matrix(dataset).toarray().astype(np.float64)
    losses = []
    for iterations in (1, 2, 4, 8):
        config = ALSConfig(factors=6, alpha=5, regularization=1, iterations=iterations)
        movies = ALS(config).fit(dataset).movie_factors_.astype(np.float64)
        losses.append(loss(shares, best_users(shares, movies, config), movies, config))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.99 * losses[0]


def test_a_query_is_scored_with_the_factors_of_least_loss() -> None:
    dataset = tiny_dataset()
    config = ALSConfig(factors=6, alpha=5, regularization=1, half_life=2, unliked_weight=0.5)
    model = ALS(config).fit(dataset)
    timestamps = np.full(dataset.n_users, LATER)
    histories = dataset.histories(dataset.user_ids, timestamps)
    shares = build_profiles(histories, dataset.n_movies, half_life=2, unliked_weight=0.5).toarray()
    movies = model.movie_factors_.astype(np.float64)
    users = best_users(shares.astype(np.float64), movies, config)
    np.testing.assert_allclose(model.score(histories, timestamps), users @ movies.T, rtol=1e-3, atol=1e-4)


def test_the_reference_is_where_the_loss_is_least() -> None:
    random = np.random.default_rng(0)
    config = ALSConfig(factors=3, alpha=5, regularization=1)
    shares, movies = random.random((4, 7)), random.standard_normal((7, 3))
    users = best_users(shares, movies, config)
    for _ in range(20):
        step = 1e-3 * random.standard_normal(users.shape)
        assert loss(shares, users + step, movies, config) > loss(shares, users, movies, config)


def test_another_seed_starts_elsewhere() -> None:
    dataset = tiny_dataset()
    first, second = (
        ALS(ALSConfig(factors=4, iterations=1, regularization=1, seed=seed)).fit(dataset).movie_factors_
        for seed in (0, 1)
    )
    assert not np.allclose(first, second)


def test_a_movie_that_nobody_rated_has_no_factors() -> None:
    dataset = Dataset.from_frames(interactions((1, 0, 5, 0), (1, 1, 5, 1)), catalog(3))
    assert not ALS(ALSConfig(factors=2, regularization=0.1)).fit(dataset).movie_factors_[2].any()


def test_the_latest_movie_counts_most() -> None:
    pairs = [(user, movie, 5, 0) for user, two in enumerate([(0, 1), (2, 3)] * 3) for movie in two]
    config = ALSConfig(factors=2, regularization=0.1)
    model = ALS(config).fit(Dataset.from_frames(interactions(*pairs)))
    known = Dataset.from_frames(interactions((9, 0, 5, 0), (9, 2, 5, 1)), catalog(4))
    scores = model.score(known.histories(np.array([9]), np.array([LATER])), np.array([LATER]))[0]
    assert scores[3] > scores[1] > 0


def test_a_user_who_was_not_trained_on_is_answered_from_the_history() -> None:
    dataset = tiny_dataset()
    rows = dataset.interactions()
    somebody, stranger, timestamps = int(dataset.user_ids[0]), 77_777, np.array([LATER])
    model = ALS(ALSConfig(factors=4, regularization=1)).fit(dataset)
    copy = rows.filter(UserID=somebody).with_columns(UserID=stranger)
    np.testing.assert_array_equal(
        model.score(dataset.with_interactions(copy).histories(np.array([stranger]), timestamps), timestamps),
        model.score(dataset.histories(np.array([somebody]), timestamps), timestamps),
    )


def test_users_solved_in_blocks_get_the_factors_that_they_get_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = ALSConfig(factors=6, alpha=5, regularization=1)
    at_once = ALS(config).fit(tiny_dataset()).movie_factors_
    monkeypatch.setattr(als, "ENTRIES_AT_ONCE", 50)
    np.testing.assert_allclose(ALS(config).fit(tiny_dataset()).movie_factors_, at_once, rtol=1e-4, atol=1e-5)
