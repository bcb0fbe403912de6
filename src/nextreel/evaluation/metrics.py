"""Ranking metrics of queries with one relevant movie each, computed from the rank of that movie.

With one relevant movie, the ideal list puts it first. NDCG@k is therefore 1 / log2(1 + rank) if the rank is at most
k and 0 otherwise (Järvelin & Kekäläinen 2002), and Recall@k is the hit rate. A rank of 0 stands for a movie that
isn't in the list.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nextreel.arrays import BoolArray, Float64Array, Int64Array


def ranks_of(recommended: npt.NDArray[np.integer], relevant: npt.NDArray[np.integer]) -> Int64Array:
    """Return the rank of each query's relevant movie in its recommendation list.

    Parameters
    ----------
    recommended : int[n_queries, k]
        Movie indices of each query's recommendation list, best first.
    relevant : int[n_queries]
        The relevant movie of each query.

    Returns
    -------
    int64[n_queries]
        Ranks from 1; 0 if the movie isn't in the list.
    """
    hits = recommended == relevant[:, None]
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)


def ndcg(ranks: Int64Array, k: int) -> Float64Array:
    """Return NDCG@k of each query, float64[n_queries], from the rank of its relevant movie (0: not in the list)."""
    return np.where(_is_within(ranks, k), 1 / np.log2(1 + np.maximum(ranks, 1)), 0.0)


def recall(ranks: Int64Array, k: int) -> Float64Array:
    """Return Recall@k of each query, float64[n_queries]: 1 if its relevant movie has a rank from 1 to k, else 0."""
    return _is_within(ranks, k).astype(np.float64)


def reciprocal_rank(ranks: Int64Array, k: int) -> Float64Array:
    """Return 1 / rank of each query, 0 beyond rank k: float64[n_queries], whose mean is MRR@k."""
    return np.where(_is_within(ranks, k), 1 / np.maximum(ranks, 1), 0.0)


METRICS = {"NDCG": ndcg, "Recall": recall, "MRR": reciprocal_rank}


def score_ranks(ranks: Int64Array, cutoffs: Sequence[int]) -> dict[str, Float64Array]:
    """Return NDCG, Recall and reciprocal rank at every cutoff, each float64[n_queries], by a name such as NDCG@10."""
    return {f"{name}@{k}": metric(ranks, k) for k in cutoffs for name, metric in METRICS.items()}


def _is_within(ranks: Int64Array, k: int) -> BoolArray:
    return (ranks >= 1) & (ranks <= k)
