"""From a model's scores to lists: the one path that every answer takes.

Evaluation, the command line, the course's notebook and the server all come through `Ranker.rank`: the model scores
histories that were cut already, movies that the user has seen, that weren't out yet or that the caller doesn't
allow step back, and the k best remain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER, Histories
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.models.popularity import Popularity
from nextreel.wording import number_of

SCORES_AT_ONCE = 4_000_000
"""Scores computed per batch, to stay within a processor's cache and a laptop's memory."""


@dataclass(frozen=True)
class Ranking:
    """The k best movies of each query."""

    movies: Int32Array
    """int32[n_queries, k]: movie indices, best first."""
    scores: Float32Array
    """float32[n_queries, k]: -inf marks a movie that was only added to make the list full."""
    personal: BoolArray
    """bool[n_queries]: the model's own answer; False is popularity's, for a user the model doesn't know."""


@dataclass(frozen=True)
class Ranker:
    """A fitted model beside what else an answer needs, all of it as of the query's moment."""

    model: Recommender
    popularity: Popularity
    """Answers for a user the model doesn't know."""
    released_at: Int64Array
    """int64[n_movies]: a movie is out from its year's first second, or from just after its first rating."""

    @classmethod
    def of(cls, model: Recommender, dataset: Dataset) -> Self:
        """A ranker for the dataset's catalog, whose popularity and first ratings are the dataset's.

        Raises NotFittedError for a model that isn't fitted yet.
        """
        _ = model.state  # which there is none of before a fit
        return cls(model, Popularity().fit(dataset), find_released_at(dataset))

    @property
    def n_movies(self) -> int:
        """Movies of the catalog."""
        return len(self.released_at)

    def rank(
        self,
        histories: Histories,
        timestamps: Int64Array,
        k: int = 10,
        exclude_seen: bool = True,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """The k best movies for each history at its moment.

        `allowed`, bool[n_movies] or bool[n_queries, n_movies], narrows the catalog. Where fewer than k movies are
        left, the list is made full with others, whose score is -inf.
        """
        whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
        if not (whole and 1 <= k <= self.n_movies):
            raise QueryError(
                f"k is {k!r}; the catalog has {number_of(self.n_movies, 'movie')}, so expected 1 to that"
            )
        movies = np.empty((len(timestamps), k), dtype=np.int32)
        scores = np.empty((len(timestamps), k), dtype=np.float32)
        personal = self.model.knows(histories)
        for batch in self._batches(timestamps):
            batch_scores = self._score(histories[batch], timestamps[batch], personal[batch])
            self._set_aside(batch_scores, histories[batch], timestamps[batch], exclude_seen)
            if allowed is not None:
                outside = ~(allowed[batch] if allowed.ndim == 2 else allowed[None])
                np.putmask(batch_scores, np.broadcast_to(outside, batch_scores.shape), -np.inf)
            movies[batch], scores[batch] = top_k(batch_scores, k)
        return Ranking(movies, scores, personal)

    def _batches(self, timestamps: Int64Array) -> Iterator[Int64Array]:
        """Queries in order of time, since neighbours in time share most of the work of popularity."""
        by_time = np.argsort(timestamps, kind="stable")
        size = max(1, SCORES_AT_ONCE // max(1, self.n_movies))
        return (by_time[start : start + size] for start in range(0, len(timestamps), size))

    def _score(self, histories: Histories, timestamps: Int64Array, personal: BoolArray) -> Float32Array:
        if personal.all():
            return self._score_personally(histories, timestamps)
        scores = np.empty((len(timestamps), self.n_movies), dtype=np.float32)
        if personal.any():
            scores[personal] = self._score_personally(histories[personal], timestamps[personal])
        scores[~personal] = self.popularity.score(histories[~personal], timestamps[~personal])
        return scores

    def _score_personally(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        scores = self.model.score(histories, timestamps)
        if scores.shape[1] != self.n_movies:
            raise QueryError(
                f"the model scores {number_of(scores.shape[1], 'movie')} and the catalog has {self.n_movies}: "
                "it was fitted on another one"
            )
        return scores

    def _set_aside(
        self, scores: Float32Array, histories: Histories, timestamps: Int64Array, exclude_seen: bool
    ) -> None:
        if exclude_seen:
            query, row = histories.rows()
            scores[query, histories.timeline.movies[row]] = -np.inf
        if self.released_at.max(initial=0) >= timestamps.min(initial=0):
            scores[self.released_at > timestamps[:, None]] = -np.inf


def find_released_at(dataset: Dataset) -> Int64Array:
    """int64[n_movies]: the first second of each movie's year, or just after its first rating if that is earlier."""
    year = dataset.movies["Year"].fill_null(1)
    opened = pl.datetime(year, 1, 1, time_unit="us").dt.epoch("s")
    released_at = dataset.movies.select(opened.alias("second"))["second"].to_numpy().copy()
    first_rated = np.full(len(released_at), NEVER)
    np.minimum.at(first_rated, dataset.timeline.movies, dataset.timeline.timestamps + 1)
    earlier: Int64Array = np.minimum(released_at, first_rated)
    return earlier


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
