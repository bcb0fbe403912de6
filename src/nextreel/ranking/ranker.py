"""From a model's scores to ranked lists: the one path that every recommendation takes.

Evaluation, the command line, the course's notebook and the server all call `Ranker.rank`. The model scores histories
that were cut as of the query's timestamp; movies that the user has seen, that weren't out yet or that the caller
excludes are masked; the k best of the rest are the list.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import NEVER, Histories, Timeline
from nextreel.errors import QueryError
from nextreel.machine import usable_threads
from nextreel.models.base import Recommender
from nextreel.models.popularity import Popularity
from nextreel.parallel import map_in_threads, single_threaded_blas
from nextreel.stopping import stop_if_unwanted
from nextreel.wording import number_of

SCORES_AT_ONCE = 4_000_000
"""Number of scores (queries times movies) per batch: few enough for a processor's cache and to bound the memory."""
FEWEST_QUERIES = 256
"""Queries that are worth a thread of their own: more are divided among the threads that there are."""
ROWS_AT_ONCE = 2_000_000
"""Number of rows of histories per batch, to bound the memory; only users with extremely many ratings reach it."""
BLOCKS_PER_PLACE = 6
"""`top_k` divides the movies into k times this many blocks: more give a tighter bound but more maxima to compare."""


@dataclass(frozen=True)
class Ranking:
    """The k best movies of each query."""

    movies: Int32Array
    """int32[n_queries, k]: movie indices, best first."""
    scores: Float32Array
    """float32[n_queries, k]: -inf for a movie that only fills up the list, as too few were left to recommend."""
    personal: BoolArray
    """bool[n_queries]: True if the model scored the movies, False if the fallback did for a user it doesn't know."""


