"""Matrix factorisation of implicit feedback by alternating least squares.

User u prefers movie i (p = 1) with confidence 1 + alpha if u has rated i, and doesn't (p = 0) with confidence
1 otherwise. Factors x[u] and y[i] minimise (Hu, Koren & Volinsky, "Collaborative Filtering for Implicit
Feedback Datasets", ICDM 2008)

    sum over all u, i of c[u, i] (p[u, i] - x[u] . y[i])^2 + lambda (sum of |x[u]|^2 + sum of |y[i]|^2)

by solving for all x with y held fixed, then for all y with x held fixed:

    x[u] = (Y' Y + alpha sum y[i] y[i]' + lambda I)^-1 (1 + alpha) sum y[i],   sums over the movies i rated by u

No user's factors are kept: at a query the same equation is solved for the history as it is then. There each
interaction has a weight w, less the older it is: it counts to the share w as rated and to the share 1 - w
as not rated, which puts w before the terms of both sums.
"""

from typing import Self

import numpy as np
from pydantic import Field
from scipy.linalg.lapack import sposv
from scipy.sparse import csr_array

from nextreel.data.dataset import Dataset
from nextreel.data.timeline import FloatArray, Histories, Int64Array
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.profiles import build_interaction_matrix, build_profiles
from nextreel.models.training import Training

INITIAL_SCALE = 0.01


class ALSConfig(ModelConfig):
    factors: int = Field(default=128, ge=1)
    """Length of each x and y."""
    alpha: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How much more confident a rated movie is than one that isn't."""
    regularization: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    """lambda."""
    iterations: int = Field(default=5, ge=1)
    """Times that both sides are solved."""
    half_life: float | None = Field(default=3.0, gt=0)
    """Interactions after which a weight in the user's history has halved; None weights all the same, as the
    paper does."""
    unliked_weight: float = Field(default=0.5, gt=0, le=1)
    """Weight of a movie rated below 4 in the user's history, relative to one that was liked."""
    seed: int = Field(default=0, ge=0)
    """Of the movies' factors that the first solve starts from; the one source of chance."""


class ALS(Recommender):
    Config = ALSConfig
    config: ALSConfig

    movie_factors_: FloatArray
    """float32[n_movies, factors]: Y."""

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        by_user = build_interaction_matrix(dataset)
        by_movie = by_user.T.tocsr()
        random = np.random.default_rng(self.config.seed)
        movie_factors = random.standard_normal((dataset.n_movies, self.config.factors), dtype=np.float32)
        movie_factors *= INITIAL_SCALE
        for _ in range(self.config.iterations):
            user_factors = self._solve(by_user, movie_factors)
            movie_factors = self._solve(by_movie, user_factors)
        self.movie_factors_ = movie_factors
        return self

    def score(self, histories: Histories, at: Int64Array) -> FloatArray:
        users = build_profiles(
            histories, len(self.movie_factors_), self.config.half_life, self.config.unliked_weight
        )
        scores: FloatArray = self._solve(users, self.movie_factors_) @ self.movie_factors_.T
        return scores

    def _solve(self, weights: csr_array, factors: FloatArray) -> FloatArray:
        """The factors of one side, float32[n_rows, factors], given those of the other.

        `weights` is sparse float32[n_rows, len(factors)]. A row without entries gets zeros.
        """
        alpha = np.float32(self.config.alpha)
        n_factors = factors.shape[1]
        everywhere = factors.T @ factors + self.config.regularization * np.eye(n_factors, dtype=np.float32)
        solved = np.zeros((weights.shape[0], n_factors), dtype=np.float32)
        # Row by row, since BLAS and LAPACK take most of the time on each row's own matrix.
        for row in np.flatnonzero(np.diff(weights.indptr)):
            entries = slice(weights.indptr[row], weights.indptr[row + 1])
            weight, rated = weights.data[entries], factors[weights.indices[entries]]
            normal_matrix = everywhere + (rated.T * (alpha * weight)) @ rated
            solved[row] = sposv(normal_matrix, (1 + alpha) * (weight @ rated))[1]
        return solved
