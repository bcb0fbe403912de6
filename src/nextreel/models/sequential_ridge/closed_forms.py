"""The closed forms of the linear models: ridge regression and EASE."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nextreel.arrays import Float32Array

EASE_REGULARIZATION = 1000.0
"""Penalty on the undirected weights; their part of a score depends little on it."""


def solve_ease(gram: Float32Array) -> Float32Array:
    """Return the weights of EASE (see `nextreel.models.ease`) from the numbers of users that movies share."""
    identity = np.eye(len(gram), dtype=np.float32, order="F")
    inverse = solve_ridge(gram, identity, np.full(len(gram), EASE_REGULARIZATION, dtype=np.float32))
    weights: Float32Array = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def solve_ridge(gram: Float32Array, target: Float32Array, penalty: Float32Array) -> Float32Array:
    """Solve (gram + diag(penalty)) w = target for w, reading only the lower triangle of `gram`.

    Both `gram` and `target` are overwritten.
    """
    gram[np.diag_indices_from(gram)] += penalty
    factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    solution: Float32Array = np.ascontiguousarray(
        cho_solve(factor, target, overwrite_b=True, check_finite=False)
    )
    return solution
