"""What people choose at this point of their history, as of the query's moment.

The score of movie i for a history of n interactions at t is

    c(i) + k p(i)

c counts the interactions with i before t that were the (n + 1)th to the (2n + 8)th of their user; p is the share of i
in all interactions before t. People start with other movies than those they come to later, so popularity alone answers
another question than what somebody of whom little or nothing is known will pick next. As long as few have come so far,
popularity decides, as if k choices of its kind had been seen: the mean of a Dirichlet posterior, but for its scale.
"""

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.popularity import Popularity
from nextreel.models.training.epochs import Training
from nextreel.options import Range


class NextChoicesConfig(ModelConfig):
    # From the very first choice to about as many movies as somebody watches in a year.
    first: Annotated[int, Field(ge=1), Range(1, 64, log=True)] = 8
    """How many choices of each user count for an empty history."""
    # From the choices at that point alone to popularity in all but the largest data sets.
    prior: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(100.0, 1_000_000.0, log=True)] = 30_000
    """k, in choices."""


class NextChoices(Recommender):
    Config = NextChoicesConfig
    config: NextChoicesConfig
    uses_only_past = True

    times_: Int64Array
    """int64[n_interactions]: POSIX seconds, ascending."""
    movies_: Int32Array
    """int32[n_interactions]: the movie rated at each of these moments."""
    places_: Int32Array
    """int32[n_interactions]: how many interactions their user had before them."""
    n_movies_: int
    """Size of the catalog."""

    @classmethod
    def of_events(cls, times: Int64Array, movies: Int32Array, places: Int32Array, n_movies: int) -> Self:
        """The model of interactions that are given in order of time, with the default options."""
        return cls()._take(times, movies, places, n_movies)

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        timeline = dataset.timeline
        by_time = np.argsort(timeline.timestamps, kind="stable")
        places = np.arange(len(timeline)) - timeline.offsets[timeline.users]
        return self._take(
            timeline.timestamps[by_time],
            timeline.movies[by_time],
            places[by_time].astype(np.int32),
            dataset.n_movies,
        )

    def _take(self, times: Int64Array, movies: Int32Array, places: Int32Array, n_movies: int) -> Self:
        self.times_, self.movies_, self.places_, self.n_movies_ = times, movies, places, n_movies
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        ever = self._count(slice(None)).score(histories, timestamps)
        scores: Float32Array = (
            np.float32(self.config.prior) * ever / np.maximum(ever.sum(axis=1, keepdims=True), 1)
        )
        for n in np.unique(histories.lengths):
            here = np.flatnonzero(histories.lengths == n)
            rows = np.flatnonzero((self.places_ >= n) & (self.places_ < 2 * n + self.config.first))
            scores[here] += self._count(rows).score(histories[here], timestamps[here])
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        return np.ones(len(histories), dtype=np.bool_)

    def _count(self, rows: slice | Int64Array) -> Popularity:
        return Popularity.of_events(self.times_[rows], self.movies_[rows], self.n_movies_)
