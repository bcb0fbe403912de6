"""What a backtest does: a model, a start, and windows of time after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from nextreel.data.schema import RATING, TIMESTAMP
from nextreel.data.times import format_timestamp
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model


@dataclass(frozen=True)
class BacktestPlan:
    """What a backtest does."""

    model: str
    start: int
    """The first window opens and the first fit ends here, POSIX seconds."""
    every: int
    """Length of a window, in seconds."""
    options: Mapping[str, object] = field(default_factory=dict)
    refits: bool = True
    """Whether the model is refitted before each window, beside the one that never is."""

    def create_model(self) -> Recommender:
        """The model, not fitted yet."""
        return create_model(self.model, dict(self.options))


@dataclass(frozen=True)
class Window:
    """A stretch of time with queries."""

    number: int
    """Counted from 1 at the start; one without queries is left out."""
    opens: int
    closes: int
    """The second after its last, POSIX seconds."""


def find_start(interactions: pl.DataFrame, share: float) -> int:
    """The moment that has this share of the interactions before it, POSIX seconds."""
    by_time = interactions[TIMESTAMP].sort()
    return int(by_time[min(int(share * len(by_time)), len(by_time) - 1)])


def cut_windows(interactions: pl.DataFrame, plan: BacktestPlan, positive_rating: float) -> list[Window]:
    """The windows from the start on that hold a positive."""
    seconds = interactions[TIMESTAMP]
    if seconds.min() >= plan.start:  # type: ignore[operator]
        raise QueryError(
            f"nothing was rated before the start, {format_timestamp(plan.start)}, so nothing can be learned"
        )
    asked = interactions.filter((seconds >= plan.start) & (interactions[RATING] >= positive_rating))[
        TIMESTAMP
    ]
    if asked.is_empty():
        raise QueryError(
            f"no rating of at least {positive_rating:g} stands after the start, {format_timestamp(plan.start)}, "
            "so there is nothing to ask"
        )
    numbers = ((asked - plan.start) // plan.every).unique().sort()
    return [
        Window(number + 1, plan.start + number * plan.every, plan.start + (number + 1) * plan.every)
        for number in numbers.to_list()
    ]
