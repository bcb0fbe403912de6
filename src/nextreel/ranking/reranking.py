"""Re-ranking: lists that are more varied, or that match the user's genres, chosen from a longer list of candidates.

The list I grows greedily by the candidate i that maximises

    (1 - d - c) s(i) - d max_{j in I} sim(i, j) - c KL(p, q(I + i))

s is the score, scaled to 0 for the last candidate and 1 for the first. With d alone this is maximal marginal
relevance (Carbonell & Goldstein, SIGIR 1998), where sim is the cosine of two movies' genres. With c alone it is
calibration (Steck, "Calibrated Recommendations", RecSys 2018): p are the shares of the genres among the user's
positives, and q(I) those in the list, mixed with 1 % of p so that the divergence stays finite. Each movie divides one
share equally among its genres.

Only its genres decide what a candidate adds to a list. Of candidates with the same genres, the best one left is thus
always chosen first. In long lists, only these compete: there are a few hundred combinations of genres at most, whatever
the number of candidates.
"""

import numpy as np

from nextreel.arrays import Float32Array, Int32Array, Int64Array
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.ranking.genres import divergence, liked_genres, unit_rows
from nextreel.ranking.ranker import Ranking
from nextreel.stopping import stop_if_unwanted

CANDIDATES = 100
"""Usual number of candidates to choose a list from; further ones have too low scores to be chosen."""
FILLER_VALUE = -1e6
"""Score term of a candidate that wasn't recommended but only fills up the list: so low that it is chosen last."""
NUMBERS_AT_ONCE = 4_000_000
"""Number of genre shares (queries times candidates times genres) per batch, to bound the memory."""
MANY_QUERIES = 8
"""Number of queries from which on it is faster to choose long diverse lists by their combinations of genres."""


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
    liked = liked_genres(histories, genres)
    value = np.where(
        np.isneginf(ranking.scores), FILLER_VALUE, (1 - diversity - calibration) * _scale(ranking.scores)
    )
    is_long = n_candidates > CANDIDATES and (calibration > 0 or n_queries >= MANY_QUERIES)
    choose = _choose_by_genres if is_long else _choose
    chosen = np.empty((n_queries, k), dtype=np.int64)
    at_once = max(1, NUMBERS_AT_ONCE // max(1, n_candidates * genres.shape[1]))
    for start in range(0, n_queries, at_once):
        block = slice(start, start + at_once)
        candidates = ranking.movies[block]
        chosen[block] = choose(candidates, value[block], genres, liked[block], k, diversity, calibration)
    return Ranking(
        movies=np.take_along_axis(ranking.movies, chosen, axis=1),
        scores=np.take_along_axis(ranking.scores, chosen, axis=1),
        personal=ranking.personal,
    )


def _choose(
    candidates: Int32Array,
    value: Float32Array,
    genres: Float32Array,
    liked: Float32Array,
    k: int,
    diversity: float,
    calibration: float,
) -> Int64Array:
    """Choose k of the candidates of each query.

    Parameters
    ----------
    candidates : int32[n_queries, n_candidates]
        Movie indices, best first.
    value : float32[n_queries, n_candidates]
        The first term of the module's formula.
    genres : float32[n_movies, n_genres]
        Genre shares of the movies.
    liked : float32[n_queries, n_genres]
        Genre shares of each user's positives.
    k, diversity, calibration : int, float, float
        As in `rerank`.

    Returns
    -------
    int64[n_queries, k]: places in `candidates`, in the order in which they were chosen.
    """
    shares = genres[candidates]
    directions = unit_rows(shares)
    value = value.copy()
    largest_similarity = np.zeros_like(value)
    listed = np.zeros((len(candidates), 1, genres.shape[1]), dtype=np.float32)
    query, chosen = np.arange(len(candidates)), np.empty((len(candidates), k), dtype=np.int64)
    for place in range(k):
        stop_if_unwanted()
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
    return chosen


def _choose_by_genres(
    candidates: Int32Array,
    value: Float32Array,
    genres: Float32Array,
    liked: Float32Array,
    k: int,
    diversity: float,
    calibration: float,
) -> Int64Array:
    """Choose the same as `_choose`, in time that grows with the combinations of genres instead of the candidates.

    Of each combination, only the first candidate that is left competes.
    """
    n_queries, n_candidates = candidates.shape
    shares, combination = _combinations(candidates, genres)
    directions, n_combinations = unit_rows(shares), len(shares)
    # The candidates of each combination stand together, in their order; an end marker follows those of each query.
    order = np.argsort(combination, axis=1, kind="stable")
    order = np.hstack([order, np.full((n_queries, 1), n_candidates)])
    value = np.hstack([value, np.full((n_queries, 1), -np.inf, dtype=value.dtype)])
    counted = np.arange(n_queries)[:, None] * n_combinations + combination
    counts = np.bincount(counted.ravel(), minlength=n_queries * n_combinations)
    stops = counts.reshape(n_queries, n_combinations).cumsum(axis=1)
    next_ = np.hstack([np.zeros((n_queries, 1), dtype=np.int64), stops[:, :-1]])
    query, chosen = np.arange(n_queries), np.empty((n_queries, k), dtype=np.int64)
    first = np.where(next_ < stops, order[query[:, None], next_], n_candidates)
    first_value = value[query[:, None], first]
    penalty = np.zeros((n_queries, n_combinations), dtype=np.float32)
    largest_similarity = np.zeros_like(penalty)
    is_listed = np.zeros((n_queries, n_combinations), dtype=np.bool_)
    listed = np.zeros((n_queries, 1, genres.shape[1]), dtype=np.float32)
    for place in range(k):
        stop_if_unwanted()
        objective = first_value - penalty if diversity else first_value.copy()
        if calibration:
            objective -= calibration * divergence(liked[:, None], listed + shares)
        is_best = objective == objective.max(axis=1, keepdims=True)
        best = np.where(is_best, first, n_candidates).argmin(axis=1)
        chosen[:, place] = first[query, best]
        next_[query, best] += 1
        following, is_left = next_[query, best], next_[query, best] < stops[query, best]
        first[query, best] = np.where(is_left, order[query, following], n_candidates)
        first_value[query, best] = value[query, first[query, best]]
        if diversity and (is_new := ~is_listed[query, best]).any():
            new = query[is_new]
            is_listed[new, best[is_new]] = True
            similarity = (directions[None] @ directions[best[is_new]][:, :, None])[:, :, 0]
            largest_similarity[new] = np.maximum(largest_similarity[new], similarity)
            penalty[new] = diversity * largest_similarity[new]
        listed += shares[best][:, None]
    return chosen


def _combinations(candidates: Int32Array, genres: Float32Array) -> tuple[Float32Array, Int64Array]:
    """Return the different combinations of genres of the candidates, and which one each candidate has.

    Returns
    -------
    shares : float32[n_combinations, n_genres]
        Genre shares of each combination.
    combination : int64[n_queries, n_candidates]
        Index of the combination of each candidate.
    """
    movies, movie = np.unique(candidates, return_inverse=True)
    shares, of_movie = np.unique(genres[movies], axis=0, return_inverse=True)
    return shares, of_movie.reshape(-1)[movie.reshape(candidates.shape)]


def _scale(scores: Float32Array) -> Float32Array:
    """Scale the finite scores of each row linearly to the range 0 to 1; -inf becomes 0."""
    finite = np.isfinite(scores)
    low = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(finite, scores, -np.inf).max(axis=1, keepdims=True)
    scaled: Float32Array = np.divide(
        scores - low, high - low, out=np.zeros_like(scores), where=finite & (high > low)
    )
    return scaled
