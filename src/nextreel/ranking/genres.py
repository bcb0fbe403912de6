"""Genres as numbers: a movie's shares, a user's taste, and the variety and calibration of a list."""

import numpy as np
import polars as pl

from nextreel.arrays import Float32Array
from nextreel.data.timeline import Histories

SMOOTHING = 0.01
"""Share of the user's genres that is mixed into those of the list, so that their divergence stays finite.

It is alpha in Steck, "Calibrated Recommendations" (RecSys 2018).
"""


def list_genres(movies: pl.DataFrame) -> list[str]:
    """Return all genres of a catalog, sorted."""
    return movies["Genres"].explode().drop_nulls().unique().sort().to_list()


def share_genres(movies: pl.DataFrame) -> Float32Array:
    """Divide one share equally among the genres of each movie: float32[n_movies, n_genres].

    `movies` is the catalog of a dataset; the genres are in the order of `list_genres`. The row of a movie without
    genres is 0.
    """
    column_of = {genre: column for column, genre in enumerate(list_genres(movies))}
    pairs = movies.select("Genres").with_row_index("movie").explode("Genres").drop_nulls()
    shares = np.zeros((len(movies), len(column_of)), dtype=np.float32)
    shares[pairs["movie"].to_numpy(), [column_of[genre] for genre in pairs["Genres"]]] = 1
    return _normalise(shares)


def liked_genres(histories: Histories, genres: Float32Array) -> Float32Array:
    """Return the genre shares of the positives (liked movies) in each history: float32[n_queries, n_genres].

    `genres` is the result of `share_genres`. A row sums to 1, or to 0 if the history has no positive with a genre.
    """
    query, row = histories.rows()
    positive = histories.timeline.is_positive(row)
    movies = histories.timeline.movies[row[positive]]
    totals = np.zeros((len(histories), genres.shape[1]), dtype=np.float32)
    np.add.at(totals, query[positive], genres[movies])
    return _normalise(totals)


def divergence(liked: Float32Array, listed: Float32Array) -> Float32Array:
    """Return the Kullback-Leibler divergence KL(p, q), float32[...]; the last axis of both arguments is the genres.

    p is `liked`. q is `listed`, the summed genre shares of a list, normalised to a sum of 1 and mixed with SMOOTHING
    of p.
    """
    mixed = (1 - SMOOTHING) * _normalise(listed) + SMOOTHING * liked
    ratio = np.divide(liked, mixed, out=np.ones_like(mixed), where=np.broadcast_to(liked > 0, mixed.shape))
    kl: Float32Array = (liked * np.log(ratio)).sum(axis=-1)
    return kl


def variety(movies: Float32Array) -> Float32Array:
    """Return 1 minus the mean cosine between the genres of two different movies of each list: float32[n_lists].

    `movies` holds the genre shares of the movies of each list, float32[n_lists, k, n_genres], with k at least 2.
    """
    k = movies.shape[1]
    total = np.square(unit_rows(movies).sum(axis=1)).sum(axis=1)
    with_themselves = (movies.sum(axis=2) > 0).sum(axis=1)
    varied: Float32Array = 1 - (total - with_themselves).astype(np.float32) / (k * (k - 1))
    return varied


def unit_rows(vectors: Float32Array) -> Float32Array:
    """Return float32[..., n]: the vectors along the last axis scaled to length 1; zero vectors stay zero."""
    norms = np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    unit: Float32Array = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit


def _normalise(totals: Float32Array) -> Float32Array:
    """Scale each vector along the last axis to a sum of 1; zero vectors stay zero."""
    sums = totals.sum(axis=-1, keepdims=True)
    normalised: Float32Array = np.divide(totals, sums, out=np.zeros_like(totals), where=sums > 0)
    return normalised
