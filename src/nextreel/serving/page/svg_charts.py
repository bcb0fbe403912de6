"""Charts of the page as data of SVG paths, in the coordinates of the SVG view boxes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nextreel.data.times import DAY
from nextreel.serving.inference.movie_cards import ReplayedMovie
from nextreel.serving.inference.user_histories import LOWEST_REPLAYED_RANK

LIST_LENGTH = 10
"""Length of the recommendation lists on the page; a listed movie that the user then rated is a hit."""


PAUSE_SECONDS = DAY
"""Least time between two consecutive ratings that the strip (the chart of a user's ratings) marks as a pause."""
UNRANKED_HEIGHT = 5.0
"""Height of the bar of a movie without a rank, where the bar of rank 1 has height 100."""
LOWEST_RANK_HEIGHT = 18
"""Height of the bar of a movie at LOWEST_REPLAYED_RANK, where the bar of rank 1 has height 100."""


@dataclass(frozen=True)
class Strip:
    """A bar chart of a user's ratings over time. Its steps are the seconds in which the user rated.

    Between x = i and i + 1, there is a bar for each movie rated at step i. The view box is 0 0 `width` 100.
    The higher a bar, the closer its movie was to the top of the recommendation list just before the rating, on a
    logarithmic scale of the rank.
    """

    width: int
    """Number of steps of the time travel, one per second in which the user rated."""
    listed: str
    """SVG path data of the bars of movies that were in the list, at rank LIST_LENGTH or better."""
    near: str
    """SVG path data of the bars of movies ranked below LIST_LENGTH, but not below LOWEST_REPLAYED_RANK."""
    missed: str
    """SVG path data of the bars of movies without a rank: ranked lower still, or rated before."""
    older: str
    """SVG path data of the bars, one per step, for steps before the earliest replayed rating."""
    pauses: str
    """SVG path data of the lines that mark the user's return after a pause of PAUSE_SECONDS or more."""
    hits: int
    """Number of bars in `listed`: ratings of movies that were in the list just before."""
    ranked: int
    """Number of replayed ratings whose movie had a rank, within the list shown (`listed`) or just below it (`near`)."""
    shown: int
    """Number of bars for replayed ratings: those in `listed`, `near` and `missed` together."""


def draw_strip(replayed: Sequence[ReplayedMovie], timestamps: Sequence[int]) -> Strip:
    """Draw replayed ratings over the steps with these ascending timestamps.

    The last timestamp is that just after all ratings and gets no bar.
    """
    step_at = {timestamp: step for step, timestamp in enumerate(timestamps)}
    ranks_by_step: dict[int, list[int | None]] = {}
    for movie in replayed:
        ranks_by_step.setdefault(step_at[movie["timestamp"]], []).append(movie["rank"])
    bars = [
        (rank, _bar(step + (place + 0.1) / len(ranks), 0.8 / len(ranks), _height(rank)))
        for step, ranks in ranks_by_step.items()
        for place, rank in enumerate(ranks)
    ]
    listed = [bar for rank, bar in bars if rank is not None and rank <= LIST_LENGTH]
    near = [bar for rank, bar in bars if rank is not None and rank > LIST_LENGTH]
    missed = [bar for rank, bar in bars if rank is None]
    older = [_bar(step + 0.1, 0.8, _height(None)) for step in range(min(ranks_by_step, default=0))]
    pauses = [
        f"M{step} 0V100"
        for step in range(1, len(timestamps) - 1)
        if timestamps[step] - timestamps[step - 1] >= PAUSE_SECONDS
    ]
    return Strip(
        width=max(1, len(timestamps) - 1),
        listed="".join(listed),
        near="".join(near),
        missed="".join(missed),
        older="".join(older),
        pauses="".join(pauses),
        hits=len(listed),
        ranked=len(listed) + len(near),
        shown=len(bars),
    )


def _height(rank: int | None) -> float:
    if rank is None:
        return UNRANKED_HEIGHT
    return 100 - (100 - LOWEST_RANK_HEIGHT) * math.log(rank) / math.log(LOWEST_REPLAYED_RANK)


def _bar(x: float, width: float, height: float) -> str:
    return f"M{x:.4g} 100v-{height:.3g}h{width:.3g}V100z"


@dataclass(frozen=True)
class Curve:
    """A line through values at equal distances, as SVG path data for the view box 0 0 100 60."""

    name: str
    path: str
    last: float
    """Last value of the line, which its label shows."""


@dataclass(frozen=True)
class Curves:
    """Lines drawn to the same vertical scale, from `low` to `high`."""

    lines: Sequence[Curve]
    low: float
    """The smallest value that occurs in any of the lines."""
    high: float
    """The greatest value that occurs in any of the lines."""
    count: int
    """Number of values of the line with the most values."""


def draw_curves(values_by_name: Mapping[str, Sequence[float]]) -> Curves | None:
    """Draw a line for each name that has at least two values; return None if no name has."""
    drawn = {name: values for name, values in values_by_name.items() if len(values) > 1}
    if not drawn:
        return None
    low = min(min(values) for values in drawn.values())
    high = max(max(values) for values in drawn.values())
    lines = [Curve(name, _line(values, low, high), values[-1]) for name, values in drawn.items()]
    return Curves(lines, low, high, max(len(values) for values in drawn.values()))


def _line(values: Sequence[float], low: float, high: float) -> str:
    value_range = (high - low) or 1.0
    points = [
        f"{100 * i / (len(values) - 1):.4g} {57 - 54 * (value - low) / value_range:.4g}"
        for i, value in enumerate(values)
    ]
    return "M" + "L".join(points)