@dataclass(frozen=True)
class Ranker:
    """A fitted model with what it needs besides to make recommendation lists: a fallback and the release times."""

    model: Recommender
    popularity: Popularity
    """The fallback, which scores the movies for users whom the model doesn't know."""
    released_at: Int64Array
    """int64[n_movies]: POSIX seconds from which on each movie may be recommended, see `find_released_at`."""

    @classmethod
    def of(cls, model: Recommender, dataset: Dataset) -> Self:
        """Combine a model with the popularity and the release times of the movies in `dataset`.

        Raises NotFittedError for a model that isn't fitted yet.
        """
        _ = model.state  # Raises NotFittedError for an unfitted model.
        return cls(model, Popularity().fit(dataset), find_released_at(dataset.timeline, dataset.movies))

    @property
    def n_movies(self) -> int:
        """Number of movies in the catalog, the greatest possible k."""
        return len(self.released_at)

    def rank(
        self,
        histories: Histories,
        timestamps: Int64Array,
        k: int = 10,
        exclude_seen: bool = True,
        allowed: BoolArray | None = None,
    ) -> Ranking:
        """Return the k best movies for each query.

        Parameters
        ----------
        histories : Histories
            The history of each query.
        timestamps : int64[n_queries]
            The queries' timestamps, POSIX seconds.
        k : int
            Length of the lists. Where fewer movies are left, others with a score of -inf fill up the list.
        exclude_seen : bool
            Don't recommend the movies of the query's history.
        allowed : bool[n_movies] or bool[n_queries, n_movies] | None
            The movies that may be recommended, for all queries or for each; None allows all.

        Raises
        ------
        QueryError
            k isn't a whole number from 1 to the number of movies, or the model was fitted on another catalog.
        """
        self.check_k(k)
        movies = np.empty((len(timestamps), k), dtype=np.int32)
        scores = np.empty((len(timestamps), k), dtype=np.float32)
        personal = self.model.knows(histories)

        def rank_batch(batch: Int64Array) -> None:
            stop_if_unwanted()
            batch_scores = self._score(histories[batch], timestamps[batch], personal[batch])
            if exclude_seen:
                _mask_seen(batch_scores, histories[batch])
            self._mask_unreleased(batch_scores, timestamps[batch])
            if allowed is not None:
                _mask_disallowed(batch_scores, allowed[batch] if allowed.ndim == 2 else allowed)
            movies[batch], scores[batch] = top_k(batch_scores, k)

        batches = list(self._batches(histories, timestamps))
        with single_threaded_blas():
            for _ in map_in_threads(rank_batch, batches) if len(batches) > 1 else map(rank_batch, batches):
                pass  # Only to raise what a thread raised.
        return Ranking(movies, scores, personal)

    def check_k(self, k: int) -> None:
        """Raise QueryError unless k is a whole number from 1 to the number of movies."""
        is_whole_number = isinstance(k, int | np.integer) and not isinstance(k, bool)
        if not (is_whole_number and 1 <= k <= self.n_movies):
            raise QueryError(
                f"k is {k!r}; the catalog has {number_of(self.n_movies, 'movie')}, "
                f"so expected a whole number from 1 to {self.n_movies}"
            )

    def _batches(self, histories: Histories, timestamps: Int64Array) -> Iterator[Int64Array]:
        """Yield batches of query indices in the order of time: popularity is counted faster for close timestamps."""
        by_time = np.argsort(timestamps, kind="stable")
        size = max(1, SCORES_AT_ONCE // max(1, self.n_movies))
        if len(by_time) > FEWEST_QUERIES:
            size = min(size, max(FEWEST_QUERIES, math.ceil(len(by_time) / usable_threads())))
        rows = histories.lengths[by_time].cumsum()
        start = 0
        while start < len(by_time):
            allowed = (rows[start - 1] if start else 0) + ROWS_AT_ONCE
            stop = min(start + size, max(start + 1, int(np.searchsorted(rows, allowed, side="right"))))
            yield by_time[start:stop]
            start = stop

    def _score(self, histories: Histories, timestamps: Int64Array, personal: BoolArray) -> Float32Array:
        """Return float32[n_queries, n_movies]: the model's scores where `personal` is True, popularity elsewhere."""
        if personal.all():
            return self._score_with_model(histories, timestamps)
        scores = np.empty((len(timestamps), self.n_movies), dtype=np.float32)
        if personal.any():
            scores[personal] = self._score_with_model(histories[personal], timestamps[personal])
        scores[~personal] = self.popularity.score(histories[~personal], timestamps[~personal])
        return scores

    def _score_with_model(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        scores = self.model.score(histories, timestamps)
        if scores.shape[1] != self.n_movies:
            raise QueryError(
                f"the model scores {number_of(scores.shape[1], 'movie')} and the catalog has {self.n_movies}: "
                "the model was fitted on another catalog"
            )
        return scores

    def _mask_unreleased(self, scores: Float32Array, timestamps: Int64Array) -> None:
        late = np.flatnonzero(self.released_at > timestamps.min(initial=NEVER))
        query, movie = np.nonzero(self.released_at[late] > timestamps[:, None])
        scores[query, late[movie]] = -np.inf


def find_released_at(timeline: Timeline, movies: pl.DataFrame) -> Int64Array:
    """Return when each movie came out, in POSIX seconds: int64[n_movies].

    This is the first second of the movie's Year, or the second after its first rating if that is earlier. A movie
    without a year counts as always out.
    """
    year = movies["Year"].fill_null(1)
    first_second = pl.datetime(year, 1, 1, time_unit="us").dt.epoch("s")
    released_at = movies.select(first_second.alias("second"))["second"].to_numpy().copy()
    after_first_rating = np.full(len(released_at), NEVER)
    np.minimum.at(after_first_rating, timeline.movies, timeline.timestamps)
    after_first_rating[after_first_rating < NEVER] += 1
    earlier: Int64Array = np.minimum(released_at, after_first_rating)
    return earlier


def top_k(scores: Float32Array, k: int) -> tuple[Int32Array, Float32Array]:
    """Return the k best movies of each row of `scores`, float32[n_queries, n_movies].

    Returns movie indices int32[n_queries, k] and their scores float32[n_queries, k], best first; of equal scores the
    lower index comes first. k is at most n_movies.

    The k-th largest of the maxima of disjoint blocks of movies is a lower bound of the k-th best score, so that only
    the few movies that reach it have to be sorted.
    """
    n_queries, n_movies = scores.shape
    block = max(1, n_movies // (BLOCKS_PER_PLACE * k))
    in_blocks = n_movies // block * block
    maxima = scores[:, :in_blocks].reshape(n_queries, -1, block).max(axis=2)
    bound = np.partition(maxima, -k, axis=1)[:, -k]
    candidates = np.flatnonzero(scores >= bound[:, None])
    query, movie = np.divmod(candidates, n_movies)
    score = scores.reshape(-1)[candidates]
    best_first = np.lexsort((-score, query))
    first = np.searchsorted(query, np.arange(n_queries))
    chosen = best_first[first[:, None] + np.arange(k)]
    return movie[chosen].astype(np.int32), score[chosen]


def _mask_seen(scores: Float32Array, histories: Histories) -> None:
    query, row = histories.rows()
    scores[query, histories.timeline.movies[row]] = -np.inf


def _mask_disallowed(scores: Float32Array, allowed: BoolArray) -> None:
    # A sum takes one pass in order, whatever the number of movies that aren't allowed.
    scores += np.where(allowed, np.float32(0), np.float32(-np.inf))
