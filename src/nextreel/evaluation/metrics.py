"""Ranking metrics for queries with one relevant movie each, from the rank at which it was recommended.

With one relevant movie the ideal list has it first, so NDCG@k is 1 / log2(1 + rank) for a rank within k and 0
otherwise (Järvelin & Kekäläinen 2002), and Recall@k is the hit rate. A rank of 0 means: not recommended.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nextreel.arrays import BoolArray, Float64Array, Int64Array


def ranks_of(recommended: npt.NDArray[np.integer], relevant: npt.NDArray[np.integer]) -> Int64Array:
    """Rank (from 1) of each query's relevant movie among its recommendations [n_queries, k], 0 if absent."""
    found = recommended == relevant[:, None]
    return np.where(found.any(axis=1), found.argmax(axis=1) + 1, 0)


def ndcg(ranks: Int64Array, k: int) -> Float64Array:
    """NDCG@k of each query."""
    return np.where(_within(ranks, k), 1 / np.log2(1 + np.maximum(ranks, 1)), 0.0)


def recall(ranks: Int64Array, k: int) -> Float64Array:
    """Recall@k of each query: 1 if the movie was recommended, else 0."""
    return _within(ranks, k).astype(np.float64)


def reciprocal_rank(ranks: Int64Array, k: int) -> Float64Array:
    """1 / rank of each query within k, else 0; its mean is MRR@k."""
    return np.where(_within(ranks, k), 1 / np.maximum(ranks, 1), 0.0)


METRICS = {"NDCG": ndcg, "Recall": recall, "MRR": reciprocal_rank}


def score_ranks(ranks: Int64Array, cutoffs: Sequence[int]) -> dict[str, Float64Array]:
    """Every metric at every cutoff, of each query, by a name such as NDCG@10."""
    return {f"{name}@{k}": metric(ranks, k) for k in cutoffs for name, metric in METRICS.items()}


def _within(ranks: Int64Array, k: int) -> BoolArray:
    return (ranks >= 1) & (ranks <= k)
