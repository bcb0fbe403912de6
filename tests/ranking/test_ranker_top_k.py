import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nextreel.arrays import Float32Array
from nextreel.ranking.ranker import top_k

few_values = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])
scores_with_ties = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=90), elements=few_values)


@given(scores_with_ties, st.integers(1, 12))
def test_the_best_are_those_of_a_full_sort_with_ties_to_the_lower_movie(scores: Float32Array, k: int) -> None:
    k = min(k, scores.shape[1])
    movies, best = top_k(scores, k)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(movies, expected)
    np.testing.assert_array_equal(best, np.take_along_axis(scores, expected, axis=1))


def test_a_large_catalog_gives_the_same_as_a_full_sort() -> None:
    scores = np.random.default_rng(0).standard_normal((7, 5_003)).astype(np.float32)
    np.testing.assert_array_equal(top_k(scores, 10)[0], np.argsort(-scores, axis=1)[:, :10])
