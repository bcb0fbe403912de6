"""Curves of the loss over the epochs of a fit, as data of SVG paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


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
