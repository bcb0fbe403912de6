"""EASE, the embarrassingly shallow autoencoder.

A linear map B between movies with a zero diagonal reproduces the users' binary vectors X, so that each movie is
explained by the others: minimise |X - X B|^2 + lambda |B|^2. The closed form (Steck, "Embarrassingly Shallow
Autoencoders for Sparse Data", WWW 2019) is

    P = (X' X + lambda I)^-1        B[i, j] = -P[i, j] / P[j, j] for i != j

The scores of a query are x B, where x is the user's vector as of the query, with recent interactions weighted more.
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training.epochs import Training
from nextreel.models.user_vectors import HalfLife, UnlikedWeight, build_interaction_matrix, build_profiles
from nextreel.options import Range


class EASEConfig(ModelConfig):
    # The best value grows with the number of users: tens for hundreds of users, thousands for tens of thousands.
    regularization: Annotated[float, Field(gt=0), Range(10.0, 2e4, log=True)] = 2000.0
    """lambda: about how many users must share a pair of movies before the pair gets a large weight."""
    half_life: HalfLife = 3.0
    """Number of interactions after which a weight in the user's vector halves; None gives all interactions the same
    weight, as the paper does."""
    unliked_weight: UnlikedWeight = 0.5
    """Weight in the user's vector of a movie that wasn't liked, relative to one that was."""


class EASE(Recommender):
    Config = EASEConfig
    config: EASEConfig

    weights_: Float32Array
    """float32[n_movies, n_movies]: B in the module's formula, what a watched movie (row) adds to the score of a movie
    (column)."""

    def array_specs(self) -> Specs:
        return {"weights_": ArraySpec("float32", ("n_movies", "n_movies"))}

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
        n_movies = len(self.weights_)
        users = build_profiles(histories, n_movies, self.config.half_life, self.config.unliked_weight)
        scores: Float32Array = users @ self.weights_
        return scores
