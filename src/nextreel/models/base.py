"""The contract of a model: `fit` on a dataset, `score` every movie for a batch of histories.

A model never hides seen movies, filters, sorts or cuts to k: `nextreel.ranking` does that, once, for all.
Its fitted state is whatever numpy arrays its attributes with a trailing underscore hold, so saving and
loading need no code in a model's file.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from nextreel.arrays import Arrays, BoolArray, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.deprecation import warn_renamed
from nextreel.errors import ArtifactError, ConfigError, NotFittedError
from nextreel.models.training.epochs import Training
from nextreel.options import Options


class ModelConfig(Options):
    """A model's options."""


def require_model(found: object) -> None:
    """Raise ConfigError for what is no model, such as its name or a predictor around it."""
    if not isinstance(found, Recommender):
        hint = ": its model is predictor.model" if hasattr(found, "model") else ""
        raise ConfigError(f"expected a model, found a {type(found).__name__}{hint}")


class Recommender(ABC):
    """Base of all models. A subclass names its options' class and narrows the type of `config` to it."""

    Config: ClassVar[type[ModelConfig]]
    """The class of this model's options; its defaults are the good ones."""
    config: ModelConfig
    uses_only_past: ClassVar[bool] = False
    """Whether a score uses only what was before the query even of the rows that it was fitted on."""

    def __init_subclass__(cls, **arguments: object) -> None:
        super().__init_subclass__(**arguments)
        if "cuts_training" in cls.__dict__:
            warn_renamed("cuts_training", "uses_only_past")
            cls.uses_only_past = bool(cls.__dict__["cuts_training"])

    def __init__(self, config: ModelConfig | None = None) -> None:
        self.config = config if config is not None else self.Config()

    @abstractmethod
    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Learn from all interactions of the dataset.

        `training` says what a long fit reports to and where it keeps its checkpoints; a model that is
        fitted in one go ignores it.
        """

    @abstractmethod
    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Score every movie of the catalog for every query, higher is better.

        Parameters
        ----------
        histories : Histories
            n_queries histories, each strictly before its query's moment.
        timestamps : int64[n_queries]
            The queries' moments, POSIX seconds.

        Returns
        -------
        float32[n_queries, n_movies], finite. One query's row doesn't depend on the rest of the batch.
        """

    def knows(self, histories: Histories) -> BoolArray:
        """bool[n_queries]: whether it has something personal to say; popularity answers the others."""
        return histories.lengths > 0

    @property
    def children(self) -> Mapping[str, "Recommender"]:
        """The models that this one is made of, by name; their fitted arrays are saved with its own."""
        return {}

    @property
    def state(self) -> Arrays:
        """Fitted arrays by name; a child's array has the child's name and a blank before its own.

        Raises
        ------
        NotFittedError
            The model isn't fitted yet.
        """
        own = {name: np.atleast_1d(value) for name, value in vars(self).items() if name.endswith("_")}
        if not own and not self.children:
            raise NotFittedError(f"{type(self).__name__} isn't fitted yet: call fit(dataset) first")
        of_children = {
            f"{child} {name}": array
            for child, model in self.children.items()
            for name, array in model.state.items()
        }
        return own | of_children

    def restore(self, state: Arrays) -> Self:
        """Take over fitted arrays, as they were read from a file.

        Raises
        ------
        ArtifactError
            There are no arrays.
        """
        if not state:
            raise ArtifactError(f"no fitted state for {type(self).__name__}")
        for child, model in self.children.items():
            prefix = f"{child} "
            model.restore(
                {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
            )
        for name, array in state.items():
            if " " not in name:
                setattr(self, name, array.item() if self._is_number(name) else array)
        return self

    @classmethod
    def _is_number(cls, name: str) -> bool:
        """Whether the attribute of that name is declared as a plain number, which a file holds as one element."""
        kinds = (inspect.get_annotations(base).get(name) for base in cls.__mro__)
        return next((kind for kind in kinds if kind is not None), None) in (int, float)
