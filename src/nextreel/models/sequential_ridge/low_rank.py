"""Leading directions of matrices, and the movies' embeddings and reduced-rank regression that are made of them.

Embeddings are found by randomised subspace iteration (Halko et al., "Finding Structure with Randomness", SIAM Review
2011).
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import qr
from scipy.sparse import csr_array

from nextreel.data.timeline import FloatArray
from nextreel.models.sequential_ridge.baskets import LATEST, Sequences, decay_matrix, sets_of

SHRINKAGE = 20.0
"""Added to a movie's count where co-occurrences are normalised, so that pairs of rare movies don't lead."""
SUBSPACE_ITERATIONS = 5
"""Products with a matrix whose leading directions are sought."""


def embed_movies(sequences: Sequences, dimensions: int, random: np.random.Generator) -> FloatArray:
    """Unit vectors from who watches a movie, every user weighing the same, and from what is watched beside it."""
    sets, n_movies = sets_of(sequences), sequences.events.shape[1]
    count = sequences.events.sum(axis=0)
    lengths = np.bincount(sequences.user)
    by_user = csr_array(
        (1 / np.sqrt(lengths[sequences.user], dtype=np.float32), (sequences.user, sequences.events.indices)),
        shape=(len(lengths), n_movies),
    )
    near: FloatArray = ((decay_matrix(sequences.owner, LATEST) @ sets).T @ sets).toarray()
    near += near.T.copy()

    def leading(multiply: Callable[[FloatArray], FloatArray], shrunk: FloatArray) -> FloatArray:
        values, vectors = leading_directions(
            lambda v: shrunk[:, None] * multiply(shrunk[:, None] * v), n_movies, dimensions, random
        )
        embedding = np.zeros((n_movies, dimensions), dtype=np.float32)
        embedding[:, : len(values)] = unit_rows(vectors * np.sqrt(np.maximum(values, 0)))
        return embedding

    return np.stack(
        [
            leading(lambda v: by_user.T @ (by_user @ v), 1 / np.sqrt(count + np.float32(SHRINKAGE))),
            leading(lambda v: near @ v, 1 / np.sqrt(np.diag(near) + np.float32(SHRINKAGE))),
        ]
    )


def reduce_rank(
    weights: FloatArray, second_moment: FloatArray, rank: int, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Two factors whose product predicts nearly what the weights do: reduced-rank regression."""
    _, directions = leading_directions(
        lambda vectors: weights.T @ (second_moment @ (weights @ vectors)), weights.shape[1], rank, random
    )
    return weights @ directions, np.ascontiguousarray(directions.T)


def leading_directions(
    multiply: Callable[[FloatArray], FloatArray], size: int, count: int, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Largest eigenvalues and their vectors of a symmetric matrix known by its products."""
    count = min(count, size)
    basis = random.standard_normal((size, min(count + 20, size)), dtype=np.float32)
    for _ in range(SUBSPACE_ITERATIONS):
        basis, _ = qr(multiply(basis), mode="economic", overwrite_a=True, check_finite=False)
    values, rotation = np.linalg.eigh(basis.T @ multiply(basis))
    return values[-count:], basis @ rotation[:, -count:]


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Rows of length 1; a row of zeros stays."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(norms, np.float32(1e-6))
    return unit
