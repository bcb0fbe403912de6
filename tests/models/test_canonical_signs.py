import numpy as np
import pytest

from nextreel.models.canonical_signs import canonical_signs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_vector_and_its_opposite_become_the_same_vector(dtype: type[np.floating]) -> None:
    vectors = np.random.default_rng(0).standard_normal((50, 20)).astype(dtype)
    signs = canonical_signs(vectors)
    assert set(signs) == {-1, 1}
    assert np.array_equal(vectors * signs, -vectors * canonical_signs(-vectors))


def test_rounding_does_not_decide_the_sign_of_a_vector_that_tells_two_movies_apart() -> None:
    """Its elements sum to zero, and two are equally large."""
    pairs = [(i, j) for i in range(40) for j in range(i)]
    vectors = np.zeros((40, len(pairs)), dtype=np.float32)
    for column, (i, j) in enumerate(pairs):
        vectors[[i, j], column] = 1, -1
    noise = 1e-6 * np.random.default_rng(0).standard_normal(vectors.shape)
    assert np.array_equal(canonical_signs(vectors), canonical_signs(vectors + noise))


def test_a_vector_of_zeros_stays() -> None:
    assert canonical_signs(np.zeros((3, 1), dtype=np.float32)) == 1
