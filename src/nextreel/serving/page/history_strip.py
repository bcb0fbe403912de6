"""The strip: a user's ratings over the steps of the time travel, as data of SVG paths.

A bar stands for a rating. If these would become too many to tell apart, it stands for all ratings of a period instead:
the shortest one (a minute, an hour, a day, a month or a year) of which the user's time has few enough.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from nextreel.data.times import DAY
from nextreel.serving.inference.movie_cards import ReplayedMovie
from nextreel.serving.inference.user_histories import LOWEST_REPLAYED_RANK

LIST_LENGTH = 10
"""Length of the recommendation lists on the page; a listed movie that the user then rated is a hit."""
MAX_BARS = 100
"""Number of bars up to which each is wide enough for a finger or a pointer."""
PAUSE_SECONDS = DAY
"""Least time between two consecutive ratings that the strip marks as a pause."""
UNRANKED_HEIGHT = 5.0
"""Height of the bar of a movie without a rank, where the bar of rank 1 has height 100."""
LOWEST_RANK_HEIGHT = 18
"""Height of the bar of a movie at LOWEST_REPLAYED_RANK, where the bar of rank 1 has height 100."""

Kind = Literal["listed", "near", "missed", "older"]
"""Where a movie stood just before it was rated: in the list, below it down to LOWEST_REPLAYED_RANK, or nowhere (ranked
lower still, or rated before). `older` ratings weren't replayed."""
Period = Literal["minute", "hour", "day", "month", "year"]
PERIODS: tuple[tuple[Period, str], ...] = (
    ("minute", "%Y%m%d%H%M"),
    ("hour", "%Y%m%d%H"),
    ("day", "%Y%m%d"),
    ("month", "%Y%m"),
    ("year", "%Y"),
)
"""The periods, the shortest first, each with the format of a time that is the same for all times in it."""


@dataclass(frozen=True)
class BarPart:
    """A rectangle of a bar."""

    kind: Kind
    path: str
    """SVG path data."""


@dataclass(frozen=True)
class StripBar:
    """A bar for one rating, or for all ratings of a period."""

    parts: list[BarPart]
    """One for a rating; for a period, one for each kind that occurs, from the bottom up."""
    timestamp: int
    """Time of the rating, or of the first one in the period, POSIX seconds."""
    movie: ReplayedMovie | None
    """The rated movie and its rank just before; None if the bar is for a period."""
    period: Period | None
    n_listed: int
    """Number of ratings of movies that were in the list just before."""
    n_compared: int
    """Number of ratings that were replayed."""


@dataclass(frozen=True)
class Strip:
    """A bar chart of a user's ratings over time. Its steps are the seconds in which the user rated.

    A movie rated at step i stands between x = i and i + 1. The view box is 0 0 `width` 100. The bar of a rating is the
    higher, the closer its movie was to the top of the list just before, on a logarithmic scale of the rank. The bar of
    a period has the full height, divided by the shares of the kinds of ratings.
    """

    width: int
    """Number of steps of the time travel, one per second in which the user rated."""
    bars: list[StripBar]
    """The bars in the order of time."""
    period: Period | None
    """What a bar stands for; None for a single rating."""
    pauses: str
    """SVG path data of the lines that mark the user's return after a pause of PAUSE_SECONDS or more."""
    hits: int
    """Number of ratings of movies that were in the list just before."""
    ranked: int
    """Number of replayed ratings whose movie had a rank, within the list shown or just below it."""
    shown: int
    """Number of replayed ratings."""


