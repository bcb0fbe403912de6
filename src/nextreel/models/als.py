"""Matrix factorisation of implicit feedback by alternating least squares.

User u prefers movie i (p = 1) with confidence 1 + alpha if u has rated i, and doesn't (p = 0) with confidence
1 otherwise. Factors x[u] and y[i] minimise (Hu, Koren & Volinsky, "Collaborative Filtering for Implicit Feedback
Datasets", ICDM 2008)

    sum over all u, i of c[u, i] (p[u, i] - x[u] . y[i])^2 + lambda (sum of |x[u]|^2 + sum of |y[i]|^2)

by solving for all x with y held fixed, then for all y with x held fixed:

    x[u] = (Y' Y + alpha sum y[i] y[i]' + lambda I)^-1 (1 + alpha) sum y[i],   sums over the movies i rated by u

The equations are solved by conjugate gradients that start from the solution of the last iteration (Takács, Pilászy &
Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering", RecSys 2011).

No user's factors are kept: for a query, the same equation is solved with the history as of the query. There, each
interaction has a weight w, which is smaller the older it is: the share w counts as rated and the share 1 - w as not
rated, which puts a factor w before the terms of both sums.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Float32Array, Int64Array, starts_run
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.common_users import MATRIX_BYTES
from nextreel.models.fit_cost import FitCost
from nextreel.models.training.epochs import Training
from nextreel.models.user_vectors import HalfLife, UnlikedWeight, build_interaction_matrix, build_profiles
from nextreel.options import Range
from nextreel.tasks import RunTasks, run_here

INITIAL_SCALE = 0.01
"""Standard deviation of the movies' initial factors; small, so that the first predictions are close to zero."""
FIT_TOLERANCE = 1e-3
"""Residual, relative to the right side, at which an equation counts as solved in a fit; the next iteration refines."""
QUERY_TOLERANCE = 1e-6
"""Residual, relative to the right side, at which the equation of a query's user counts as solved: close to the
precision of float32, since no further iteration follows."""
MAX_STEPS = 30
"""Maximum number of conjugate gradient steps for an equation; its solution is then used even if it isn't exact."""
ENTRIES_AT_ONCE = 4096
"""About how many interactions the users or movies have that are solved for together: their factors fit in a cache."""
BLOCKS_PER_TASK = 64
"""Number of blocks of that size that are one task: about a second of work."""
ROW_SIZE = 4
"""Number of interactions that a user or movie counts as in addition, for its own vectors."""
PRODUCTS_PER_STEP = 3.0
"""Number of an interaction's factors that are solved for in one of the steps of a FitCost, with all their products."""


class ALSConfig(ModelConfig):
    # From a coarse summary of taste to the most that a fit of a minute allows.
    factors: Annotated[int, Field(ge=1, le=4096), Range(16, 256, log=True)] = 128
    """Number of factors of each user and movie."""
    # From hardly more confidence than in an unrated movie to the paper's 40.
    alpha: Annotated[float, Field(gt=0), Range(0.1, 40.0, log=True)] = 1.0
    """Confidence in a rated movie beyond the 1 that every movie has."""
    # From almost unconstrained factors to factors of popular movies only.
    regularization: Annotated[float, Field(gt=0), Range(1.0, 300.0, log=True)] = 30.0
    """lambda in the module's formulas: the penalty on the squared length of the users' and movies' factors."""
    # The factors have converged after 15.
    iterations: Annotated[int, Field(ge=1, le=10_000), Range(2, 15)] = 5
    """Number of times that the users' factors and then the movies' factors are solved for."""
    half_life: HalfLife = 3.0
    """Number of interactions after which a weight in the user's history halves; None gives all interactions the same
    weight, as the paper does."""
    unliked_weight: UnlikedWeight = 0.5
    """Weight in the user's history of a movie that wasn't liked, relative to one that was."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of the movies' initial factors, the only random numbers."""


@dataclass(frozen=True)
class _HeldSide:
    """The side, users or movies, whose factors are held fixed while those of the other side are solved for."""

    factors: Float32Array
    """float32[n, n_factors]: the factors, Y in the module's formulas if it's the movies' turn to be held."""
    gram: Float32Array
    """float32[n_factors, n_factors]: Y' Y + lambda I, the matrix of a row of the other side without interactions."""
    inverse: Float32Array
    """float32[n_factors, n_factors]: inverse of `gram`."""


