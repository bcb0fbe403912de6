"""The directions of the sequential ridge's random features."""

import numpy as np
import pytest

from nextreel.arrays import Float32Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER
from nextreel.models.sequential_ridge import random_features
from nextreel.models.sequential_ridge.baskets import BasketSequences
from nextreel.models.sequential_ridge.features import FeatureMap
from nextreel.models.sequential_ridge.random_features import SPREAD, draw_directions
from nextreel.testing.conformance import tiny_dataset
from tests.frames import catalog, interactions

DIMENSIONS = 3


def features_of(dataset: Dataset) -> FeatureMap:
    """Features without random ones, whose movies differ most in the first of three coordinates."""
    embeddings = np.random.default_rng(0).standard_normal((2, dataset.n_movies, DIMENSIONS)) * (5, 1, 0.2)
    embeddings /= np.linalg.norm(embeddings, axis=2, keepdims=True)
    return FeatureMap(
        embeddings.astype(np.float32),
        np.ones(dataset.n_movies, dtype=np.bool_),
        np.zeros((4 * DIMENSIONS + 1, 0), dtype=np.float32),
    )


def draw(dataset: Dataset, power: float, hidden: int = 2000) -> tuple[Float32Array, Float32Array]:
    """The directions, and the tastes of all rows of the data set."""
    timeline, features = dataset.timeline, features_of(dataset)
    everyone = timeline.as_of(timeline.user_ids, np.full(timeline.n_users, NEVER))
    sequences = BasketSequences.of(everyone)
    tastes = features.of_rows(sequences, np.arange(len(sequences.users)))[:, : 4 * DIMENSIONS]
    return draw_directions(features, everyone, hidden, power, np.random.default_rng(1)), tastes


def test_without_a_power_directions_are_drawn_evenly() -> None:
    directions, _ = draw(tiny_dataset(), 0.0)
    np.testing.assert_array_equal(
        directions, np.random.default_rng(1).standard_normal((13, 2000), dtype=np.float32)
    )


def test_directions_vary_as_tastes_do() -> None:
    directions, tastes = draw(tiny_dataset(), 0.5)
    expected = np.cov(tastes.T)
    cosines = [
        np.vdot(expected, found) / np.linalg.norm(expected) / np.linalg.norm(found)
        for found in (np.cov(directions[:-1]), np.eye(len(expected)))
    ]
    assert cosines[0] > 0.95 > cosines[1] + 0.2


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_over_the_tastes_each_feature_has_the_same_spread_around_a_random_constant(power: float) -> None:
    directions, tastes = draw(tiny_dataset(), power)
    inputs = tastes @ directions[:-1] + directions[-1]
    np.testing.assert_allclose(inputs.std(axis=0), SPREAD, rtol=1e-3)
    assert inputs.mean(axis=0).mean() == pytest.approx(0, abs=0.2)
    assert inputs.mean(axis=0).std() == pytest.approx(SPREAD, rel=0.1)


def test_a_sample_of_users_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = draw(tiny_dataset(), 0.5)
    monkeypatch.setattr(random_features, "SAMPLED_INTERACTIONS", 300)
    monkeypatch.setattr(random_features, "LATEST_INTERACTIONS", 10)
    of_sample, _ = draw(tiny_dataset(), 0.5)
    assert np.corrcoef(whole[:-1].ravel(), of_sample[:-1].ravel())[0, 1] > 0.8
    assert not np.array_equal(whole, of_sample)


def test_tastes_that_never_vary_have_finite_directions() -> None:
    only_one = Dataset.from_frames(interactions((1, 0, 5, 7)), catalog(2))
    directions, _ = draw(only_one, 0.5)
    assert np.abs(directions).max() < 1000
