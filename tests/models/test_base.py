from __future__ import annotations

from typing import Self

import numpy as np
import pytest

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import ArtifactError, ConfigError, NotFittedError
from nextreel.models.base import ModelConfig, Recommender, require_model
from nextreel.models.popularity import Popularity
from nextreel.models.training.epochs import Training
from nextreel.prediction.predictor import Predictor
from nextreel.testing import RecommenderConformance, tiny_dataset


class Constant(Recommender):
    """A model without options in a module whose annotations are text."""

    n_movies_: int
    level_: float

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        self.n_movies_, self.level_ = dataset.n_movies, 0.5
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        return np.full((len(timestamps), self.n_movies_), self.level_, dtype=np.float32)


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return Constant()


def test_a_model_without_options_needs_no_config_class() -> None:
    assert Constant().config == ModelConfig()


def test_numbers_are_restored_as_numbers() -> None:
    restored = Constant().restore(Constant().fit(tiny_dataset()).state)
    assert (restored.n_movies_, restored.level_) == (60, 0.5)
    assert isinstance(restored.n_movies_, int)


def test_a_model_that_is_not_fitted_has_no_state() -> None:
    with pytest.raises(NotFittedError, match="Constant isn't fitted yet"):
        _ = Constant().state


def test_an_empty_state_restores_nothing() -> None:
    with pytest.raises(ArtifactError, match="no fitted state for Constant"):
        Constant().restore({})


def test_a_name_or_a_predictor_is_no_model() -> None:
    dataset = tiny_dataset()
    require_model(Popularity())
    with pytest.raises(ConfigError, match="expected a model, found a str"):
        require_model("popularity")
    with pytest.raises(ConfigError, match=r"its model is predictor\.model"):
        require_model(Predictor(Popularity().fit(dataset), dataset))
