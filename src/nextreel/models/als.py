"""Matrix factorisation of implicit feedback by alternating least squares.

User u prefers movie i (p = 1) with confidence 1 + alpha if u has rated i, and doesn't (p = 0) with confidence
1 otherwise. Factors x[u] and y[i] minimise (Hu, Koren & Volinsky, "Collaborative Filtering for Implicit
Feedback Datasets", ICDM 2008)

    sum over all u, i of c[u, i] (p[u, i] - x[u] . y[i])^2 + lambda (sum of |x[u]|^2 + sum of |y[i]|^2)

by solving for all x with y held fixed, then for all y with x held fixed:

    x[u] = (Y' Y + alpha sum y[i] y[i]' + lambda I)^-1 (1 + alpha) sum y[i],   sums over the movies i rated by u

The equations are solved by conjugate gradients from where the last iteration stopped (Takács, Pilászy & Tikk,
"Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering", RecSys 2011).

No user's factors are kept: at a query the same equation is solved for the history as it is then. There each
interaction has a weight w, less the older it is: it counts to the share w as rated and to the share 1 - w
as not rated, which puts w before the terms of both sums.
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

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

INITIAL_SCALE = 0.01
FIT_TOLERANCE, QUERY_TOLERANCE = 1e-3, 1e-6
"""Residual at which an equation counts as solved, relative to its right side."""
MOST_STEPS = 30
ROWS_AT_ONCE = 1024
"""Rows of the dense confidence matrix that are in memory together."""


class ALSConfig(ModelConfig):
    # From a coarse summary of taste to the most that a fit of a minute allows.
    factors: Annotated[int, Field(ge=1), Range(16, 256, log=True)] = 128
    """Length of each x and y."""
    # From hardly more confidence than in an unrated movie to the paper's 40.
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(0.1, 40.0, log=True)] = 1.0
    """How much more confident a rated movie is than one that isn't."""
    # From almost unconstrained factors to factors of popular movies only.
    regularization: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(1.0, 300.0, log=True)] = 30.0
    """lambda."""
    # The factors have converged by then.
    iterations: Annotated[int, Field(ge=1), Range(2, 15)] = 5
    """Times that both sides are solved."""
    half_life: HalfLife = 3.0
    """Interactions after which a weight in the user's history has halved; None weights all the same, as the
    paper does."""
    unliked_weight: UnlikedWeight = 0.5
    """Weight of a movie rated below 4 in the user's history, relative to one that was liked."""
    seed: int = Field(default=0, ge=0)
    """Of the movies' factors that the first solve starts from; the one source of chance."""


class ALS(Recommender):
    Config = ALSConfig
    config: ALSConfig

    movie_factors_: Float32Array
    """float32[n_movies, factors]: Y."""

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        by_user = build_interaction_matrix(dataset)
        by_movie = by_user.T.tocsr()
        random = np.random.default_rng(self.config.seed)
        shape = dataset.n_movies, self.config.factors
        movie_factors = INITIAL_SCALE * random.standard_normal(shape, dtype=np.float32)
        movie_factors[np.diff(by_movie.indptr) == 0] = 0
        user_factors = np.zeros((dataset.n_users, self.config.factors), dtype=np.float32)
        for _ in range(self.config.iterations):
            user_factors = self._solve(by_user, movie_factors, user_factors, FIT_TOLERANCE)
            movie_factors = self._solve(by_movie, user_factors, movie_factors, FIT_TOLERANCE)
        self.movie_factors_ = movie_factors
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        n_movies, n_factors = self.movie_factors_.shape
        users = build_profiles(histories, n_movies, self.config.half_life, self.config.unliked_weight)
        start = np.zeros((len(histories), n_factors), dtype=np.float32)
        user_factors = self._solve(users, self.movie_factors_, start, QUERY_TOLERANCE)
        scores: Float32Array = user_factors @ self.movie_factors_.T
        return scores

    def _solve(
        self, weights: csr_array, factors: Float32Array, start: Float32Array, tolerance: float
    ) -> Float32Array:
        """The factors of one side, float32[n_rows, n_factors], from those of the other.

        `weights` is sparse float32[n_rows, len(factors)]; `start` is where the search begins.
        """
        blocks = [slice(first, first + ROWS_AT_ONCE) for first in range(0, len(start), ROWS_AT_ONCE)]
        return np.concatenate(
            [
                start[:0],
                *(self._descend(weights[block], factors, start[block], tolerance) for block in blocks),
            ]
        )

    def _descend(
        self, weights: csr_array, factors: Float32Array, solved: Float32Array, tolerance: float
    ) -> Float32Array:
        """Conjugate gradients, all rows in step, preconditioned by the matrix of a row without entries.

        A row rests once its residual is below `tolerance` times its right side, whatever the others do.
        The confidences are dense, since two large products are quicker than many small ones.
        """
        alpha, regularization = self.config.alpha, self.config.regularization
        identity = np.eye(factors.shape[1], dtype=np.float32)
        preconditioner = np.linalg.inv(factors.T @ factors + regularization * identity)
        confidence = 1 + alpha * weights.toarray()

        def apply(rows: Float32Array) -> Float32Array:
            product: Float32Array = (confidence * (rows @ factors.T)) @ factors + regularization * rows
            return product

        right = (1 + alpha) * (weights @ factors)
        enough = tolerance * np.linalg.norm(right, axis=1)
        residual = right - apply(solved)
        direction, slope_before = np.zeros_like(solved), np.ones(len(solved), dtype=np.float32)
        for _ in range(MOST_STEPS):
            open_ = np.linalg.norm(residual, axis=1) > enough
            if not open_.any():
                break
            downhill = residual @ preconditioner
            slope = _dot(residual, downhill)
            direction = downhill + (slope / slope_before)[:, None] * direction
            changed = apply(direction)
            length = np.divide(slope, _dot(direction, changed), out=np.zeros_like(slope), where=open_)
            solved = solved + length[:, None] * direction
            residual = residual - length[:, None] * changed
            slope_before = np.where(open_, slope, 1)
        return solved


def _dot(left: Float32Array, right: Float32Array) -> Float32Array:
    """float32[n_rows]: the dot product of each pair of rows."""
    product: Float32Array = np.einsum("ij,ij->i", left, right)
    return product
