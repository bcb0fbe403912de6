"""What a search tries: the ranges that stand beside the options of a model, and how Optuna draws from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from nextreel.data.timeline import Ties
from nextreel.errors import ConfigError
from nextreel.evaluation.protocol import HistoryMode
from nextreel.models.base import ModelConfig, Recommender
from nextreel.models.registry import create_model, model_name
from nextreel.options import Choice, Range
from nextreel.wording import join_names

if TYPE_CHECKING:
    from optuna import Trial as OptunaTrial
    from optuna.distributions import BaseDistribution

SearchSpace = dict[str, Range | Choice]
"""Range of each searched option, by the option's name, in the order in which their values are drawn."""
SIGNIFICANT_DIGITS = 3
"""Number of significant digits of a drawn option, so that the printed value is exactly the one that was measured."""


def find_ranges(config: type[ModelConfig]) -> SearchSpace:
    """Return the search ranges that stand beside the options of a model, in the order of the options.

    Options that only cost time, and seeds, have none.
    """
    return {
        name: metadata
        for name, option in config.model_fields.items()
        for metadata in option.metadata
        if isinstance(metadata, Range | Choice)
    }


def draw_value(trial: "OptunaTrial", name: str, values: Range | Choice) -> float:
    """Let Optuna draw a value for the option `name` from its range; a float is rounded to SIGNIFICANT_DIGITS."""
    if isinstance(values, Choice):
        return trial.suggest_categorical(name, values.values)
    if values.integer:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    value = trial.suggest_float(name, values.low, values.high, log=values.log)
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def to_distribution(values: Range | Choice) -> "BaseDistribution":
    """Return the range of an option as an Optuna distribution, the one by which `draw_value` draws from it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choice):
        return CategoricalDistribution(values.values)
    if values.integer:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


@dataclass(frozen=True)
class Search:
    """What to search: a model, the options that stay fixed, and how many trials to run."""

    model: str
    """Name of the model or preset whose options are searched."""
    trials: int
    """Number of finished trials to reach, including the trial of the defaults and those of earlier runs."""
    held: Mapping[str, object] = field(default_factory=dict)
    """Values of the options that the user fixed, by name; they aren't searched."""
    history: HistoryMode = "frozen"
    """Where the histories of the queries by which options are compared end: "frozen" with the train part of the inner
    split, "live" right before each query."""
    ties: Ties | None = None
    """What these histories hold of the query's own second; None for the default of `history`."""
    seed: int = 0
    """Seed of the drawn options, and of the test whether the best ones beat the defaults significantly."""

    @cached_property
    def space(self) -> SearchSpace:
        """Ranges of the model's options that aren't in `held`; ConfigError if there are none."""
        model = self.create_model({})
        name, ranges = model_name(model), find_ranges(model.Config)
        if not ranges:
            members = join_names(list(model.children))
            raise ConfigError(
                f"{name} has no options to search" + (f": tune its members, {members}" if members else "")
            )
        space = {option: values for option, values in ranges.items() if option not in self.held}
        if not space:
            raise ConfigError(
                f"--set fixes every option of {name} that could be tuned: leave at least one out"
            )
        return space

    def create_model(self, options: Mapping[str, object]) -> Recommender:
        """Create an unfitted model with the fixed options in `held` and with `options`."""
        return create_model(self.model, {**self.held, **options})
