"""EASE, the embarrassingly shallow autoencoder.

The users' binary vectors X are reproduced by a linear map B between movies whose diagonal is zero, so that a
movie must be explained by the others: minimise |X - X B|^2 + lambda |B|^2. The closed form (Steck,
"Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019) is

    P = (X' X + lambda I)^-1        B[i, j] = -P[i, j] / P[j, j] for i != j

A query is scored as x B, where x is the user's vector at that moment, with recent interactions weighted more.
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training.epochs import Training
from nextreel.models.user_vectors import (
    HalfLife,
    UnlikedWeight,
    build_interaction_matrix,
    build_profiles,
)
from nextreel.options import Range


class EASEConfig(ModelConfig):
    # The best value grows with the number of users: tens for hundreds of users, thousands for tens of thousands.
    regularization: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(10.0, 20_000.0, log=True)] = (
        2000.0
    )
    """lambda: how many users a pair of movies must share to be believed."""
    half_life: HalfLife = 3.0
    """Interactions after which a weight in the user's vector has halved; None weights all the same, as the
    paper does."""
    unliked_weight: UnlikedWeight = 0.5
    """Weight of a movie rated below 4 in the user's vector, relative to one that was liked."""


class EASE(Recommender):
    Config = EASEConfig
    config: EASEConfig

    weights_: Float32Array
    """float32[n_movies, n_movies]: B, from the movie watched (row) to the movie scored (column)."""

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        users = build_interaction_matrix(dataset)
        gram = (users.T @ users).toarray()
        gram[np.diag_indices_from(gram)] += self.config.regularization
        inverse = np.linalg.inv(gram)
        weights: Float32Array = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0)
        self.weights_ = weights
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        users = build_profiles(
            histories, len(self.weights_), self.config.half_life, self.config.unliked_weight
        )
        scores: Float32Array = users @ self.weights_
        return scores