class ALS(Recommender):
    Config = ALSConfig
    fits_by_tasks = True
    config: ALSConfig

    movie_factors_: Float32Array
    """float32[n_movies, factors]: factors of the movies, Y in the module's formulas."""

    def array_specs(self) -> Specs:
        return {"movie_factors_": ArraySpec("float32", ("n_movies", self.config.factors))}

    def fit_cost(self, dataset: Dataset) -> FitCost:
        n_rows, n_vectors = len(dataset.timeline), dataset.n_users + dataset.n_movies
        memory = MATRIX_BYTES * n_rows + 12 * self.config.factors * n_vectors
        products = 2 * self.config.iterations * self.config.factors * (n_rows + ROW_SIZE * n_vectors)
        return FitCost(memory, steps=products / PRODUCTS_PER_STEP, advice="set factors lower")

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        self._forget_derived()
        by_user = build_interaction_matrix(dataset)
        by_movie = by_user.T.tocsr()
        random = np.random.default_rng(self.config.seed)
        shape = dataset.n_movies, self.config.factors
        movie_factors = INITIAL_SCALE * random.standard_normal(shape, dtype=np.float32)
        movie_factors[np.diff(by_movie.indptr) == 0] = 0
        user_factors = np.zeros((dataset.n_users, self.config.factors), dtype=np.float32)
        run_tasks = (training and training.run_tasks) or run_here

        def solve(weights: csr_array, held: Float32Array, start: Float32Array) -> Float32Array:
            alpha, side = self.config.alpha, self._hold(held)
            return _Equations(weights, side, start, FIT_TOLERANCE, alpha).solve(run_tasks)

        for _ in range(self.config.iterations):
            user_factors = solve(by_user, movie_factors, user_factors)
            movie_factors = solve(by_movie, user_factors, movie_factors)
        self.movie_factors_ = movie_factors
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        n_movies, n_factors = self.movie_factors_.shape
        users = build_profiles(histories, n_movies, self.config.half_life, self.config.unliked_weight)
        start = np.zeros((len(histories), n_factors), dtype=np.float32)
        user_factors = _Equations(users, self._movies, start, QUERY_TOLERANCE, self.config.alpha).solve()
        scores: Float32Array = user_factors @ self.movie_factors_.T
        return scores

    @cached_property
    def _movies(self) -> _HeldSide:
        """The movies' side, kept for all queries: to compute it takes longer than a few of them."""
        return self._hold(self.movie_factors_)

    def _hold(self, factors: Float32Array) -> _HeldSide:
        penalty = self.config.regularization * np.eye(factors.shape[1], dtype=np.float32)
        gram = factors.T @ factors + penalty
        return _HeldSide(factors, gram, np.linalg.inv(gram).astype(np.float32, copy=False))


@dataclass(frozen=True)
class _Equations:
    """The equations for the factors of one side (users or movies), given those of the other side."""

    weights: csr_array
    """Sparse float32[n_rows, n_columns]: weight (w in the module's docstring) of each interaction of a row of the
    solved side with one of the other."""
    held: _HeldSide
    """The other side, with its n_columns factors."""
    start: Float32Array
    """float32[n_rows, n_factors]: where the search for the solution starts."""
    tolerance: float
    """Residual, relative to the right side, at which a row counts as solved."""
    alpha: float

    def solve(self, run_tasks: RunTasks = run_here) -> Float32Array:
        """Solve in blocks of rows; return float32[n_rows, n_factors]."""
        # A row's own vectors take as much room as a few entries.
        block = (self.weights.indptr[1:] + ROW_SIZE * np.arange(len(self.start))) // ENTRIES_AT_ONCE
        bounds = [*np.flatnonzero(starts_run(block)).tolist(), len(self.start)]
        tasks = [
            bounds[first : first + BLOCKS_PER_TASK + 1]
            for first in range(0, len(bounds) - 1, BLOCKS_PER_TASK)
        ]
        solution = np.empty_like(self.start)
        for within, rows in run_tasks(_solve_blocks, self, tasks):
            solution[within[0] : within[-1]] = rows
        return solution

    def descend(self, rows: slice) -> Float32Array:
        """Solve the equations of a block of rows by conjugate gradients, in parallel.

        The preconditioner is the matrix of a row without interactions. The matrix of another row adds a term for each
        of its interactions, so that a product takes time in proportion to these, not to the number of all movies or
        users. A row stops once its own residual is small enough, whatever the other rows do.

        Returns
        -------
        float32[n_block, n_factors]
        """
        weights, held, solution = self.weights[rows], self.held, self.start[rows].copy()
        alpha, lengths = self.alpha, np.diff(weights.indptr)
        entries = held.factors[weights.indices]  # float32[n_entries, n_factors], gathered once for all steps
        by_row = csr_array(
            (weights.data, np.arange(len(entries)), weights.indptr), shape=(len(lengths), len(entries))
        )

        def multiply(rows: Float32Array) -> Float32Array:
            """Multiply each row by the matrix of its own least-squares equation."""
            predicted = _dot(entries, np.repeat(rows, lengths, axis=0))
            by_row.data = alpha * weights.data * predicted
            product = rows @ held.gram
            product += by_row @ entries
            return product

        right_side = (1 + alpha) * (by_row @ entries)
        threshold = self.tolerance**2 * _dot(right_side, right_side)
        residual = right_side - multiply(solution)
        direction, last_slope = np.zeros_like(solution), np.ones(len(solution), dtype=np.float32)
        for _ in range(MAX_STEPS):
            unsolved = _dot(residual, residual) > threshold
            if not unsolved.any():
                break
            downhill = residual @ held.inverse
            slope = _dot(residual, downhill)
            direction *= (slope / last_slope)[:, None]
            direction += downhill
            change = multiply(direction)
            length = np.divide(slope, _dot(direction, change), out=np.zeros_like(slope), where=unsolved)
            solution += length[:, None] * direction
            residual -= length[:, None] * change
            last_slope = np.where(unsolved, slope, 1)
        return solution


def _solve_blocks(equations: _Equations, bounds: list[int]) -> Float32Array:
    """Solve consecutive blocks of rows, given where each begins and where the last ends."""
    return np.concatenate([equations.descend(slice(first, stop)) for first, stop in pairwise(bounds)])


def _dot(left: Float32Array, right: Float32Array) -> Float32Array:
    """Return the dot product of each row of `left` with the same row of `right`, float32[n_rows]."""
    product: Float32Array = np.einsum("ij,ij->i", left, right)
    return product
