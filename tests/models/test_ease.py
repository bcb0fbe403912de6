import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.errors import DataError
from nextreel.models.base import Recommender
from nextreel.models.ease import EASE, EASEConfig
from nextreel.models.saved_state import restore_checked
from nextreel.models.user_vectors import build_interaction_matrix
from nextreel.testing import RecommenderConformance
from nextreel.testing.conformance import tiny_dataset
from tests.frames import catalog, interactions

LATER = 2_000_000_000


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return EASE()


class TestConformanceAsInThePaper(RecommenderConformance):
    def make(self) -> Recommender:
        return EASE(EASEConfig(regularization=5, half_life=None, unliked_weight=1))


class TestConformanceOfALargeCatalog(RecommenderConformance):
    def make(self) -> Recommender:
        return EASE(EASEConfig(regularization=5, most_movies=20))


def test_above_its_limit_it_learns_the_most_rated_movies_as_if_there_were_no_others() -> None:
    dataset = tiny_dataset()
    counts = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies)
    model = EASE(EASEConfig(most_movies=20)).fit(dataset)
    others = np.setdiff1d(np.arange(dataset.n_movies), model.learned_)
    assert counts[model.learned_].min() >= counts[others].max()
    kept = dataset.interactions().filter(pl.col("MovieID").is_in(dataset.movie_ids[model.learned_]))
    alone = EASE().fit(dataset.with_interactions(kept))
    np.testing.assert_allclose(
        model.weights_, alone.weights_[np.ix_(model.learned_, model.learned_)], rtol=1e-4, atol=1e-6
    )
    timestamps = np.full(dataset.n_users, LATER)
    scores = model.score(dataset.histories(dataset.user_ids, timestamps), timestamps)
    assert not scores[:, others].any()
    assert scores[:, model.learned_].any()


def test_a_user_of_movies_that_it_has_not_learned_is_unknown() -> None:
    rows = interactions((1, 0, 5, 0), (1, 1, 5, 1), (2, 0, 5, 0), (2, 1, 5, 1), (3, 2, 5, 0))
    dataset = Dataset.from_frames(rows)
    model = EASE(EASEConfig(most_movies=2)).fit(dataset)
    histories = dataset.histories(dataset.user_ids, np.full(3, LATER))
    assert model.knows(histories).tolist() == [True, True, False]


def test_a_regularization_that_rounding_outweighs_is_refused() -> None:
    rows = interactions(*((user, movie, 5, movie) for user in range(9) for movie in range(3)))
    with pytest.raises(DataError, match="the regularization 1e-09 is too small for so many interactions"):
        EASE(EASEConfig(regularization=1e-9)).fit(Dataset.from_frames(rows))


def test_the_state_that_an_earlier_version_saved_gives_the_same_scores() -> None:
    dataset = tiny_dataset()
    model = EASE().fit(dataset)
    restored = restore_checked(EASE(), {"weights_": model.weights_}, dataset.n_movies)
    timestamps = np.full(dataset.n_users, LATER)
    histories = dataset.histories(dataset.user_ids, timestamps)
    np.testing.assert_array_equal(restored.score(histories, timestamps), model.score(histories, timestamps))


def test_no_movie_explains_itself() -> None:
    assert not np.diag(EASE().fit(tiny_dataset()).weights_).any()


@pytest.mark.parametrize("regularization", [1.0, 100.0])
def test_the_weights_are_where_the_loss_has_no_slope(regularization: float) -> None:
    """The gradient of |X - X B|^2 + lambda |B|^2 vanishes but for the diagonal, which isn't free."""
    dataset = tiny_dataset()
    users = build_interaction_matrix(dataset).toarray().astype(np.float64)
    weights = EASE(EASEConfig(regularization=regularization)).fit(dataset).weights_.astype(np.float64)
    slope = users.T @ (users @ weights - users) + regularization * weights
    np.fill_diagonal(slope, 0)
    assert np.abs(slope).max() < 1e-4


def test_plain_scores_are_the_users_vector_times_the_weights() -> None:
    dataset = tiny_dataset()
    model = EASE(EASEConfig(half_life=None, unliked_weight=1)).fit(dataset)
    timestamps = np.full(dataset.n_users, LATER)
    np.testing.assert_allclose(
        model.score(dataset.histories(dataset.user_ids, timestamps), timestamps),
        build_interaction_matrix(dataset).toarray() @ model.weights_,
        rtol=1e-5,
        atol=1e-7,
    )


def test_the_latest_movie_counts_most() -> None:
    pairs = [(user, movie, 5, 0) for user, two in enumerate([(0, 1), (2, 3)] * 3) for movie in two]
    model = EASE(EASEConfig(regularization=1)).fit(Dataset.from_frames(interactions(*pairs)))
    known = Dataset.from_frames(interactions((9, 0, 5, 0), (9, 2, 5, 1)), catalog(4))
    scores = model.score(known.histories(np.array([9]), np.array([LATER])), np.array([LATER]))[0]
    assert scores[3] > scores[1] > 0


def test_a_user_who_was_not_trained_on_is_answered_from_the_history() -> None:
    dataset = tiny_dataset()
    rows = dataset.interactions()
    somebody, stranger, timestamps = int(dataset.user_ids[0]), 77_777, np.array([LATER])
    model = EASE().fit(dataset)
    copy = rows.filter(UserID=somebody).with_columns(UserID=stranger)
    np.testing.assert_array_equal(
        model.score(dataset.with_interactions(copy).histories(np.array([stranger]), timestamps), timestamps),
        model.score(dataset.histories(np.array([somebody]), timestamps), timestamps),
    )
