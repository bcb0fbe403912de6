import numpy as np
import pytest
from scipy.optimize import check_grad

from nextreel.data.dataset import Dataset
from nextreel.errors import DataError
from nextreel.models.base import Recommender
from nextreel.models.blend import Blend, BlendConfig, _loss
from nextreel.models.recent_popularity import RecentPopularity
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.transformer import Transformer, TransformerConfig
from nextreel.testing import RecommenderConformance, tiny_dataset
from tests.frames import catalog, interactions
from tests.models.test_transformer import ADDED_LATER

NETWORK = TransformerConfig(dimensions=8, window=16, overlap=4, epochs=1, rows_per_step=256)
RIDGE = SequentialRidgeConfig(
    regularization=1, dense_regularization=1, dimensions=8, hidden=16, rank=60, short_history=2
)
SMALL = BlendConfig(transformer=NETWORK, ridge=RIDGE, held_out_share=0.2)
DAY = 86_400


class TestConformance(RecommenderConformance):
    tolerance = 1e-4
    may_be_missing = frozenset(f"transformer {name}" for name in ADDED_LATER)

    def make(self) -> Recommender:
        return Blend(SMALL)


def test_the_slope_is_that_of_the_loss() -> None:
    random = np.random.default_rng(0)
    scored = random.standard_normal((3, 5, 7)).astype(np.float32)
    scored[:, 0, 3] = -np.inf
    scored[:, :, 0] = 0
    error = check_grad(
        lambda w: _loss(w, [scored])[0],
        lambda w: _loss(w, [scored])[1],
        np.array([0.4, -0.2, 0.1]),
        epsilon=1e-3,
    )
    assert error < 1e-2


def test_the_weights_are_those_of_the_highest_likelihood() -> None:
    dataset = tiny_dataset()
    model = Blend(SMALL).fit(dataset)
    everybody = np.ones(dataset.n_users, dtype=np.bool_)
    asked = HeldOut.of(dataset.timeline, everybody, seed=5)
    weights = model._learn_weights(asked, dataset.n_movies)
    for number in (0, 1):
        some = asked[np.flatnonzero(model._classify(asked.histories, asked.timestamps) == number)]
        scored = [np.stack([some.scores_relative_to_target(score) for score in model._scorers])]
        best, _ = _loss(weights[number].astype(np.float64), scored)
        learned = weights[number]
        for other in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], learned * 1.1, learned * 0.9):
            assert best < _loss(np.array(other), scored)[0]


def test_a_score_is_the_weighted_sum_of_what_is_blended() -> None:
    dataset = tiny_dataset()
    model = Blend(SMALL).fit(dataset)
    model.weights_ = np.array([[1, 0, 0], [0, 1, 2], [2, 3, 1], [4, 5, 0]], dtype=np.float32)
    transformer, ridge = model.children.values()
    recent = RecentPopularity.of(dataset.timeline, dataset.n_movies)
    last = dataset.timeline.timestamps[dataset.timeline.offsets[1:] - 1]
    for number, gap in enumerate((0, 60, 2 * DAY, 60)):
        timestamps = last + gap
        histories = dataset.histories(dataset.user_ids, timestamps + 1)
        if number == 3:
            histories = histories.last(1)
        w, v, u = model.weights_[number]
        expected = w * transformer.score(histories, timestamps) + v * ridge.score(histories, timestamps)
        expected += u * recent.at(timestamps)
        np.testing.assert_allclose(model.score(histories, timestamps), expected, rtol=1e-5)


def test_the_members_have_their_own_options_and_the_transformer_the_budget_and_seed() -> None:
    transformer, ridge = Blend(SMALL.model_copy(update={"minutes": 3.0, "seed": 7})).children.values()
    assert isinstance(transformer, Transformer)
    assert isinstance(ridge, SequentialRidge)
    assert transformer.config == NETWORK.model_copy(update={"minutes": 3.0, "seed": 7})
    assert ridge.config == RIDGE


def test_data_that_leave_nobody_to_learn_from_are_an_error() -> None:
    rows = Dataset.from_frames(interactions((1, 0, 5, 0), (1, 1, 5, 1)), catalog(3))
    with pytest.raises(DataError, match=r"nothing to learn from|too few interactions"):
        Blend(SMALL.model_copy(update={"held_out_share": 0.99})).fit(rows)
