"""The chart of a backtest: the quality in each window, the gain of refits, and the number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nextreel.data.times import format_duration
from nextreel.errors import require
from nextreel.evaluation.backtesting.backtest_results import (
    ACQUAINTED,
    DIFFERENCE,
    EVERYONE,
    FEWEST_USERS,
    MAIN,
    NEVER_REFITTED,
    NEW_USERS,
    REFITTED,
    Backtest,
)
from nextreel.reporting.chart_style import (
    BLUE,
    FAINT_INK,
    INK,
    VERMILION,
    Chart,
    chart_of,
    space_labels,
    write_picture,
)

MODEL_COLORS = {REFITTED: BLUE, NEVER_REFITTED: VERMILION}
GROUP_COLORS = {NEW_USERS: "#7b8794", ACQUAINTED: "#cbd2d9"}
WIDTH, GAP = 660, 40
"""Pixels: the width of the whole chart, and the gap between two panels side by side."""


@dataclass(frozen=True)
class WindowPoint:
    """The main metric of one model, or the difference between refitted and never refitted, in one window."""

    time: str
    """Time in the middle of the window, ISO 8601."""
    model: str
    has_interval: bool
    """Whether the window has enough users for a confidence interval."""
    mean: float
    low: float
    high: float


def plot_backtest(backtest: Backtest, directory: Path) -> None:
    """Write the chart of a backtest to the directory, as `backtest.svg` and `backtest.png`.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    altair = require("altair", "plots")
    points = _points_by_group(backtest)
    x = _time_axis(backtest)
    panels = [_draw_quality(points[EVERYONE], x, named=True).properties(width=WIDTH, height=240)]
    if backtest.plan.refits:
        panels.append(_draw_difference([point for point in points[EVERYONE] if point.model == DIFFERENCE], x))
    panels.append(_draw_groups(points, _time_axis(backtest, ticks=3)))
    panels.append(_draw_queries(backtest))
    title = (
        f"{backtest.about['model']} along time: {MAIN} by window of {format_duration(backtest.plan.every)}"
    )
    chart = altair.vconcat(*panels, spacing=26).resolve_scale(color="independent")
    write_picture(chart, title, backtest.findings(), directory, "backtest")


