import numpy as np
import pytest

from nextreel.data.dataset import Dataset
from nextreel.models.base import Recommender
from nextreel.models.ease import EASE, EASEConfig
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
