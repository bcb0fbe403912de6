"""What a search tries: the range of each model's options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nextreel.errors import ConfigError
from nextreel.evaluation.protocol import HistoryMode
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model, model_name

DIGITS = 3
"""Significant digits of a number that is tried, so that what is printed is what was measured."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high; whole ones where both ends are."""

    low: float
    high: float
    log: bool = False
    """Whether equal ratios are equally likely, rather than equal differences."""

    def draw(self, trial: Any, name: str) -> object:
        """Let a trial choose."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(trial.suggest_int(name, self.low, self.high, log=self.log))
        return float(f"{trial.suggest_float(name, self.low, self.high, log=self.log):.{DIGITS}g}")

    def holds(self, value: object) -> bool:
        """Whether the value could be drawn."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def distribution(self, optuna: Any) -> Any:
        """The same in Optuna's terms."""
        kind = optuna.distributions
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        return (kind.IntDistribution if whole else kind.FloatDistribution)(self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[int, ...]

    def draw(self, trial: Any, name: str) -> object:
        """Let a trial choose."""
        return trial.suggest_categorical(name, self.values)

    def holds(self, value: object) -> bool:
        """Whether the value could be drawn."""
        return value in self.values

    def distribution(self, optuna: Any) -> Any:
        """The same in Optuna's terms."""
        return optuna.distributions.CategoricalDistribution(self.values)


# How the history is read, alike in three models: a half-life of one interaction knows only the last movie, one of a
# hundred is nearly the paper's equal weights; and an unliked movie counts from hardly at all to as much as a liked one.
READING: dict[str, Range | Choice] = {
    "half_life": Range(1.0, 100.0, log=True),
    "unliked_weight": Range(0.05, 1.0),
}
SPACE: dict[str, dict[str, Range | Choice]] = {
    "popularity": {
        # From what is popular today to what was popular over three years, which is nearly ever.
        "window_days": Range(1.0, 1000.0, log=True),
    },
    "next-choices": {
        # From the very first choice to what anybody watches in a year.
        "first": Range(1, 64, log=True),
        # From the choices at that point alone to popularity in all but the largest data.
        "prior": Range(100.0, 1_000_000.0, log=True),
    },
    "item-knn": {
        # From no shrinkage to speak of to more users than stand behind most pairs.
        "shrinkage": Range(1.0, 1000.0, log=True),
        # From a handful to more than most movies have.
        "neighbours": Range(10, 2000, log=True),
        **READING,
    },
    "ease": {
        # Best values grow with the number of users: tens for hundreds of users, thousands for tens of thousands.
        "regularization": Range(10.0, 20_000.0, log=True),
        **READING,
    },
    "als": {
        # From taste in a few words to the most that a minute's fit allows.
        "factors": Range(16, 256, log=True),
        # From a rated movie counting little more than another to the 40 of the paper.
        "alpha": Range(0.1, 40.0, log=True),
        # From almost free factors to factors of popular movies only.
        "regularization": Range(1.0, 300.0, log=True),
        # It has converged by then.
        "iterations": Range(2, 15),
        **READING,
    },
    "sequential-ridge": {
        # Movie to movie: as for ease, a row here being a moment instead of a user.
        "regularization": Range(20.0, 10_000.0, log=True),
        # The embedded history has far fewer numbers to learn, and so wants far less.
        "dense_regularization": Range(0.5, 500.0, log=True),
        # From the next interaction alone to what is left of the month.
        "horizon": Range(1, 50, log=True),
        # From only the next one to nearly all alike.
        "target_decay": Range(0.5, 1.0),
        # From targets that are liked only to all alike.
        "unliked_weight": Range(0.0, 1.0),
        # From whole moments only to every state within them.
        "within_second": Range(0.0, 1.0),
        # From a coarse map of the movies to one finer than a fit's time is worth.
        "dimensions": Range(32, 256, log=True),
        # From a nearly linear model to four times the default; time grows with the square.
        "hidden": Range(64, 2048, log=True),
        # From when on a person who comes back counts as one: hours to a month.
        "long_gap_days": Range(0.1, 30.0, log=True),
    },
    "funk-svd": {
        # From the usual 16 of small factorisations to twice the course's 256.
        "dimensions": Range(16, 512, log=True),
        # A decade to each side of Adam's usual 1e-3 and below, to the course's own 1e-4.
        "learning_rate": Range(3e-5, 1e-2, log=True),
        # The course's 512, and a few powers of two around it.
        "batch_size": Choice((128, 256, 512, 1024, 2048)),
        # Too few to converge, to long after overfitting began.
        "epochs": Range(3, 50, log=True),
    },
    "transformer": {
        # What a processor trains within an hour; each is a multiple of every number of heads below.
        "dimensions": Choice((64, 96, 128, 192)),
        # Deeper ones haven't helped on data of this size.
        "layers": Range(1, 4),
        "heads": Choice((1, 2, 4)),
        # Half a decade to each side of the default: lower ones don't finish, higher ones don't hold.
        "learning_rate": Range(5e-4, 1e-2, log=True),
        # From none to where too little is left to learn from.
        "dropout": Range(0.0, 0.5),
        # Next to nothing to a tenth.
        "weight_decay": Range(1e-4, 0.1, log=True),
        # From the next positive alone to as many as a test part may hold of a user, twice.
        "ahead": Range(1, 10),
        "next_share": Range(0.0, 0.6),
        "within_share": Range(0.0, 0.6),
        # From answers that are liked only to all alike.
        "disliked_weight": Range(0.0, 1.0),
    },
}
"""What is tried, by model and option. Left out are options that only cost time or are of chance."""


@dataclass(frozen=True)
class Search:
    """What to search."""

    model: str
    trials: int
    """Finished trials to reach, those of an earlier run and the one of the defaults included."""
    held: Mapping[str, object] = field(default_factory=dict)
    """Options that stay as they are given."""
    history: HistoryMode = "frozen"
    seed: int = 0

    @property
    def space(self) -> dict[str, Range | Choice]:
        """What is tried; ConfigError for a model that has nothing to try."""
        name = model_name(self.create_model({}))
        if name not in SPACE:
            raise ConfigError(
                f"{name} has no options to search; expected one of {', '.join(SPACE)}"
                + (": tune its members, transformer and sequential-ridge" if name == "blend" else "")
            )
        open_ = {option: values for option, values in SPACE[name].items() if option not in self.held}
        if not open_:
            raise ConfigError(f"every option of {name} that could be tried is held: leave one out of --set")
        return open_

    def create_model(self, options: Mapping[str, object]) -> Recommender:
        """The model with the options that are held and these."""
        return create_model(self.model, {**self.held, **options})
