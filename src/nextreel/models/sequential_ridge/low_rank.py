"""Leading directions of matrices, and the movies' embeddings and reduced-rank regression that are made of them.

Embeddings are found by randomised subspace iteration (Halko et al., "Finding Structure with Randomness", SIAM Review
2011).
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import qr
from scipy.sparse import csr_array

from nextreel.arrays import Float32Array
from nextreel.models.sequential_ridge.baskets import LATEST, Sequences, decay_matrix, sets_of

SHRINKAGE = 20.0
"""Added to a movie's count where co-occurrences are normalised, so that pairs of rare movies don't lead."""
SUBSPACE_ITERATIONS = 5
"""Products with a matrix whose leading directions are sought."""


def embed_movies(sequences: Sequences, dimensions: int, random: np.random.Generator) -> Float32Array:
    """Unit vectors from who watches a movie, every user weighing the same, and from what is watched beside it."""
    sets, n_movies = sets_of(sequences), sequences.events.shape[1]
    count = sequences.events.sum(axis=0)
    lengths = np.bincount(sequences.user)
    by_user = csr_array(
        (1 / np.sqrt(lengths[sequences.user], dtype=np.float32), (sequences.user, sequences.events.indices)),
        shape=(len(lengths), n_movies),
    )
    near: Float32Array = ((decay_matrix(sequences.owner, LATEST) @ sets).T @ sets).toarray()
    near += near.T.copy()

    def leading(multiply: Callable[[Float32Array], Float32Array], shrunk: Float32Array) -> Float32Array:
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
    weights: Float32Array, second_moment: Float32Array, rank: int, random: np.random.Generator
) -> tuple[Float32Array, Float32Array]:
    """Two factors whose product predicts nearly what the weights do: reduced-rank regression."""
    _, directions = leading_directions(
        lambda vectors: weights.T @ (second_moment @ (weights @ vectors)), weights.shape[1], rank, random
    )
    return weights @ directions, np.ascontiguousarray(directions.T)


def leading_directions(
    multiply: Callable[[Float32Array], Float32Array], size: int, count: int, random: np.random.Generator
) -> tuple[Float32Array, Float32Array]:
    """Largest eigenvalues and their vectors of a symmetric matrix known by its products."""
    count = min(count, size)
    basis = random.standard_normal((size, min(count + 20, size)), dtype=np.float32)
    for _ in range(SUBSPACE_ITERATIONS):
        basis, _ = qr(multiply(basis), mode="economic", overwrite_a=True, check_finite=False)
    values, rotation = np.linalg.eigh(basis.T @ multiply(basis))
    return values[-count:], basis @ rotation[:, -count:]


def unit_rows(vectors: Float32Array) -> Float32Array:
    """Rows of length 1; a row of zeros stays."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32Array = vectors / np.maximum(norms, np.float32(1e-6))
    return unit