def _points_by_group(backtest: Backtest) -> dict[str, list[WindowPoint]]:
    points: dict[str, list[WindowPoint]] = {group: [] for group in (EVERYONE, NEW_USERS, ACQUAINTED)}
    for window, groups in zip(backtest.windows, backtest.by_window, strict=True):
        time = _format_time((window.opens + window.closes) // 2)
        for group, part in groups.items():
            points[group] += [
                WindowPoint(time, model, part.has_interval, **vars(metrics[MAIN]))
                for model, metrics in part.figures.items()
            ]
    return points


def _draw_quality(points: Sequence[WindowPoint], x: Chart, named: bool = False) -> Chart:
    """Return the panel of the main metric: a line with its interval for each model. A window with too few users is a
    hollow point off the line."""
    altair = require("altair", "plots")
    models = [model for model in MODEL_COLORS if any(point.model == model for point in points)]
    lines = [point for point in points if point.model in models]
    scale = altair.Scale(domain=models, range=[MODEL_COLORS[model] for model in models])
    color = altair.Color("model:N", legend=None, scale=scale)
    y = altair.Y("mean:Q", title=MAIN).axis(tickCount=5, ticks=False).scale(zero=True, nice=True)
    base = chart_of([vars(point) for point in lines if point.has_interval]).encode(x, color=color)
    few_users = chart_of([vars(point) for point in lines if not point.has_interval]).encode(x, color=color)
    layers = [
        base.mark_area(opacity=0.16).encode(y="low:Q", y2="high:Q"),
        base.mark_line(strokeWidth=2.5, strokeCap="round", strokeJoin="round").encode(y),
        base.mark_point(filled=True, size=36, opacity=1).encode(y),
        few_users.mark_point(fill="white", size=30, opacity=1).encode(y),
    ]
    if named:
        layers.append(
            chart_of(_label_ends(lines, models))
            .mark_text(align="left", dx=12, fontSize=13, fontWeight="bold")
            .encode(x, y="position:Q", text="model:N", color=color)
        )
    return altair.layer(*layers)


def _label_ends(lines: Sequence[WindowPoint], models: Sequence[str]) -> list[dict[str, str | float]]:
    """Return the label of each model's line: its name, and its position beside the last point of the line."""
    last_points = [next(point for point in reversed(lines) if point.model == model) for model in models]
    ends = sorted(last_points, key=lambda point: point.mean)
    positions = space_labels([end.mean for end in ends], max(point.high for point in lines))
    return [
        {"time": end.time, "model": end.model, "position": position}
        for end, position in zip(ends, positions, strict=True)
    ]


def _draw_difference(points: Sequence[WindowPoint], x: Chart) -> Chart:
    """Return the panel of differences: the main metric of the refitted model minus that of the never-refitted one in
    each window."""
    altair = require("altair", "plots")
    base = chart_of([vars(point) for point in points]).encode(x)
    y = altair.Y("mean:Q", title="Gain of refits").axis(
        tickCount=4, ticks=False, labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.3~f')"
    )
    layers = [
        chart_of([{"zero": 0}]).mark_rule(color=FAINT_INK).encode(y="zero:Q"),
        base.mark_rule(color=INK, strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1, color=INK).encode(y),
    ]
    return altair.layer(*layers).properties(width=WIDTH, height=130)


def _draw_groups(points: dict[str, list[WindowPoint]], x: Chart) -> Chart:
    """Return two panels side by side on one scale: the main metric for users new in a window and for others."""
    altair = require("altair", "plots")
    panels = [
        _draw_quality(points[group], x).properties(
            width=(WIDTH - GAP - 50) // 2,
            height=130,
            title=altair.TitleParams(
                _name_group(group, points[group]), fontSize=13, offset=8, anchor="start"
            ),
        )
        for group in (NEW_USERS, ACQUAINTED)
        if points[group]
    ]
    return altair.hconcat(*panels, spacing=GAP).resolve_scale(y="shared")


def _name_group(group: str, points: Sequence[WindowPoint]) -> str:
    all_have_intervals = all(point.has_interval for point in points)
    hollow = "" if all_have_intervals else f" (hollow: fewer than {FEWEST_USERS} of them)"
    return f"Users {group}{hollow}"


def _draw_queries(backtest: Backtest) -> Chart:
    """Return the panel of query counts: a bar for each window, as wide as the window, with new users at the bottom."""
    altair = require("altair", "plots")
    scale = altair.Scale(domain=list(GROUP_COLORS), range=list(GROUP_COLORS.values()))
    legend = altair.Legend(
        title=None, orient="top", labelColor=FAINT_INK, labelFontSize=12, symbolType="square"
    )
    return (
        chart_of(_stack_queries(backtest))
        .mark_rect(stroke="white")
        .encode(
            _time_axis(backtest),
            altair.X2("until"),
            altair.Y("low:Q", title="Queries").axis(tickCount=3, ticks=False, format=",d"),
            altair.Y2("high"),
            altair.Color("users:N", scale=scale, legend=legend),
        )
        .properties(width=WIDTH, height=90)
    )


def _stack_queries(backtest: Backtest) -> list[dict[str, str | float]]:
    """Return the ends of a bar for each window and group of users; the bars of one window are stacked."""
    bars: list[dict[str, str | float]] = []
    for window, groups in zip(backtest.windows, backtest.by_window, strict=True):
        time, until, low = _format_time(window.opens), _format_time(window.closes), 0
        for group in GROUP_COLORS:
            if group in groups:
                high = low + groups[group].queries
                bars.append({"time": time, "until": until, "users": group, "low": low, "high": high})
                low = high
    return bars


def _time_axis(backtest: Backtest, ticks: int = 8) -> Chart:
    altair = require("altair", "plots")
    ends = [_format_time(backtest.plan.start), _format_time(backtest.windows[-1].closes)]
    axis = altair.Axis(title=None, grid=False, tickCount=ticks, format="%b %Y", labelOverlap=True)
    return altair.X("time:T", axis=axis, scale=altair.Scale(type="utc", domain=ends, nice=False))


def _format_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
