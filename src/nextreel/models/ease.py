"""EASE, the embarrassingly shallow autoencoder.

A linear map B between movies with a zero diagonal reproduces the users' binary vectors X, so that each movie is
explained by the others: minimise |X - X B|^2 + lambda |B|^2. The closed form (Steck, "Embarrassingly Shallow
Autoencoders for Sparse Data", WWW 2019) is

    P = (X' X + lambda I)^-1        B[i, j] = -P[i, j] / P[j, j] for i != j

The scores of a query are x B, where x is the user's vector as of the query, with recent interactions weighted more.

The matrix is inverted in place, by its Cholesky factor. A fit thus takes 4 bytes of memory for each pair of movies, as
the fitted model does, and time with the cube of their number. In a large catalog only the most rated movies are
learned: the others have the score 0, and a rating of one has no effect.
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field
from scipy.linalg import lapack
from scipy.sparse import csr_array

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Arrays, BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import DataError
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.common_users import MATRIX_BYTES, counting_steps, map_common_users
from nextreel.models.fit_cost import FitCost
from nextreel.models.popularity import CATALOG_SIZE
from nextreel.models.training.epochs import Training
from nextreel.models.user_vectors import HalfLife, UnlikedWeight, build_interaction_matrix, build_profiles
from nextreel.options import Range

MIRRORED_AT_ONCE = 1024
"""Number of rows of the inverse whose lower triangle is filled at once, to bound the memory."""


class EASEConfig(ModelConfig):
    # The best value grows with the number of users: tens for hundreds of users, thousands for tens of thousands.
    regularization: Annotated[float, Field(gt=0), Range(10.0, 2e4, log=True)] = 2000.0
    """lambda: about how many users must share a pair of movies before the pair gets a large weight."""
    most_movies: int = Field(default=10_000, ge=1, le=100_000)
    """Number of movies that the model learns, the most rated ones."""
    half_life: HalfLife = 3.0
    """Number of interactions after which a weight in the user's vector halves; None gives all interactions the same
    weight, as the paper does."""
    unliked_weight: UnlikedWeight = 0.5
    """Weight in the user's vector of a movie that wasn't liked, relative to one that was."""


class EASE(Recommender):
    Config = EASEConfig
    fits_by_tasks = True
    config: EASEConfig

    learned_: Int32Array
    """int32[n_learned]: indices of the movies that the model learned, ascending."""
    weights_: Float32Array
    """float32[n_learned, n_learned]: B in the module's formula, what a watched movie (row) adds to the score of a movie
    (column), both in the order of `learned_`."""
    n_movies_: int
    """Number of movies in the catalog."""

    def array_specs(self) -> Specs:
        return {
            "learned_": ArraySpec(
                "int32", ("n_learned",), least=0, below="n_movies", order="strictly ascending"
            ),
            "weights_": ArraySpec("float32", ("n_learned", "n_learned")),
            "n_movies_": CATALOG_SIZE,
        }

    def upgrade(self, state: Arrays) -> Arrays:
        """Return the state of now; an earlier nextreel learned all movies and saved only `weights_`."""
        if state.keys() != {"weights_"}:
            return state
        n_movies = len(state["weights_"])
        return {**state, "learned_": np.arange(n_movies, dtype=np.int32), "n_movies_": np.array([n_movies])}

    def fit_cost(self, dataset: Dataset) -> FitCost:
        n_learned = min(self.config.most_movies, dataset.n_movies)
        memory = MATRIX_BYTES * len(dataset.timeline) + 4 * n_learned**2
        return FitCost(memory, n_learned**3 / 2, counting_steps(dataset), advice="set most_movies lower")

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Count the users that movies have in common, and invert the matrix of these counts.

        Raises
        ------
        DataError
            The regularization is so small that rounding errors outweigh it.
        """
        self.n_movies_ = dataset.n_movies
        counts = np.bincount(dataset.timeline.movies, minlength=dataset.n_movies)
        most_rated = np.argsort(-counts, kind="stable")[: self.config.most_movies]
        self.learned_ = np.sort(most_rated).astype(np.int32)
        self.weights_ = np.empty((len(self.learned_), len(self.learned_)), dtype=np.float32)
        by_user = build_interaction_matrix(dataset)[:, self.learned_]
        for movies, common_users in map_common_users(by_user, _to_dense, None, training):
            self.weights_[movies] = common_users
        self.weights_[np.diag_indices_from(self.weights_)] += self.config.regularization
        if not _invert_in_place(self.weights_):
            raise DataError(
                f"the regularization {self.config.regularization:g} is too small for so many interactions; "
                "increase it"
            )
        self.weights_ /= -np.diag(self.weights_).copy()
        np.fill_diagonal(self.weights_, 0)
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        users = build_profiles(histories, self.n_movies_, self.config.half_life, self.config.unliked_weight)
        scores = np.zeros((len(histories), self.n_movies_), dtype=np.float32)
        scores[:, self.learned_] = users[:, self.learned_] @ self.weights_
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        """Return bool[n_queries]: whether the history has a movie that the model learned."""
        is_learned = np.zeros(self.n_movies_, dtype=np.bool_)
        is_learned[self.learned_] = True
        query, row = histories.rows()
        known = np.zeros(len(histories), dtype=np.bool_)
        known[query[is_learned[histories.timeline.movies[row]]]] = True
        return known


def _to_dense(context: None, first: int, common_users: csr_array) -> Float32Array:
    """Return the counts of a block of movies with the zeros between them."""
    counts: Float32Array = common_users.toarray()
    return counts


def _invert_in_place(matrix: Float32Array) -> bool:
    """Replace a symmetric float32[n, n] by its inverse; return False if it isn't positive definite.

    LAPACK gets the transpose, whose columns are contiguous, and computes its lower triangle; the other one is then
    mirrored.
    """
    if not len(matrix):
        return True
    factor, failed = lapack.spotrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    if failed:
        return False
    _, failed = lapack.spotri(factor, lower=True, overwrite_c=True)
    for first in range(0, len(matrix), MIRRORED_AT_ONCE):
        block = slice(first, first + MIRRORED_AT_ONCE)
        diagonal_block = np.triu(matrix[block, block])
        matrix[block, block] = diagonal_block + np.triu(diagonal_block, 1).T
        matrix[block.stop :, block] = matrix[block, block.stop :].T
    return not failed
