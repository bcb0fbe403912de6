"""Re-ranking: lists that are more varied, or that match the user's genres, chosen from a longer list of candidates.

The list I grows greedily by the candidate i that maximises

    (1 - d - c) s(i) - d max_{j in I} sim(i, j) - c KL(p, q(I + i))

s is the score, scaled to 0 for the last candidate and 1 for the first. With d alone this is maximal marginal
relevance (Carbonell & Goldstein, SIGIR 1998), where sim is the cosine of two movies' genres. With c alone it is
calibration (Steck, "Calibrated Recommendations", RecSys 2018): p are the shares of the genres among the user's
positives, and q(I) those in the list, mixed with 1 % of p so that the divergence stays finite. Each movie divides one
share equally among its genres.
"""

import numpy as np

from nextreel.arrays import Float32Array
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.ranking.genres import divergence, liked_genres, unit_rows
from nextreel.ranking.ranker import Ranking

CANDIDATES = 100
"""Usual number of candidates to choose a list from; further ones have too low scores to be chosen."""
FILLER_VALUE = -1e6
"""Score term of a candidate that wasn't recommended but only fills up the list: so low that it is chosen last."""


def rerank(
    ranking: Ranking,
    genres: Float32Array,
    histories: Histories,
    k: int,
    diversity: float = 0.0,
    calibration: float = 0.0,
) -> Ranking:
    """Choose the k movies of each list from the query's candidates.

    Parameters
    ----------
    ranking : Ranking
        The candidates, at least k for each query, best first; CANDIDATES of them are usual.
    genres : float32[n_movies, n_genres]
        The result of `share_genres`.
    histories : Histories
        The histories of the same queries. Lists of users without positives aren't calibrated.
    k : int
        Length of the lists.
    diversity, calibration : float
        The weights d and c in the module's formula: at least 0, and together at most 1. If both are 0, the list is
        the first k candidates.

    Returns
    -------
    The movies in the order in which they were chosen. Their scores are the model's own, so they don't always fall
    along the list.

    Raises
    ------
    QueryError
        `diversity`, `calibration` or `k` is out of range.
    """
    if min(diversity, calibration) < 0 or not diversity + calibration <= 1:
        raise QueryError(
            f"diversity is {diversity:g} and calibration {calibration:g}; expected numbers from 0, together at most 1"
        )
    n_queries, n_candidates = ranking.movies.shape
    if not 1 <= k <= n_candidates:
        raise QueryError(
            f"k is {k}; there are {n_candidates} candidates, so expected a whole number from 1 to {n_candidates}"
        )
    shares = genres[ranking.movies]
    directions = unit_rows(shares)
    liked = liked_genres(histories, genres)
    value = np.where(
        np.isneginf(ranking.scores), FILLER_VALUE, (1 - diversity - calibration) * _scale(ranking.scores)
    )
    largest_similarity = np.zeros((n_queries, n_candidates), dtype=np.float32)
    listed = np.zeros((n_queries, 1, genres.shape[1]), dtype=np.float32)
    query, chosen = np.arange(n_queries), np.empty((n_queries, k), dtype=np.int64)
    for place in range(k):
        objective = value.copy()
        if diversity:
            objective -= diversity * largest_similarity
        if calibration:
            objective -= calibration * divergence(liked[:, None], listed + shares)
        best = chosen[:, place] = objective.argmax(axis=1)
        value[query, best] = -np.inf
        if diversity:
            similarity = (directions @ directions[query, best][:, :, None])[:, :, 0]
            np.maximum(largest_similarity, similarity, out=largest_similarity)
        listed += shares[query, best][:, None]
    return Ranking(
        movies=np.take_along_axis(ranking.movies, chosen, axis=1),
        scores=np.take_along_axis(ranking.scores, chosen, axis=1),
        personal=ranking.personal,
    )


def _scale(scores: Float32Array) -> Float32Array:
    """Scale the finite scores of each row linearly to the range 0 to 1; -inf becomes 0."""
    finite = np.isfinite(scores)
    low = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(finite, scores, -np.inf).max(axis=1, keepdims=True)
    scaled: Float32Array = np.divide(
        scores - low, high - low, out=np.zeros_like(scores), where=finite & (high > low)
    )
    return scaled