def draw_strip(replayed: Sequence[ReplayedMovie], timestamps: Sequence[int]) -> Strip:
    """Draw replayed ratings over the steps with these ascending timestamps.

    The last timestamp is that just after all ratings and gets no bar.
    """
    width = max(1, len(timestamps) - 1)
    first_compared = replayed[0]["timestamp"] if replayed else timestamps[-1]
    n_older = sum(timestamp < first_compared for timestamp in timestamps[:-1])
    period = _choose_period(timestamps[:-1]) if len(replayed) + n_older > MAX_BARS else None
    kinds = [_kind(movie["rank"]) for movie in replayed]
    pauses = [
        f"M{step} 0V100"
        for step in range(1, len(timestamps) - 1)
        if timestamps[step] - timestamps[step - 1] >= PAUSE_SECONDS
    ]
    return Strip(
        width=width,
        bars=_bars_of_ratings(replayed, timestamps)
        if period is None
        else _bars_of_periods(replayed, timestamps[:-1], period),
        period=period,
        pauses="".join(pauses),
        hits=kinds.count("listed"),
        ranked=len(kinds) - kinds.count("missed"),
        shown=len(kinds),
    )


def _bars_of_ratings(replayed: Sequence[ReplayedMovie], timestamps: Sequence[int]) -> list[StripBar]:
    step_at = {timestamp: step for step, timestamp in enumerate(timestamps)}
    by_step: dict[int, list[ReplayedMovie]] = {}
    for movie in replayed:
        by_step.setdefault(step_at[movie["timestamp"]], []).append(movie)
    older = range(min(by_step, default=0))
    bars = [
        StripBar(
            [BarPart("older", _path(step + 0.1, 0.8, 0, UNRANKED_HEIGHT))], timestamps[step], None, None, 0, 0
        )
        for step in older
    ]
    for step, movies in by_step.items():
        for place, movie in enumerate(movies):
            kind, width = _kind(movie["rank"]), 0.8 / len(movies)
            path = _path(step + (place + 0.1) / len(movies), width, 0, _height(movie["rank"]))
            bars.append(
                StripBar([BarPart(kind, path)], timestamps[step], movie, None, int(kind == "listed"), 1)
            )
    return bars


def _bars_of_periods(
    replayed: Sequence[ReplayedMovie], timestamps: Sequence[int], period: Period
) -> list[StripBar]:
    steps_of: dict[str, list[int]] = {}
    for step, timestamp in enumerate(timestamps):
        steps_of.setdefault(_name(timestamp, period), []).append(step)
    kinds_of: dict[str, list[Kind]] = {}
    for movie in replayed:
        kinds_of.setdefault(_name(movie["timestamp"], period), []).append(_kind(movie["rank"]))
    gap = 0.1 * len(timestamps) / len(steps_of)
    bars: list[StripBar] = []
    for name, steps in steps_of.items():
        kinds, width = kinds_of.get(name, []), max(len(steps) - gap, len(steps) / 2)
        parts, bottom = [], 0.0
        for kind in ("listed", "near", "missed"):
            if kind in kinds:
                height = 100 * kinds.count(kind) / len(kinds)
                parts.append(BarPart(kind, _path(steps[0], width, bottom, height)))
                bottom += height
        parts = parts or [BarPart("older", _path(steps[0], width, 0, UNRANKED_HEIGHT))]
        bars.append(StripBar(parts, timestamps[steps[0]], None, period, kinds.count("listed"), len(kinds)))
    return bars


def _choose_period(timestamps: Sequence[int]) -> Period:
    """Return the shortest period of which at most MAX_BARS have ratings, or else a year."""
    few_enough = (
        period
        for period, _ in PERIODS
        if len({_name(timestamp, period) for timestamp in timestamps}) <= MAX_BARS
    )
    return next(few_enough, "year")


def _name(timestamp: int, period: Period) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime(dict(PERIODS)[period])


def _kind(rank: int | None) -> Kind:
    if rank is None:
        return "missed"
    return "listed" if rank <= LIST_LENGTH else "near"


def _height(rank: int | None) -> float:
    if rank is None:
        return UNRANKED_HEIGHT
    return 100 - (100 - LOWEST_RANK_HEIGHT) * math.log(rank) / math.log(LOWEST_REPLAYED_RANK)


def _path(x: float, width: float, bottom: float, height: float) -> str:
    return f"M{x:.5g} {100 - bottom:.4g}v-{height:.4g}h{width:.4g}v{height:.4g}z"
