"""Popularity as of the query's moment.

The score of movie i for a query at t is the number of interactions with i in [t - window, t); among movies
equally often rated in the window, the one with more interactions before t stands first. A baseline that
every figure of ours stands beside: on a timeline, what is popular this month beats many learned models
(Ji et al., "A Re-visit of the Popularity Baseline in Recommender Systems", SIGIR 2020).
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.training.epochs import Training
from nextreel.options import Range


class PopularityConfig(ModelConfig):
    # From what is popular today to what was popular over three years.
    window_days: Annotated[float | None, Field(gt=0), Range(1.0, 1000.0, log=True)] = None
    """Length of the window before the query, in days; None counts from the beginning of the data."""


class Popularity(Recommender):
    Config = PopularityConfig
    config: PopularityConfig
    uses_only_past = True

    times_: Int64Array
    """int64[n_interactions]: POSIX seconds, ascending."""
    movies_: Int32Array
    """int32[n_interactions]: the movie rated at each of these moments."""
    n_movies_: int
    """Size of the catalog."""

    @classmethod
    def of_events(cls, times: Int64Array, movies: Int32Array, n_movies: int) -> Self:
        """The model of interactions that are given in order of time, with the default options."""
        return cls()._take(times, movies, n_movies)

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        by_time = np.argsort(dataset.timeline.timestamps, kind="stable")
        return self._take(
            dataset.timeline.timestamps[by_time], dataset.timeline.movies[by_time], dataset.n_movies
        )

    def _take(self, times: Int64Array, movies: Int32Array, n_movies: int) -> Self:
        self.times_, self.movies_, self.n_movies_ = times, movies, n_movies
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        if len(timestamps) == 0:
            return np.empty((0, self.n_movies_), dtype=np.float32)
        moments, query = np.unique(timestamps, return_inverse=True)
        stops = np.searchsorted(self.times_, moments, side="left")
        ever = self._count_before(stops)
        if self.config.window_days is None:
            return ever[query]
        opens = moments - round(self.config.window_days * DAY)
        recent = ever - self._count_before(np.searchsorted(self.times_, opens, side="left"))
        scores: Float32Array = recent + ever / (ever.max(axis=1, keepdims=True) + 1)
        return scores[query]

    def knows(self, histories: Histories) -> BoolArray:
        return np.ones(len(histories), dtype=np.bool_)

    def _count_before(self, stops: Int64Array) -> Float32Array:
        """float32[len(stops), n_movies]: interactions with each movie among the first `stop` rows."""
        n_movies = self.n_movies_
        order = np.argsort(stops, kind="stable")
        first, last = stops[order[0]], stops[order[-1]]
        lands_in = np.searchsorted(stops[order], np.arange(first, last), side="right")
        cells = lands_in * n_movies + self.movies_[first:last]
        counts = np.bincount(cells, minlength=len(stops) * n_movies).astype(np.float32)
        before = counts.reshape(len(stops), n_movies)
        before[0] += np.bincount(self.movies_[:first], minlength=n_movies)
        # Row by row, since numpy's cumsum along the first axis walks memory in strides, ten times slower.
        for i in range(1, len(stops)):
            before[i] += before[i - 1]
        return before[np.argsort(order)]
