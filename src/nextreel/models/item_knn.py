"""Item-based nearest neighbours.

The similarity of two movies is the cosine of their columns in the binary user-movie matrix, shrunk towards zero where
few users support it (Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms", WWW 2001):

    similarity[i, j] = n(i and j) / (sqrt(n(i) n(j)) + shrinkage) for i != j

The similarities of a movie to all others are normalised to sum to one, so that a movie which resembles many others
doesn't outweigh the rest (Deshpande & Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS 2004). Each movie
then keeps its nearest neighbours. A movie's score is the sum of its similarities to the movies of the user's history,
where recent interactions weigh more.

A fit takes memory in proportion to the interactions and to the neighbours kept, never to the square of the catalog.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, get_index_dtype

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Arrays, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.common_users import MATRIX_BYTES, counting_steps, map_common_users
from nextreel.models.fit_cost import FitCost
from nextreel.models.training.epochs import Training
from nextreel.models.user_vectors import HalfLife, UnlikedWeight, build_interaction_matrix, build_profiles
from nextreel.options import Range

TINY = np.finfo(np.float32).tiny
"""What sums are divided by in place of zero."""


class ItemKNNConfig(ModelConfig):
    # From almost no shrinkage to more users than most pairs of movies have in common.
    shrinkage: Annotated[float, Field(ge=0), Range(1.0, 1000.0, log=True)] = 10.0
    """Number of users added to the denominator of the cosine."""
    # From a handful to more than most movies have.
    neighbours: Annotated[int, Field(ge=1, le=10_000), Range(10, 2000, log=True)] = 1500
    """Number of most similar movies that each movie keeps; each takes 8 bytes of the fitted model."""
    half_life: HalfLife = 3.0
    """Number of interactions after which a weight in the user's vector halves; None gives all interactions the same
    weight, as the papers do."""
    unliked_weight: UnlikedWeight = 0.5
    """Weight in the user's vector of a movie that wasn't liked, relative to one that was."""


class ItemKNN(Recommender):
    Config = ItemKNNConfig
    fits_by_tasks = True
    config: ItemKNNConfig

    neighbours_: Int32Array
    """int32[n_movies, n_kept]: indices of each movie's nearest neighbours, nearest first; 0 fills up a row."""
    similarities_: Float32Array
    """float32[n_movies, n_kept]: normalised similarities of `neighbours_`; 0 where a row is filled up."""

    def array_specs(self) -> Specs:
        return {
            "neighbours_": ArraySpec("int32", ("n_movies", "n_kept"), least=0, below="n_movies"),
            "similarities_": ArraySpec("float32", ("n_movies", "n_kept")),
        }

    def upgrade(self, state: Arrays) -> Arrays:
        """Return the state of now; an earlier nextreel saved `similarities_` as float32[n_movies, n_movies]."""
        similarities = np.asarray(state.get("similarities_", ()), dtype=np.float32)
        if state.keys() != {"similarities_"} or similarities.shape != (len(similarities), len(similarities)):
            return state
        n_kept = np.count_nonzero(similarities, axis=1).max(initial=0)
        nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :n_kept]
        return {
            "neighbours_": nearest.astype(np.int32),
            "similarities_": np.take_along_axis(similarities, nearest, axis=1),
        }

    def fit_cost(self, dataset: Dataset) -> FitCost:
        n_kept = min(self.config.neighbours, dataset.n_movies)
        memory = MATRIX_BYTES * len(dataset.timeline) + 8 * n_kept * dataset.n_movies
        return FitCost(memory, steps=counting_steps(dataset), advice="set neighbours lower")

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        n_movies = dataset.n_movies
        n_kept = max(0, min(self.config.neighbours, n_movies - 1))
        self.neighbours_ = np.empty((n_movies, n_kept), dtype=np.int32)
        self.similarities_ = np.empty((n_movies, n_kept), dtype=np.float32)
        by_user = build_interaction_matrix(dataset)
        n_users = np.bincount(by_user.indices, minlength=n_movies).astype(np.float32)
        cosine = _ShrunkCosine(n_users, self.config.shrinkage, n_kept)
        for movies, (neighbours, similarities) in map_common_users(by_user, _keep_nearest, cosine, training):
            self.neighbours_[movies], self.similarities_[movies] = neighbours, similarities
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        n_movies, n_kept = self.neighbours_.shape
        # With wider numbers than it needs, the matrix would be a copy of the arrays instead of a view.
        bounds = np.arange(n_movies + 1) * n_kept
        bounds = bounds.astype(get_index_dtype(maxval=n_movies * n_kept))
        similarities = csr_array(
            (self.similarities_.ravel(), self.neighbours_.ravel(), bounds), shape=(n_movies, n_movies)
        )
        users = build_profiles(histories, n_movies, self.config.half_life, self.config.unliked_weight)
        scores: Float32Array = (users @ similarities).toarray()
        return scores


@dataclass(frozen=True)
class _ShrunkCosine:
    n_users: Float32Array
    """float32[n_movies]: number of users who rated each movie."""
    shrinkage: float
    n_kept: int


def _keep_nearest(
    cosine: _ShrunkCosine, first: int, common_users: csr_array
) -> tuple[Int32Array, Float32Array]:
    """Return the rows of `neighbours_` and `similarities_` for a block of movies."""
    neighbours = np.zeros((common_users.shape[0], cosine.n_kept), dtype=np.int32)
    similarities = np.zeros(neighbours.shape, dtype=np.float32)
    for row, (start, stop) in enumerate(pairwise(common_users.indptr)):
        movie, others = first + row, common_users.indices[start:stop]
        support = np.sqrt(cosine.n_users[movie] * cosine.n_users[others]) + cosine.shrinkage
        similarity = common_users.data[start:stop] / support.astype(np.float32)
        similarity[others == movie] = 0
        nearest = _find_largest(similarity, others, cosine.n_kept)
        neighbours[row, : len(nearest)] = others[nearest]
        similarities[row, : len(nearest)] = similarity[nearest] / max(similarity.sum(), TINY)
    return neighbours, similarities


def _find_largest(values: Float32Array, movies: Int32Array, n: int) -> Int64Array:
    """Return the positions of the n largest values, largest first; of equal values that of the lower movie."""
    candidates = np.arange(len(values))
    if n < len(values):
        candidates = np.flatnonzero(values >= np.partition(values, -n)[-n])
    return candidates[np.lexsort((movies[candidates], -values[candidates]))[:n]]
