"""Leading eigenvectors of symmetric matrices, and a regression of low rank that is made of them.

The movies' eigenvectors are computed by randomised subspace iteration (Halko et al., "Finding Structure with
Randomness", SIAM Review 2011), which needs only products with the matrix, so a product of sparse matrices is never
multiplied out.

All of this is computed in float64 and with canonical signs. Random features are not linear, so they change as a whole
when a vector changes its sign or two vectors with close eigenvalues turn in their plane, and in float32 the order of a
sum, which depends on the number of threads, is enough to turn them.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh, qr

from nextreel.arrays import Float32Array, Float64Array
from nextreel.models.canonical_signs import canonical_signs

SUBSPACE_ITERATIONS = 5
"""Number of multiplications with the matrix whose eigenvectors are sought: more of them give more exact eigenvectors,
and take more time."""
OVERSAMPLING = 20
"""Number of extra directions that the search for eigenvectors iterates and then drops, which makes the wanted
eigenvectors more exact (Halko et al.)."""
MIN_NORM = 1e-6
"""Smallest norm by which `unit_rows` divides a vector, so that a vector of zeros stays zero."""

Multiply = Callable[[Float64Array], Float64Array]
"""A function that multiplies some symmetric matrix, [n, n], by vectors, [n, k]; the matrix itself is never built."""


def reduce_rank(
    weights: Float32Array, gram: Float32Array, penalty: float, rank: int
) -> tuple[Float32Array, Float32Array]:
    """Return two matrices of low rank whose product predicts nearly what `weights` predict.

    This is reduced-rank ridge regression (Mukherjee & Zhu, "Reduced Rank Ridge Regression and Its Kernel Extensions",
    2011). With V the weights and G the gram plus the penalty, the predictions are projected on their leading
    directions, the leading eigenvectors of V'GV. Here they are computed from the smaller matrix VV'G: its eigenvectors
    U, with U'GU = 1, are the first factor, and U'GV is the second.

    Parameters
    ----------
    weights : float32[n_features, n_movies]
        Solution of a ridge regression.
    gram : float32[n_features, n_features]
        Z'Z, with Z the features of the regression's rows.
    penalty : float
        The regression's penalty on the squares of its weights.
    rank : int
        Rank of the product.

    Returns
    -------
    (float32[n_features, rank], float32[rank, n_movies]), with a rank of at most n_features and n_movies.
    """
    n_features, n_movies = weights.shape
    exact = weights.astype(np.float64)
    penalised = gram + penalty * np.eye(n_features)
    dropped = n_features - min(rank, n_features, n_movies)
    _, vectors = eigh(
        exact @ exact.T, penalised, type=2, subset_by_index=[dropped, n_features - 1], check_finite=False
    )
    inner = vectors * canonical_signs(vectors)
    outer = (inner.T @ penalised) @ exact
    return inner.astype(np.float32), outer.astype(np.float32)


def leading_eigenvectors(
    multiply: Multiply, size: int, count: int, random: np.random.Generator
) -> tuple[Float64Array, Float64Array]:
    """Return the `count` largest eigenvalues of a symmetric matrix, ascending, and their eigenvectors.

    The eigenvectors have canonical signs.

    Parameters
    ----------
    multiply : Multiply
        Multiplies the matrix by vectors.
    size : int
        Number of rows of the matrix.
    count : int
        Number of eigenvectors; at most `size` are returned.
    random : np.random.Generator
        Draws the subspace that the iteration starts from.

    Returns
    -------
    (float64[count], float64[size, count])
    """
    count = min(count, size)
    start = random.standard_normal((size, min(count + OVERSAMPLING, size)), dtype=np.float32)
    basis: Float64Array = start.astype(np.float64)
    for _ in range(SUBSPACE_ITERATIONS):
        basis, _ = qr(multiply(basis), mode="economic", overwrite_a=True, check_finite=False)
    values, rotation = np.linalg.eigh(basis.T @ multiply(basis))
    vectors = basis @ rotation[:, -count:]
    return values[-count:], vectors * canonical_signs(vectors)


def unit_rows(vectors: Float32Array | Float64Array) -> Float32Array:
    """Return float32[n_rows, n]: the rows scaled to length 1; a row of zeros stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32Array = (vectors / np.maximum(norms, np.float32(MIN_NORM))).astype(np.float32, copy=False)
    return unit
