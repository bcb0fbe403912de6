"""Lists that are more varied, or whose genres are those of the user, chosen from a longer list of candidates.

The list I grows by the candidate i that maximises, after those chosen already,

    (1 - d - c) s(i) - d max_{j in I} sim(i, j) - c KL(p, q(I + i))

s is the score, scaled to 0 for the last candidate and 1 for the first. With d alone this is maximal marginal
relevance (Carbonell & Goldstein, SIGIR 1998), where sim is the cosine of two movies' genres. With c alone it is
calibration (Steck, "Calibrated Recommendations", RecSys 2018): p are the shares of the genres in what the user liked,
q(I) those in the list, mixed with 1 % of p so that the divergence stays finite. Each movie divides one share equally
among its genres.
"""

import numpy as np

from nextreel.arrays import Float32Array
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.ranking.genres import divergence, liked_genres, unit_rows
from nextreel.ranking.ranker import Ranking

CANDIDATES = 100
"""How many of the best to choose from, as a rule; further ones have scores too low to come in."""
LAST = -1e6
"""Worth of a movie that was only added to make the list full: it comes after all others."""


def rerank(
    ranking: Ranking,
    genres: Float32Array,
    histories: Histories,
    k: int,
    diversity: float = 0.0,
    calibration: float = 0.0,
) -> Ranking:
    """The k movies to show of each query's candidates.

    Parameters
    ----------
    ranking : Ranking
        Candidates, at least k of each query, such as the CANDIDATES best.
    genres : float32[n_movies, n_genres]
        Of `share_genres`.
    histories : Histories
        Of the same queries; a user who has liked nothing isn't calibrated.
    diversity, calibration : float
        d and c, from 0, together at most 1; with both 0 the list is the first k candidates.

    Returns
    -------
    Chosen first comes first, so the scores, which stay the model's own, needn't fall along the list.
    """
    if min(diversity, calibration) < 0 or not diversity + calibration <= 1:
        raise QueryError(
            f"diversity is {diversity:g} and calibration {calibration:g}; expected numbers from 0, together at most 1"
        )
    n_queries, n_candidates = ranking.movies.shape
    if not 1 <= k <= n_candidates:
        raise QueryError(f"k is {k}; there are {n_candidates} candidates, so expected 1 to that")
    shares = genres[ranking.movies]
    directions = unit_rows(shares)
    liked = liked_genres(histories, genres)
    value = np.where(
        np.isneginf(ranking.scores), LAST, (1 - diversity - calibration) * _scale(ranking.scores)
    )
    nearest = np.zeros((n_queries, n_candidates), dtype=np.float32)
    listed = np.zeros((n_queries, 1, genres.shape[1]), dtype=np.float32)
    query, chosen = np.arange(n_queries), np.empty((n_queries, k), dtype=np.int64)
    for place in range(k):
        worth = value.copy()
        if diversity:
            worth -= diversity * nearest
        if calibration:
            worth -= calibration * divergence(liked[:, None], listed + shares)
        best = chosen[:, place] = worth.argmax(axis=1)
        value[query, best] = -np.inf
        if diversity:
            similarity = (directions @ directions[query, best][:, :, None])[:, :, 0]
            np.maximum(nearest, similarity, out=nearest)
        listed += shares[query, best][:, None]
    return Ranking(
        movies=np.take_along_axis(ranking.movies, chosen, axis=1),
        scores=np.take_along_axis(ranking.scores, chosen, axis=1),
        personal=ranking.personal,
    )


def _scale(scores: Float32Array) -> Float32Array:
    """Each row's scores brought to 0 to 1; -inf stays 0."""
    finite = np.isfinite(scores)
    low = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(finite, scores, -np.inf).max(axis=1, keepdims=True)
    scaled: Float32Array = np.divide(
        scores - low, high - low, out=np.zeros_like(scores), where=finite & (high > low)
    )
    return scaled
