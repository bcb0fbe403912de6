"""Popularity as of the query's timestamp.

The score of movie i for a query at t is the number of interactions with i in [t - window, t). Among movies with equal
counts, the one with more interactions before t ranks higher. This is the baseline of every comparison: counted along
the timeline, what is popular this month beats many learned models (Ji et al., "A Re-visit of the Popularity Baseline
in Recommender Systems", SIGIR 2020).
"""

from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.data.times import DAY
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.fit_cost import SORTING_STEPS, FitCost
from nextreel.models.training.epochs import Training
from nextreel.options import Range

CATALOG_SIZE = ArraySpec("int64", (1,), equals="n_movies")
"""What a saved number of movies must be like."""
EVENTS_BETWEEN_CHECKPOINTS = 2**18
"""Number of interactions after which the counts of all movies are kept in memory; a query counts the rest anew, which
takes less than a millisecond."""


class PopularityConfig(ModelConfig):
    # From what is popular today to what was popular over three years.
    window_days: Annotated[float | None, Field(gt=0), Range(1.0, 1000.0, log=True)] = None
    """Length of the time before a query in which interactions are counted, in days; None counts all earlier ones."""


class Popularity(Recommender):
    Config = PopularityConfig
    config: PopularityConfig
    uses_only_past = True

    times_: Int64Array
    """int64[n_interactions]: timestamps of the interactions that the model was fitted on, POSIX seconds, ascending."""
    movies_: Int32Array
    """int32[n_interactions]: movie index of each interaction, in the order of `times_`."""
    n_movies_: int
    """Number of movies in the catalog."""

    @classmethod
    def of_events(cls, timestamps: Int64Array, movies: Int32Array, n_movies: int) -> Self:
        """Fit a model with the default options to interactions in order of time.

        Parameters
        ----------
        timestamps : int64[n_interactions]
            POSIX seconds, ascending.
        movies : int32[n_interactions]
            Movie indices.
        n_movies : int
            Number of movies in the catalog.
        """
        return cls()._fit_events(timestamps, movies, n_movies)

    def array_specs(self) -> Specs:
        return {
            "times_": ArraySpec("int64", ("n_interactions",), order="ascending"),
            "movies_": ArraySpec("int32", ("n_interactions",), least=0, below="n_movies"),
            "n_movies_": CATALOG_SIZE,
        }

    def fit_cost(self, dataset: Dataset) -> FitCost:
        n_rows = len(dataset.timeline)
        return FitCost(memory=20 * n_rows, steps=SORTING_STEPS * n_rows)

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        timestamps, movies = dataset.timeline.by_time
        return self._fit_events(timestamps, movies, dataset.n_movies)

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        if len(timestamps) == 0:
            return np.empty((0, self.n_movies_), dtype=np.float32)
        distinct, query = np.unique(timestamps, return_inverse=True)
        stops = np.searchsorted(self.times_, distinct, side="left")
        total = self._count_before(stops)
        if self.config.window_days is None:
            return total[query]
        window_starts = distinct - round(self.config.window_days * DAY)
        in_window = total - self._count_before(np.searchsorted(self.times_, window_starts, side="left"))
        # The second term is below 1, so it only decides between equal counts.
        scores: Float32Array = in_window + total / (total.max(axis=1, keepdims=True) + 1)
        return scores[query]

    def count_all(self) -> Float32Array:
        """Return how many interactions each movie has, float32[n_movies]."""
        counts: Float32Array = self._count_before(np.array([len(self.movies_)]))[0]
        return counts

    def knows(self, histories: Histories) -> BoolArray:
        return np.ones(len(histories), dtype=np.bool_)

    @cached_property
    def _checkpoints(self) -> Float32Array:
        """float32[n_checkpoints, n_movies]: how often each movie is among the first 0, 1, 2 ... times
        EVENTS_BETWEEN_CHECKPOINTS interactions, so that a query counts only those since the last checkpoint."""
        n_checkpoints = len(self.movies_) // EVENTS_BETWEEN_CHECKPOINTS
        counts = np.zeros((1 + n_checkpoints, self.n_movies_), dtype=np.float32)
        for number in range(n_checkpoints):
            start = number * EVENTS_BETWEEN_CHECKPOINTS
            events = self.movies_[start : start + EVENTS_BETWEEN_CHECKPOINTS]
            counts[number + 1] = counts[number] + np.bincount(events, minlength=self.n_movies_)
        return counts

    def _fit_events(self, timestamps: Int64Array, movies: Int32Array, n_movies: int) -> Self:
        self._forget_derived()
        self.times_, self.movies_, self.n_movies_ = timestamps, movies, n_movies
        return self

    def _count_before(self, stops: Int64Array) -> Float32Array:
        """Return, for each number in `stops`, how many of that many earliest interactions each movie has.

        The result is float32[len(stops), n_movies].
        """
        n_movies = self.n_movies_
        order = np.argsort(stops, kind="stable")
        first, last = stops[order[0]], stops[order[-1]]
        # The interactions between two consecutive stops are counted once, then summed up over the stops.
        interval = np.searchsorted(stops[order], np.arange(first, last), side="right")
        cells = interval * n_movies + self.movies_[first:last]
        in_interval = np.bincount(cells, minlength=len(stops) * n_movies).astype(np.float32)
        counts = in_interval.reshape(len(stops), n_movies)
        checkpoint = first // EVENTS_BETWEEN_CHECKPOINTS
        since = slice(checkpoint * EVENTS_BETWEEN_CHECKPOINTS, first)
        counts[0] += self._checkpoints[checkpoint]
        counts[0] += np.bincount(self.movies_[since], minlength=n_movies)
        # A loop over rows, since numpy's cumsum along the first axis strides through memory, ten times slower.
        for i in range(1, len(stops)):
            counts[i] += counts[i - 1]
        return counts[np.argsort(order)]
