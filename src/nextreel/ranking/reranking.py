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
import polars as pl

from nextreel.arrays import Float32Array
from nextreel.data.schema import POSITIVE
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.ranking.filters import list_genres
from nextreel.ranking.ranker import Ranking

CANDIDATES = 100
"""How many of the best to choose from, as a rule; further ones have scores too low to come in."""
MIXED_IN = 0.01
"""Steck's alpha: the share of p in q."""
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


def share_genres(movies: pl.DataFrame) -> Float32Array:
    """float32[n_movies, n_genres]: each movie's share of each of its genres; all 0 where none is known.

    `movies` is a dataset's; the genres stand in the order of `list_genres`.
    """
    number = {genre: column for column, genre in enumerate(list_genres(movies))}
    listed = movies.select("Genres").with_row_index("movie").explode("Genres").drop_nulls()
    shares = np.zeros((len(movies), len(number)), dtype=np.float32)
    shares[listed["movie"].to_numpy(), [number[genre] for genre in listed["Genres"]]] = 1
    return _normalise(shares)


def liked_genres(histories: Histories, genres: Float32Array) -> Float32Array:
    """p, float32[n_queries, n_genres]: genres of the movies rated 4 or better in each history; sums to 1, or 0."""
    query, row = histories.rows()
    liked = histories.timeline.ratings[row] >= POSITIVE
    movies = histories.timeline.movies[row[liked]]
    totals = np.zeros((len(histories), genres.shape[1]), dtype=np.float32)
    np.add.at(totals, query[liked], genres[movies])
    return _normalise(totals)


def divergence(liked: Float32Array, listed: Float32Array) -> Float32Array:
    """KL(p, q) along the last axis, q being `listed` brought to a sum of 1 and mixed with MIXED_IN of p."""
    mixed = (1 - MIXED_IN) * _normalise(listed) + MIXED_IN * liked
    ratio = np.divide(liked, mixed, out=np.ones_like(mixed), where=np.broadcast_to(liked > 0, mixed.shape))
    kl: Float32Array = (liked * np.log(ratio)).sum(axis=-1)
    return kl


def variety(movies: Float32Array) -> Float32Array:
    """1 minus the mean cosine of the genres of a list's pairs: float32[n] of the lists' shares [n, k, n_genres]."""
    k = movies.shape[1]
    total = np.square(unit_rows(movies).sum(axis=1)).sum(axis=1)
    own = (movies.sum(axis=2) > 0).sum(axis=1)
    varied: Float32Array = 1 - (total - own).astype(np.float32) / (k * (k - 1))
    return varied


def _scale(scores: Float32Array) -> Float32Array:
    """Each row's scores brought to 0 to 1; -inf stays 0."""
    finite = np.isfinite(scores)
    low = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    high = np.where(finite, scores, -np.inf).max(axis=1, keepdims=True)
    scaled: Float32Array = np.divide(
        scores - low, high - low, out=np.zeros_like(scores), where=finite & (high > low)
    )
    return scaled


def _normalise(totals: Float32Array) -> Float32Array:
    sums = totals.sum(axis=-1, keepdims=True)
    normalised: Float32Array = np.divide(totals, sums, out=np.zeros_like(totals), where=sums > 0)
    return normalised


def unit_rows(vectors: Float32Array) -> Float32Array:
    """Each vector along the last axis brought to length 1; one of length 0 stays."""
    norms = np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    unit: Float32Array = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit
