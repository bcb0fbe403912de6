"""The charts of the report as SVG within the page: drawn by altair and recoloured by the page in dark mode.

They are as wide as half a page and have large letters, so that a phone can show them whole.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nextreel.errors import require
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.significance import PairedTest
from nextreel.models.training.epochs import Epoch
from nextreel.reporting.chart_style import AXIS, BLUE, FAINT_INK, INK, Chart, chart_of
from nextreel.reporting.loss_curve import describe_loss, draw_loss

WIDTH, NARROW_WIDTH, ROW_HEIGHT, FRAME_HEIGHT, FONT_SIZE = 440, 360, 40, 62, 14
"""Pixels: the width of a chart and of a narrow one, the height of one row and of axis and margins, the font size."""
PLOT_WIDTH = WIDTH - 65
"""Pixels: the width of the plot area of a chart, without the labels of its left axis."""
COST_ROWS = 6
"""Height of the chart of quality against cost, in rows of ROW_HEIGHT pixels."""
DOT_WIDTH, DOT_HEIGHT, NAME_HEIGHT = 12, 24, 14
"""Pixels: the width and height around each dot that models' names must not cover, and the height of a name."""
ALTAIR_ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')


@dataclass(frozen=True)
class IntervalRow:
    """One row of a chart of confidence intervals: a dot for the mean, the interval around it, and a label."""

    name: str
    mean: float
    low: float
    high: float
    label: str
    color: str
    fill: str
    """Colour within the dot, which may differ from that of the dot's outline."""


@dataclass(frozen=True)
class ModelCost:
    """The cost of one model, such as the time of its fit, and its quality, the main metric."""

    name: str
    cost: float
    quality: Estimate


@dataclass(frozen=True)
class CostPoint:
    """One dot of the chart of quality against cost: a model with its cost, its mean metric and the interval."""

    name: str
    cost: float
    mean: float
    low: float
    high: float
    color: str


def common_axis_end(estimates: Sequence[Estimate]) -> float:
    """Return the right end of an axis that starts at 0 and has room for all estimates and their labels."""
    return 1.25 * max((estimate.high for estimate in estimates), default=0.0) or 1.0


def draw_intervals(estimates: dict[str, Estimate], metric: str, axis_end: float) -> str:
    """Return an SVG with the mean metric of each model as a dot and its interval; `estimates` has the best model first.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    altair = require("altair", "plots")
    best = next(iter(estimates))
    rows = []
    for name, estimate in estimates.items():
        color = BLUE if name == best else FAINT_INK
        label = f"{estimate.mean:.4f}"
        rows.append(IntervalRow(name, **vars(estimate), label=label, color=color, fill=color))
    x = altair.X("mean:Q", title=f"{metric}, with 95 % interval")
    chart = _draw_rows(rows, x.scale(domain=[0, axis_end], nice=False).axis(tickCount=5, format="~g"))
    models = "; ".join(f"{name} {_describe_estimate(estimate)}" for name, estimate in estimates.items())
    return _to_svg(chart, len(rows), f"{metric} with 95 % intervals: {models}")


def draw_differences(tests: Sequence[PairedTest], history: str, best: str, metric: str) -> str:
    """Return an SVG of how far each model is behind the `best` one in the metric; hollow dots mark differences that
    aren't significant.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    altair = require("altair", "plots")
    tests = [test for test in tests if test.history == history and best in (test.better, test.worse)]
    tests.sort(key=lambda test: test.difference.mean)
    rows = [
        IntervalRow(
            f"over {test.worse if test.better == best else test.better}",
            **vars(test.difference),
            label=f"+{test.difference.mean:.4f}",
            color=BLUE if test.significant else FAINT_INK,
            fill=BLUE if test.significant else "transparent",
        )
        for test in tests
    ]
    low, high = min([0.0, *(row.low for row in rows)]), max([0.0, *(row.high for row in rows)])
    span = (high - low) or 1.0
    x = altair.X("mean:Q", title=f"Lead in {metric}, with 95 % interval")
    x = x.scale(domain=[low - (0.05 * span if low < 0 else 0), high + 0.25 * span], nice=False)
    zero = chart_of([{"zero": 0}]).mark_rule(color=INK).encode(x="zero:Q")
    chart = altair.layer(zero, _draw_rows(rows, x.axis(tickCount=5, format="~g")))
    leads = "; ".join(
        f"{row.name} {_describe_estimate(test.difference)}, "
        f"{'significant' if test.significant else 'not significant'}"
        for row, test in zip(rows, tests, strict=True)
    )
    return _to_svg(chart, len(rows), f"Lead of {best} in {metric}: {leads}")


def _draw_rows(rows: Sequence[IntervalRow], x: Chart) -> Chart:
    altair = require("altair", "plots")
    y = altair.Y("name:N", sort=None, title=None)
    y = y.axis(labelColor=INK, labelFontSize=FONT_SIZE, labelLimit=150, ticks=False, grid=False)
    base = chart_of([vars(row) for row in rows]).encode(y, color=altair.Color("color:N", scale=None))
    return altair.layer(
        base.mark_rule(strokeWidth=9, opacity=0.35).encode(altair.X("low:Q"), altair.X2("high")),
        base.mark_point(size=44, opacity=1, strokeWidth=2).encode(x, fill=altair.Fill("fill:N", scale=None)),
        base.mark_text(align="left", dx=12, fontSize=FONT_SIZE).encode(altair.X("high:Q"), text="label:N"),
    )


def draw_cost(costs: Sequence[ModelCost], cost_name: str, metric: str) -> str | None:
    """Return an SVG of the models' metric against their cost, on a logarithmic axis; None if no cost is known.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    if not costs:
        return None
    altair = require("altair", "plots")
    best = max(costs, key=lambda model: model.quality.mean)
    points = [
        CostPoint(
            model.name,
            max(model.cost, 0.001),
            **vars(model.quality),
            color=BLUE if model.name == best.name else FAINT_INK,
        )
        for model in costs
    ]
    low, high = min(point.cost for point in points) / 3, max(point.cost for point in points) * 3
    top = common_axis_end([model.quality for model in costs])
    ticks = [10.0**power for power in range(-4, 7) if low <= 10.0**power <= high]
    x = altair.X("cost:Q", title=f"{cost_name}, on a logarithmic scale")
    x = x.scale(type="log", domain=[low, high], nice=False).axis(values=ticks, format="~g")
    y = altair.Y("mean:Q", title=metric).axis(tickCount=5, ticks=False, format="~g")
    y, color = y.scale(domain=[0, top], nice=False), altair.Color("color:N", scale=None)
    base = chart_of([vars(point) for point in points]).encode(x, color=color)
    dots = [
        (
            PLOT_WIDTH * (math.log(point.cost / low) / math.log(high / low)),
            COST_ROWS * ROW_HEIGHT * (point.mean / top),
        )
        for point in points
    ]
    names = [
        chart_of([vars(point)])
        .mark_text(align=align, dy=dy, fontSize=FONT_SIZE, color=INK)
        .encode(x, y, text="name:N")
        for point, (align, dy) in zip(points, _place_names([p.name for p in points], dots), strict=True)
    ]
    chart = altair.layer(
        base.mark_rule(strokeWidth=8, opacity=0.35).encode(altair.Y("low:Q"), altair.Y2("high")),
        base.mark_point(filled=True, size=60, opacity=1).encode(y),
        *names,
    )
    models = "; ".join(f"{point.name} {point.cost:.3g}, {point.mean:.4f}" for point in points)
    return _to_svg(chart, COST_ROWS, f"{metric} against {cost_name.lower()}: {models}")


def _place_names(names: Sequence[str], dots: Sequence[tuple[float, float]]) -> list[tuple[str, int]]:
    """Return the alignment of each model's name at its dot and its vertical offset in pixels, so that it covers no dot
    and no other name.

    `dots` are the positions of the dots in pixels. A name that fits nowhere covers a dot or another name.
    """
    taken: list[tuple[float, float, float, float]] = [
        (x - DOT_WIDTH / 2, y - DOT_HEIGHT / 2, x + DOT_WIDTH / 2, y + DOT_HEIGHT / 2) for x, y in dots
    ]
    places = []
    for name, (x, y) in zip(names, dots, strict=True):
        width = 0.6 * FONT_SIZE * len(name)
        starts = {
            "center": x - width / 2,
            "left": x - DOT_WIDTH / 2,
            "right": x + DOT_WIDTH / 2 - width,
        }
        options = [
            ((align, dy), (start, y - dy - NAME_HEIGHT / 2, start + width, y - dy + NAME_HEIGHT / 2))
            for dy in (-20, 22)
            for align, start in starts.items()
            if start >= 0 and start + width <= PLOT_WIDTH
        ]
        free = [(place, box) for place, box in options if not any(_overlap(box, other) for other in taken)]
        place, box = (free or options or [(("center", -20), (x, y, x, y))])[0]
        places.append(place)
        taken.append(box)
    return places


def _overlap(box: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Return whether two rectangles (left, lower, right, upper) have a point in common."""
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def draw_bars(bars: Sequence[tuple[str, int]], x_title: str, y_title: str) -> str:
    """Return an SVG of counts as bars in the given order, each with its name; the chart is a third of the page wide.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    altair = require("altair", "plots")
    ticks = [name for name, _ in bars][:: 1 + len(bars) // 12 * 3]
    axis = altair.Axis(labelAngle=0, grid=False, ticks=False, values=ticks, labelOverlap=True)
    x = altair.X("name:O", sort=None, title=x_title, axis=axis)
    y = altair.Y("count:Q", title=y_title).axis(tickCount=4, ticks=False, format="~s")
    chart = chart_of([{"name": name, "count": count} for name, count in bars])
    name, count = max(bars, key=lambda bar: bar[1])
    label = f"{y_title} by {x_title.lower()}: most, {count:,}, at {name}"
    return _to_svg(chart.mark_bar(color=BLUE).encode(x, y), 4, label, NARROW_WIDTH)


def draw_training(epochs: Sequence[Epoch]) -> str | None:
    """Return an SVG of the train and the validation loss by epoch; None for a model that doesn't learn in epochs.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    if not epochs:
        return None
    return _to_svg(draw_loss(epochs), 5, f"Mean loss by epoch. {describe_loss(epochs)}")


def _describe_estimate(estimate: Estimate) -> str:
    return f"{estimate.mean:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


def _to_svg(chart: Chart, rows: int, label: str, width: int = WIDTH) -> str:
    """Return a chart as SVG with a single label for screen readers; with altair's own labels, they would read out every
    mark."""
    size = {
        "width": width,
        "height": ROW_HEIGHT * rows + FRAME_HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
    }
    # Checking the specification against Vega-Lite's schema would take half of the report's time.
    specification = (
        chart.properties(padding=4, **size)
        .configure(background="transparent", font="Helvetica, Arial, sans-serif", view={"stroke": None})
        .configure_axis(**AXIS | {"labelFontSize": FONT_SIZE - 1, "titleFontSize": FONT_SIZE})
        .to_dict(validate=False)
    )
    svg = ALTAIR_ROLES.sub("", require("vl_convert", "plots").vegalite_to_svg(specification))
    return str(svg).replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
