"""What users choose at this point of their history, as of the query's timestamp.

The score of movie i for a history of n interactions at t is

    c(i) + k p(i)

c(i) counts the interactions with i before t that were the (n + 1)th to the (2n + 8)th of their user; p(i) is the share
of i in all interactions before t. Users start with other movies than those they come to later, so plain popularity is a
poor estimate of what a user with little or no history chooses next. As long as few users have come this far,
popularity dominates, as if k choices distributed like it had been observed: up to a constant factor, this is the mean
of a Dirichlet posterior.
"""

from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.fit_cost import SORTING_STEPS, FitCost
from nextreel.models.popularity import CATALOG_SIZE, Popularity
from nextreel.models.training.epochs import Training
from nextreel.options import Range

FEW = 6
"""Length of the history from which on the choices are looked up anew for each batch."""


class NextChoicesConfig(ModelConfig):
    # From the very first choice to about as many movies as somebody watches in a year.
    first: Annotated[int, Field(ge=1, le=10_000), Range(1, 64, log=True)] = 8
    """Number of each user's first interactions that are counted for a query with an empty history."""
    # From the choices at that point alone to popularity in all but the largest data sets.
    prior: Annotated[float, Field(gt=0), Range(100.0, 1e6, log=True)] = 30_000
    """Weight of general popularity, as a number of choices distributed like it (k in the module's formula)."""


class NextChoices(Recommender):
    Config = NextChoicesConfig
    config: NextChoicesConfig
    uses_only_past = True

    times_: Int64Array
    """int64[n_interactions]: timestamps of the interactions that the model was fitted on, POSIX seconds, ascending."""
    movies_: Int32Array
    """int32[n_interactions]: movie index of each interaction, in the order of `times_`."""
    places_: Int32Array
    """int32[n_interactions]: number of earlier interactions of the same user, in the order of `times_`."""
    n_movies_: int
    """Number of movies in the catalog."""

    @classmethod
    def of_events(cls, timestamps: Int64Array, movies: Int32Array, places: Int32Array, n_movies: int) -> Self:
        """Fit a model with the default options to interactions in order of time.

        Parameters
        ----------
        timestamps : int64[n_interactions]
            POSIX seconds, ascending.
        movies : int32[n_interactions]
            Movie indices.
        places : int32[n_interactions]
            Number of earlier interactions of the same user, for each interaction.
        n_movies : int
            Number of movies in the catalog.
        """
        return cls()._fit_events(timestamps, movies, places, n_movies)

    def array_specs(self) -> Specs:
        return {
            "times_": ArraySpec("int64", ("n_interactions",), order="ascending"),
            "movies_": ArraySpec("int32", ("n_interactions",), least=0, below="n_movies"),
            "places_": ArraySpec("int32", ("n_interactions",), least=0),
            "n_movies_": CATALOG_SIZE,
        }

    def fit_cost(self, dataset: Dataset) -> FitCost:
        n_rows = len(dataset.timeline)
        return FitCost(memory=40 * n_rows, steps=SORTING_STEPS * n_rows)

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        timeline = dataset.timeline
        by_time = np.argsort(timeline.timestamps, kind="stable")
        places = np.arange(len(timeline)) - timeline.offsets[timeline.users]
        return self._fit_events(
            timeline.timestamps[by_time],
            timeline.movies[by_time],
            places[by_time].astype(np.int32),
            dataset.n_movies,
        )

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        total = self._popularity.score(histories, timestamps)
        scores: Float32Array = (
            np.float32(self.config.prior) * total / np.maximum(total.sum(axis=1, keepdims=True), 1)
        )
        for length in np.unique(histories.lengths):
            queries = np.flatnonzero(histories.lengths == length)
            scores[queries] += self._choices_after(int(length)).score(histories[queries], timestamps[queries])
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        return np.ones(len(histories), dtype=np.bool_)

    def _fit_events(
        self, timestamps: Int64Array, movies: Int32Array, places: Int32Array, n_movies: int
    ) -> Self:
        self._forget_derived()
        self.times_, self.movies_, self.places_, self.n_movies_ = timestamps, movies, places, n_movies
        return self

    @cached_property
    def _popularity(self) -> Popularity:
        return Popularity.of_events(self.times_, self.movies_, self.n_movies_)

    @cached_property
    def _choices_after_few(self) -> list[Popularity]:
        """Choices after 0 to FEW - 1 interactions: those of new users, who are many in a batch."""
        return [self._find_choices_after(length) for length in range(FEW)]

    def _choices_after(self, length: int) -> Popularity:
        return self._choices_after_few[length] if length < FEW else self._find_choices_after(length)

    def _find_choices_after(self, length: int) -> Popularity:
        """Return a popularity model of the interactions that users had after about `length` others."""
        rows = np.flatnonzero((self.places_ >= length) & (self.places_ < 2 * length + self.config.first))
        return Popularity.of_events(self.times_[rows], self.movies_[rows], self.n_movies_)
