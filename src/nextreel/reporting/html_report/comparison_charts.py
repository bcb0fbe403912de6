"""Pictures of the report as SVG that stands in the page: drawn by altair, coloured again by the page at night.

They are as wide as half a page and drawn with large letters, so that a phone can show them whole.
"""

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from nextreel.errors import require
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.significance import PairedTest
from nextreel.models.training.epochs import Epoch
from nextreel.reporting.chart_style import AXIS, FAINT_INK, INK
from nextreel.reporting.chart_style import BLUE
from nextreel.reporting.loss_curve import describe_loss, draw_loss


WIDTH, NARROW, ROW, FRAME, LETTERS = 440, 360, 40, 62, 14
"""Pixels: of a picture and a narrow one, of one model in it, of its axis and margins, of its letters."""
INNER = WIDTH - 65
"""Of a picture without the labels of its left axis."""
OWN_ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')


def share_scale(estimates: Sequence[Estimate]) -> float:
    """Right end of an axis that holds all of them and their labels."""
    return 1.25 * max((estimate.high for estimate in estimates), default=0.0) or 1.0


def draw_intervals(estimates: dict[str, Estimate], metric: str, top: float) -> str:
    """A dot with its interval for each model, best first."""
    altair = require("altair", "plots")
    best = next(iter(estimates))
    points = [
        {
            **_point(name, estimate),
            "label": f"{estimate.mean:.4f}",
            "color": BLUE if name == best else FAINT_INK,
        }
        for name, estimate in estimates.items()
    ]
    x = altair.X("mean:Q", title=f"{metric}, with 95 % interval")
    chart = _dots(altair, points, x.scale(domain=[0, top], nice=False).axis(tickCount=5, format="~g"))
    label = "; ".join(f"{name} {_show(estimate)}" for name, estimate in estimates.items())
    return _as_svg(chart, len(points), f"{metric} with 95 % intervals: {label}")


def draw_differences(tests: Sequence[PairedTest], history: str, best: str, metric: str) -> str:
    """How far each other model is behind the best one; a hollow dot isn't shown to be real."""
    altair = require("altair", "plots")
    mine = [test for test in tests if test.history == history and best in (test.better, test.worse)]
    mine.sort(key=lambda test: test.difference.mean)
    points = [
        {
            **_point(f"over {test.worse if test.better == best else test.better}", test.difference),
            "label": f"+{test.difference.mean:.4f}",
            "color": BLUE if test.significant else FAINT_INK,
            "fill": BLUE if test.significant else "transparent",
        }
        for test in mine
    ]
    ends = [0.0, *(point["low"] for point in points), *(point["high"] for point in points)]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    x = altair.X("mean:Q", title=f"Lead in {metric}, with 95 % interval")
    x = x.scale(domain=[low - (0.05 * span if low < 0 else 0), high + 0.25 * span], nice=False)
    chart = _dots(altair, points, x.axis(tickCount=5, format="~g"))
    zero = altair.Chart(altair.Data(values=[{"zero": 0}])).mark_rule(color=INK).encode(x="zero:Q")
    label = "; ".join(
        f"{point['name']} {_show(test.difference)}, {'real' if test.significant else 'not shown to be real'}"
        for point, test in zip(points, mine, strict=True)
    )
    return _as_svg(altair.layer(zero, chart), len(points), f"Lead of {best} in {metric}: {label}")


def draw_cost(costs: Sequence[tuple[str, float, Estimate]], cost: str, metric: str) -> str | None:
    """Quality against a cost on a logarithmic axis; None where no cost is known."""
    if not costs:
        return None
    altair = require("altair", "plots")
    spent = [max(each, 0.001) for _, each, _ in costs]
    low, high, top = min(spent) / 3, max(spent) * 3, share_scale([estimate for *_, estimate in costs])
    best = max(costs, key=lambda each: each[2].mean)[0]
    points = [
        {
            **_point(name, estimate),
            "cost": each,
            "color": BLUE if name == best else FAINT_INK,
            "across": math.log(each / low) / math.log(high / low),
            "up": estimate.mean / top,
        }
        for each, (name, _, estimate) in zip(spent, costs, strict=True)
    ]
    x = altair.X("cost:Q", title=f"{cost}, on a logarithmic scale")
    ticks = [10.0**power for power in range(-4, 7) if low <= 10.0**power <= high]
    x = x.scale(type="log", domain=[low, high], nice=False).axis(values=ticks, format="~g")
    y = altair.Y("mean:Q", title=metric).axis(tickCount=5, ticks=False, format="~g")
    y, color = y.scale(domain=[0, top], nice=False), altair.Color("color:N", scale=None)
    base = altair.Chart(altair.Data(values=points)).encode(x, color=color)
    names = [
        altair.Chart(altair.Data(values=[point]))
        .mark_text(align=align, dy=dy, fontSize=LETTERS, color=INK)
        .encode(x, y, text="name:N")
        for point, (align, dy) in zip(points, _place_names(points), strict=True)
    ]
    chart = altair.layer(
        base.mark_rule(strokeWidth=8, opacity=0.35).encode(altair.Y("low:Q"), altair.Y2("high")),
        base.mark_point(filled=True, size=60, opacity=1).encode(y),
        *names,
    )
    label = "; ".join(
        f"{name} {each:.3g}, {estimate.mean:.4f}"
        for each, (name, _, estimate) in zip(spent, costs, strict=True)
    )
    return _as_svg(chart, 6, f"{metric} against {cost.lower()}: {label}")


