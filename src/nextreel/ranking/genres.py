"""Genres as numbers: a movie's shares, what a history likes, and how far a list is from it."""

import numpy as np
import polars as pl

from nextreel.arrays import Float32Array
from nextreel.data.timeline import Histories

MIXED_IN = 0.01
"""Steck's alpha: the share of p in q."""


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
    liked = histories.timeline.is_positive(row)
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


def _normalise(totals: Float32Array) -> Float32Array:
    sums = totals.sum(axis=-1, keepdims=True)
    normalised: Float32Array = np.divide(totals, sums, out=np.zeros_like(totals), where=sums > 0)
    return normalised


def unit_rows(vectors: Float32Array) -> Float32Array:
    """Each vector along the last axis brought to length 1; one of length 0 stays."""
    norms = np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    unit: Float32Array = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit


def list_genres(movies: pl.DataFrame) -> list[str]:
    """Every genre of the catalog, sorted."""
    return movies["Genres"].explode().drop_nulls().unique().sort().to_list()
