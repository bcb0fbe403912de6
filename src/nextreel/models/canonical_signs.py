"""One sign for vectors that are defined up to their sign, such as eigenvectors and singular vectors.

Which of the two a library returns depends on rounding, and so on the number of threads and the processor.
"""

import numpy as np

from nextreel.arrays import Float32Array, Float64Array


def canonical_signs(vectors: Float32Array | Float64Array) -> Float32Array:
    """Return the sign, 1 or -1, by which to multiply each vector so that its product with one fixed vector is positive.

    The fixed vector is cos(0), cos(1), cos(2), and so on: no structure of the data is orthogonal to it. A rule by the
    sum or by the largest element would leave the sign to rounding for a vector like (1, -1, 0, ...), which tells two
    similar movies apart.

    Parameters
    ----------
    vectors : float[n, n_vectors]
        The vectors as columns.

    Returns
    -------
    float32[n_vectors]
    """
    products = np.cos(np.arange(len(vectors))) @ vectors
    return np.where(products < 0, np.float32(-1), np.float32(1))
