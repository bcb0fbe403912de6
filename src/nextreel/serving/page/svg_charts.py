"""Charts as SVG paths, in the units of their view box: what the templates draw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nextreel.data.times import DAY
from nextreel.serving.inference.engine import REPLAYED

LISTED = 10
"""Movies of a list; a movie watched next that is one of them is a hit."""


@dataclass(frozen=True)
class Strip:
    """A person's time as a strip: at moment i, between i and i + 1, a bar for each movie they rated then.

    The view box is 0 0 `width` 100. A bar is the higher the nearer its movie stood to the top of the list of just
    before, by the logarithm of the rank.
    """

    width: int
    listed: str
    """Path of the bars of movies that were among the ten."""
    near: str
    """Of those that were ranked at all."""
    missed: str
    """Of the others."""
    older: str
    """Of the moments before those that were replayed."""
    pauses: str
    """Path of the lines where somebody came back after a day or more."""
    hits: int
    ranked: int
    shown: int
    """Ratings that have a bar."""


def draw_strip(replayed: Sequence[dict[str, Any]], moments: Sequence[int]) -> Strip:
    """The strip of the replayed ratings (timestamp and rank each) over a person's moments, the last of them the end."""
    place = {moment: i for i, moment in enumerate(moments)}
    at_moment: dict[int, list[int | None]] = {}
    for row in replayed:
        at_moment.setdefault(place[row["timestamp"]], []).append(row["rank"])
    bars = [
        (rank, _bar(i + (j + 0.1) / len(ranks), 0.8 / len(ranks), _height(rank)))
        for i, ranks in at_moment.items()
        for j, rank in enumerate(ranks)
    ]
    listed = [bar for rank, bar in bars if rank is not None and rank <= LISTED]
    near = [bar for rank, bar in bars if rank is not None and rank > LISTED]
    missed = [bar for rank, bar in bars if rank is None]
    older = [_bar(i + 0.1, 0.8, _height(None)) for i in range(min(at_moment, default=0))]
    pauses = [f"M{i} 0V100" for i in range(1, len(moments) - 1) if moments[i] - moments[i - 1] >= DAY]
    return Strip(
        width=max(1, len(moments) - 1),
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
    return 5.0 if rank is None else 100 - 82 * math.log(rank) / math.log(REPLAYED)


def _bar(x: float, width: float, height: float) -> str:
    return f"M{x:.4g} 100v-{height:.3g}h{width:.3g}V100z"


@dataclass(frozen=True)
class Curve:
    """A line through values, in a view box of 0 0 100 60."""

    name: str
    path: str
    last: float


@dataclass(frozen=True)
class Curves:
    """Lines with one scale."""

    lines: Sequence[Curve]
    low: float
    high: float
    count: int
    """Values of each."""


def draw_curves(named: dict[str, Sequence[float]]) -> Curves | None:
    """Lines over their number; None where there is nothing to draw."""
    kept = {name: values for name, values in named.items() if len(values) > 1}
    if not kept:
        return None
    low = min(min(values) for values in kept.values())
    high = max(max(values) for values in kept.values())
    lines = [Curve(name, _line(values, low, high), values[-1]) for name, values in kept.items()]
    return Curves(lines, low, high, max(len(values) for values in kept.values()))


def _line(values: Sequence[float], low: float, high: float) -> str:
    span = (high - low) or 1.0
    points = [
        f"{100 * i / (len(values) - 1):.4g} {57 - 54 * (value - low) / span:.4g}"
        for i, value in enumerate(values)
    ]
    return "M" + "L".join(points)