def _place_names(points: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """Where each name stands so that it covers no dot and no other name, if there is such a place."""
    dots = [(INNER * point["across"], 6 * ROW * point["up"]) for point in points]
    boxes: list[tuple[float, float, float, float]] = [(x - 6, y - 12, x + 6, y + 12) for x, y in dots]
    places = []
    for point, (x, y) in zip(points, dots, strict=True):
        wide = 0.6 * LETTERS * len(point["name"])
        starts = {"center": x - wide / 2, "left": x - 6, "right": x + 6 - wide}
        options = [
            ((align, dy), (start, y - dy - 7, start + wide, y - dy + 7))
            for dy in (-20, 22)
            for align, start in starts.items()
            if start >= 0 and start + wide <= INNER
        ]
        free = [(place, box) for place, box in options if not any(_overlap(box, other) for other in boxes)]
        place, box = (free or options or [(("center", -20), (x, y, x, y))])[0]
        places.append(place)
        boxes.append(box)
    return places


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def draw_bars(bars: Sequence[tuple[str, int]], x_title: str, y_title: str) -> str:
    """Counts as bars, in the given order; a third of the page wide."""
    altair = require("altair", "plots")
    shown = [of for of, _ in bars][:: 1 + len(bars) // 12 * 3]
    axis = altair.Axis(labelAngle=0, grid=False, ticks=False, values=shown, labelOverlap=True)
    x = altair.X("of:O", sort=None, title=x_title, axis=axis)
    y = altair.Y("n:Q", title=y_title).axis(tickCount=4, ticks=False, format="~s")
    values = [{"of": of, "n": n} for of, n in bars]
    chart = altair.Chart(altair.Data(values=values)).mark_bar(color=BLUE).encode(x, y)
    most = max(bars, key=lambda bar: bar[1])
    label = f"{y_title} by {x_title.lower()}: most, {most[1]:,}, at {most[0]}"
    return _as_svg(chart, 4, label, NARROW)


def draw_training(epochs: Sequence[Epoch]) -> str | None:
    """The curves of the train and the validation loss; None for a model that doesn't learn in epochs."""
    if not epochs:
        return None
    return _as_svg(draw_loss(epochs), 5, f"Mean loss by epoch. {describe_loss(epochs)}")


def _dots(altair: Any, points: Sequence[dict[str, Any]], x: Any) -> Any:
    y = altair.Y("name:N", sort=None, title=None)
    y = y.axis(labelColor=INK, labelFontSize=LETTERS, labelLimit=150, ticks=False, grid=False)
    color = altair.Color("color:N", scale=None)
    base = altair.Chart(altair.Data(values=points)).encode(y, color=color)
    return altair.layer(
        base.mark_rule(strokeWidth=9, opacity=0.35).encode(altair.X("low:Q"), altair.X2("high")),
        base.mark_point(size=44, opacity=1, strokeWidth=2).encode(
            x, fill=altair.Fill("fill:N" if "fill" in points[0] else "color:N", scale=None)
        ),
        base.mark_text(align="left", dx=12, fontSize=LETTERS).encode(altair.X("high:Q"), text="label:N"),
    )


def _point(name: str, estimate: Estimate) -> dict[str, Any]:
    return {"name": name, **vars(estimate)}


def _show(estimate: Estimate) -> str:
    return f"{estimate.mean:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


def _as_svg(chart: Any, rows: int, label: str, width: int = WIDTH) -> str:
    """One image with one label: what altair says of each mark would be read out mark by mark."""
    size = {"width": width, "height": ROW * rows + FRAME, "autosize": {"type": "fit", "contains": "padding"}}
    specification = (
        chart.properties(padding=4, **size)
        .configure(background="transparent", font="Helvetica, Arial, sans-serif", view={"stroke": None})
        .configure_axis(**AXIS | {"labelFontSize": LETTERS - 1, "titleFontSize": LETTERS})
        .to_dict()
    )
    svg = OWN_ROLES.sub("", require("vl_convert", "plots").vegalite_to_svg(specification))
    return str(svg).replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
