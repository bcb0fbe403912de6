"""Exact top-k: the k best movies of every query, ties to the lower MovieID."""

import numpy as np

from nextreel.arrays import Float32Array, Int32Array


def top_k(scores: Float32Array, k: int) -> tuple[Int32Array, Float32Array]:
    """Movie indices and scores, both [n_queries, k], best first; k is at most the number of movies.

    The k-th largest maximum of disjoint blocks of movies bounds the k-th best score from below, so only the
    few movies that reach it need sorting.
    """
    n_queries, n_movies = scores.shape
    block = max(1, n_movies // (6 * k))
    whole = n_movies // block * block
    maxima = scores[:, :whole].reshape(n_queries, -1, block).max(axis=2)
    bound = np.partition(maxima, -k, axis=1)[:, -k]
    candidates = np.flatnonzero(scores >= bound[:, None])
    query, movie = np.divmod(candidates, n_movies)
    score = scores.reshape(-1)[candidates]
    best_first = np.lexsort((-score, query))
    first = np.searchsorted(query, np.arange(n_queries))
    chosen = best_first[first[:, None] + np.arange(k)]
    return movie[chosen].astype(np.int32), score[chosen]
