"""The plan of a backtest: a model, a start, and the time windows after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from nextreel.data.schema import RATING, TIMESTAMP
from nextreel.data.times import format_timestamp, parse_timestamp
from nextreel.errors import QueryError
from nextreel.models.base import Recommender
from nextreel.models.registry import create_model


@dataclass(frozen=True)
class BacktestPlan:
    """The settings of a backtest: the model with its options, the start, and the time windows after it."""

    model: str
    """Name of a registered model, or of a preset, which is a model with given options."""
    start: int
    """Timestamp at which the first window opens and the training data of the first fit end, POSIX seconds."""
    every: int
    """Length of every time window, in seconds."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Values of those options of the model that differ from its defaults."""
    refits: bool = True
    """Whether a second model is refitted before each window, to compare it with the one never refitted."""

    def create_model(self) -> Recommender:
        """Create the unfitted model with its options; ConfigError for an unknown model or option."""
        return create_model(self.model, dict(self.options))


@dataclass(frozen=True)
class Window:
    """A time window of a backtest that holds at least one query."""

    number: int
    """Number of the window, counted from 1 at the start of the backtest; windows without queries have numbers too."""
    opens: int
    """First second of the window, POSIX seconds."""
    closes: int
    """First second after the window, POSIX seconds."""


def parse_start(text: str, interactions: pl.DataFrame, option: str) -> int:
    """Return the start of a backtest from the text of an option: a share of the interactions such as "60%", or a time.

    Parameters
    ----------
    text : str
        A share between 0% and 100%, a date, or POSIX seconds.
    interactions : DataFrame
        The interactions that the share refers to.
    option : str
        Name of the command-line option that the text comes from, for error messages.

    Returns
    -------
    int
        POSIX seconds.

    Raises
    ------
    QueryError
        The text is neither a share nor a time.
    """
    if not text.endswith("%"):
        return parse_timestamp(text)
    try:
        share = float(text[:-1]) / 100
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise QueryError(
            f"{option} {text!r}: expected a share between 0% and 100%, or a time such as 2001-01-31"
        )
    return find_start(interactions, share)


def find_start(interactions: pl.DataFrame, share: float) -> int:
    """Return the timestamp (POSIX seconds) that has the given share of the interactions before it."""
    ascending = interactions[TIMESTAMP].sort()
    return int(ascending[min(int(share * len(ascending)), len(ascending) - 1)])


def cut_windows(interactions: pl.DataFrame, plan: BacktestPlan, positive_rating: float) -> list[Window]:
    """Return the plan's time windows that hold a positive, an interaction rated at least `positive_rating`.

    Raises QueryError if there is no interaction before the start or no positive after it.
    """
    timestamps = interactions[TIMESTAMP]
    if not (timestamps < plan.start).any():
        raise QueryError(
            f"nothing was rated before the start, {format_timestamp(plan.start)}, so nothing can be learned"
        )
    is_query = (timestamps >= plan.start) & (interactions[RATING] >= positive_rating)
    query_timestamps = timestamps.filter(is_query)
    if query_timestamps.is_empty():
        raise QueryError(
            f"no rating of at least {positive_rating:g} stands after the start, {format_timestamp(plan.start)}, "
            "so there are no queries"
        )
    numbers = ((query_timestamps - plan.start) // plan.every).unique().sort()
    return [
        Window(number + 1, plan.start + number * plan.every, plan.start + (number + 1) * plan.every)
        for number in numbers.to_list()
    ]
