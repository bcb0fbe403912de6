"""Item-based nearest neighbours.

The similarity of two movies is the cosine of their columns in the binary user-movie matrix, shrunk towards zero where
few users support it (Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms", WWW 2001):

    similarity[i, j] = n(i and j) / (sqrt(n(i) n(j)) + shrinkage) for i != j

Each movie keeps its nearest neighbours, with similarities that are normalised to sum to one, so that a movie which
resembles many others doesn't outweigh the rest (Deshpande & Karypis, "Item-Based Top-N Recommendation Algorithms",
TOIS 2004). A movie's score is the sum of its similarities to the movies of the user's history, where recent
interactions weigh more.
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


class ItemKNNConfig(ModelConfig):
    # From almost no shrinkage to more users than most pairs of movies have in common.
    shrinkage: Annotated[float, Field(ge=0), Range(1.0, 1000.0, log=True)] = 10.0
    """Number of users added to the denominator of the cosine."""
    # From a handful to more than most movies have.
    neighbours: Annotated[int | None, Field(ge=1, le=10_000_000), Range(10, 2000, log=True)] = None
    """Number of most similar movies that each movie keeps; None keeps all."""
    half_life: HalfLife = 3.0
    """Number of interactions after which a weight in the user's vector halves; None gives all interactions the same
    weight, as the papers do."""
    unliked_weight: UnlikedWeight = 0.5
    """Weight in the user's vector of a movie that wasn't liked, relative to one that was."""


class ItemKNN(Recommender):
    Config = ItemKNNConfig
    config: ItemKNNConfig

    similarities_: Float32Array
    """float32[n_movies, n_movies]: normalised similarity of the watched movie (row) to the scored movie (column); 0
    where it wasn't kept."""

    def array_specs(self) -> Specs:
        return {"similarities_": ArraySpec("float32", ("n_movies", "n_movies"))}

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        users = build_interaction_matrix(dataset)
        common_users = (users.T @ users).toarray()
        n_users = np.maximum(np.diag(common_users), 1)
        similarities = common_users / (np.sqrt(np.outer(n_users, n_users)) + self.config.shrinkage)
        np.fill_diagonal(similarities, 0)
        if self.config.neighbours is not None:
            _keep_nearest(similarities, self.config.neighbours)
        sums = similarities.sum(axis=1, keepdims=True)
        self.similarities_ = similarities / np.where(sums > 0, sums, 1)
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        n_movies = len(self.similarities_)
        users = build_profiles(histories, n_movies, self.config.half_life, self.config.unliked_weight)
        scores: Float32Array = users @ self.similarities_
        return scores


def _keep_nearest(similarities: Float32Array, n: int) -> None:
    """Set all but the n largest values of each row to zero, in place; of equal values the lower index stays."""
    rest = np.argsort(-similarities, axis=1, kind="stable")[:, n:]
    np.put_along_axis(similarities, rest, 0, axis=1)
