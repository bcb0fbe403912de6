"""The contract of a model: `fit` on a data set, then `score` every movie for a batch of histories.

A model neither hides seen movies nor filters, sorts or truncates: `nextreel.ranking` does that for all models.
Its fitted state is the arrays and numbers in its attributes with a trailing underscore, so a model needs no code to be
saved and loaded.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from nextreel.array_specs import Specs
from nextreel.arrays import Arrays, BoolArray, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import ArtifactError, ConfigError, NotFittedError
from nextreel.machine import require_memory
from nextreel.models.fit_cost import FitCost
from nextreel.models.training.epochs import Training
from nextreel.options import Options
from nextreel.wording import number_of


class ModelConfig(Options):
    """Base class of a model's options.

    Every option has a default that works well, and a docstring. An option that `nextreel tune` may search has a
    `Range` or a `Choice` beside it: `dropout: Annotated[float, Field(ge=0, lt=1), Range(0.0, 0.5)] = 0.2`.
    """


class Recommender(ABC):
    """Base class of all models.

    A subclass names the class of its options as `Config` and narrows the type of `config` to it.
    """

    Config: ClassVar[type[ModelConfig]] = ModelConfig
    """Class of the model's options; a subclass replaces it by its own."""
    config: ModelConfig
    """Options that this model was created with, an instance of `Config`."""
    uses_only_past: ClassVar[bool] = False
    """Whether a score depends only on interactions before the query's timestamp, even if the model was fitted on later
    ones."""
    caches_histories: ClassVar[bool] = False
    """Whether `cache_histories` makes the model keep anything."""
    fits_by_tasks: ClassVar[bool] = False
    """Whether `fit` computes what takes long by `training.run_tasks` or `training.run_replicas`, so that a cluster can
    do it."""

    def __init__(self, config: ModelConfig | None = None) -> None:
        self.config = config if config is not None else self.Config()

    @abstractmethod
    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Learn from all interactions of a data set and return this model.

        `training` says where a fit of many epochs reports its progress and keeps its checkpoints, and where a fit in
        blocks computes them; other models ignore it.
        """

    def fit_cost(self, dataset: Dataset) -> FitCost | None:
        """Estimate the memory and the work of `fit` on a data set, without doing it; None if the model doesn't say."""
        return None

    def require_memory(self, dataset: Dataset) -> Self:
        """Return this model if there is memory enough to fit it on a data set.

        Raises
        ------
        TooLargeError
            The fit would need more of the free memory than one task may (see `machine.require_memory`).
        """
        cost = self.fit_cost(dataset)
        if cost is not None:
            size = (
                f"{number_of(len(dataset.timeline), 'interaction')} of {number_of(dataset.n_movies, 'movie')}"
            )
            require_memory(cost.memory, type(self).__name__, f"to learn from {size}", cost.advice)
        return self

    @abstractmethod
    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Score every movie of the catalog for every query; a higher score is better.

        Parameters
        ----------
        histories : Histories
            One history per query, which holds only interactions before the query: strictly before its timestamp, or
            of its own second too where the caller counts those before it in the file.
        timestamps : int64[n_queries]
            Timestamps of the queries, POSIX seconds.

        Returns
        -------
        float32[n_queries, n_movies], finite. The scores of a query don't depend on the other queries of the batch.
        """

    def score_movies(self, histories: Histories, timestamps: Int64Array, movies: Int64Array) -> Float32Array:
        """Return the scores of some movies only, float32[n_queries, len(movies)], as `score` would.

        `movies` are indices, int64[n]. A model may override this where it can leave out the other movies.
        """
        scores: Float32Array = self.score(histories, timestamps)[:, movies]
        return scores

    def knows(self, histories: Histories) -> BoolArray:
        """Return for each history whether the model can score it personally, bool[n_queries].

        Queries whose history it can't score are recommended popular movies. By default these are the queries with an
        empty history.
        """
        return histories.lengths > 0

    def cache_histories(self, memory: int) -> None:
        """Keep what `score` computes from histories that may be cached for later queries, in at most `memory` bytes.

        A server calls this once the model is fitted, because its users come back. Another call forgets what is kept.
        By default a model passes the call to its children and keeps nothing itself.
        """
        for model in self.children.values():
            model.cache_histories(memory)

    @property
    def children(self) -> Mapping[str, "Recommender"]:
        """Models that this model is made of, by name; their fitted state is saved together with this model's."""
        return {}

    @property
    def state(self) -> Arrays:
        """Fitted arrays by attribute name; the arrays of a child are named "CHILD ATTRIBUTE".

        Raises
        ------
        NotFittedError
            The model isn't fitted yet.
        """
        own = {name: np.atleast_1d(value) for name, value in vars(self).items() if name.endswith("_")}
        declares_arrays = any(
            name.endswith("_") for base in type(self).__mro__ for name in inspect.get_annotations(base)
        )
        if not own and (declares_arrays or not self.children):
            raise NotFittedError(f"{type(self).__name__} isn't fitted yet: call fit(dataset) first")
        of_children = {
            f"{child} {name}": array
            for child, model in self.children.items()
            for name, array in model.state.items()
        }
        return own | of_children

    def array_specs(self) -> Specs | None:
        """Describe the arrays of this model's own `state`, without those of its children; None if it doesn't say.

        The arrays of a file are checked by it before `restore` gets them. The dimension "n_movies" is the number of
        movies in the catalog. Of a model that doesn't say, only that floats are finite is checked.
        """
        return None

    def upgrade(self, state: Arrays) -> Arrays:
        """Return this model's own arrays in the form of now, from a file that an earlier nextreel may have written.

        The arrays haven't been checked. By default they are returned as they are.
        """
        return state

    def restore(self, state: Arrays) -> Self:
        """Set the fitted arrays from a `state` that was read from a file, and return this model.

        `nextreel.models.saved_state.restore_checked` checks the arrays first.

        Raises
        ------
        ArtifactError
            The state is empty, or has a name that isn't one of fitted arrays.
        """
        if not state:
            raise ArtifactError(f"no fitted state for {type(self).__name__}")
        for name in state:
            if name.startswith("__") or (not name.endswith("_") and " " not in name):
                raise ArtifactError(f"the array {name!r} is unknown")
        for child, model in self.children.items():
            prefix = f"{child} "
            model.restore(
                {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
            )
        self._forget_derived()
        for name, array in state.items():
            if " " not in name:
                setattr(self, name, array.item() if self._is_number(name) else array)
        return self

    def _forget_derived(self) -> None:
        """Drop what cached properties computed from the fitted arrays, before these change."""
        for cls in type(self).__mro__:
            for name, value in vars(cls).items():
                if isinstance(value, cached_property):
                    vars(self).pop(name, None)

    @classmethod
    def _is_number(cls, name: str) -> bool:
        """Whether an attribute is annotated as int or float; `state` holds such a number as an array of one element."""
        annotations = [inspect.get_annotations(base).get(name) for base in cls.__mro__]
        # Annotations are text in a module with `from __future__ import annotations`.
        return any(annotation in (int, float, "int", "float") for annotation in annotations)


def require_model(model: object) -> None:
    """Raise ConfigError for anything but a model, such as its name or a predictor."""
    if not isinstance(model, Recommender):
        hint = ": its model is predictor.model" if hasattr(model, "model") else ""
        raise ConfigError(f"expected a model, found a {type(model).__name__}{hint}")
