"""The picture of a backtest: quality over time, what refits are worth, and who is asking."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from nextreel.reporting.chart_style import FAINT_INK, INK, write_picture
from nextreel.reporting.loss_curve import COLORS, LABEL_HEIGHT

MODEL_COLORS = {REFITTED: COLORS["train"], NEVER_REFITTED: COLORS["validation"]}
WHO_COLORS = {NEW_USERS: "#7b8794", ACQUAINTED: "#cbd2d9"}
WIDTH, GAP = 660, 40


def plot_backtest(backtest: Backtest, directory: Path) -> None:
    """Write `backtest.svg` and `backtest.png`; raises MissingExtraError without altair and vl-convert."""
    altair = require("altair", "plots")
    points = _points(backtest)
    x = _time_axis(altair, backtest)
    panels = [_draw_quality(altair, points[EVERYONE], x, named=True).properties(width=WIDTH, height=240)]
    if backtest.plan.refits:
        differences = [point for point in points[EVERYONE] if point["model"] == DIFFERENCE]
        panels.append(_draw_difference(altair, differences, x))
    panels.append(_draw_groups(altair, points, _time_axis(altair, backtest, ticks=3)))
    panels.append(_draw_queries(altair, backtest))
    title = (
        f"{backtest.about['model']} along time: {MAIN} by window of {format_duration(backtest.plan.every)}"
    )
    chart = altair.vconcat(*panels, spacing=26).resolve_scale(color="independent")
    write_picture(chart, title, backtest.sentences(), directory, "backtest")


def _draw_quality(altair: Any, points: list[dict[str, Any]], x: Any, named: bool = False) -> Any:
    """A line with its band for each model; a point of too few users is hollow and on no line."""
    models = [model for model in MODEL_COLORS if any(p["model"] == model for p in points)]
    lines = [point for point in points if point["model"] in models]
    scale = altair.Scale(domain=models, range=[MODEL_COLORS[model] for model in models])
    color = altair.Color("model:N", legend=None, scale=scale)
    y = altair.Y("mean:Q", title=MAIN).axis(tickCount=5, ticks=False).scale(zero=True, nice=True)
    base = altair.Chart(altair.Data(values=[p for p in lines if p["sure"]])).encode(x, color=color)
    unsure = altair.Chart(altair.Data(values=[p for p in lines if not p["sure"]])).encode(x, color=color)
    layers = [
        base.mark_area(opacity=0.16).encode(y="low:Q", y2="high:Q"),
        base.mark_line(strokeWidth=2.5, strokeCap="round", strokeJoin="round").encode(y),
        base.mark_point(filled=True, size=36, opacity=1).encode(y),
        unsure.mark_point(fill="white", size=30, opacity=1).encode(y),
    ]
    if named:
        layers.append(
            altair.Chart(altair.Data(values=_label_ends(lines, models)))
            .mark_text(align="left", dx=12, fontSize=13, fontWeight="bold")
            .encode(x, y="place:Q", text="model:N", color=color)
        )
    return altair.layer(*layers)


def _draw_groups(altair: Any, points: dict[str, list[dict[str, Any]]], x: Any) -> Any:
    """The same for users who are new in a window and for the others, side by side on one scale."""
    panels = [
        _draw_quality(altair, points[who], x).properties(
            width=(WIDTH - GAP - 50) // 2,
            height=130,
            title=altair.TitleParams(_name_group(who, points[who]), fontSize=13, offset=8, anchor="start"),
        )
        for who in (NEW_USERS, ACQUAINTED)
        if points[who]
    ]
    return altair.hconcat(*panels, spacing=GAP).resolve_scale(y="shared")


def _name_group(who: str, points: list[dict[str, Any]]) -> str:
    hollow = f" (hollow: fewer than {FEWEST_USERS} of them)" if not all(p["sure"] for p in points) else ""
    return f"Users {who}{hollow}"


def _draw_difference(altair: Any, points: list[dict[str, Any]], x: Any) -> Any:
    """What the refit is worth in each window, above or below zero."""
    base = altair.Chart(altair.Data(values=points)).encode(x)
    y = altair.Y("mean:Q", title="Gain of refits").axis(
        tickCount=4, ticks=False, labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.3~f')"
    )
    zero = altair.Chart(altair.Data(values=[{"zero": 0}])).mark_rule(color=FAINT_INK).encode(y="zero:Q")
    layers = [
        zero,
        base.mark_rule(color=INK, strokeWidth=1.5).encode(y="low:Q", y2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1, color=INK).encode(y),
    ]
    return altair.layer(*layers).properties(width=WIDTH, height=130)


def _draw_queries(altair: Any, backtest: Backtest) -> Any:
    """How many queries each window has, as bars of the window's width, new users below."""
    bars = []
    for window, groups in zip(backtest.windows, backtest.by_window, strict=True):
        low = 0
        for who in WHO_COLORS:
            if who in groups:
                span = {"at": _show(window.opens), "until": _show(window.closes)}
                bars.append({**span, "who": who, "low": low, "high": low + groups[who].queries})
                low += groups[who].queries
    scale = altair.Scale(domain=list(WHO_COLORS), range=list(WHO_COLORS.values()))
    legend = altair.Legend(
        title=None, orient="top", labelColor=FAINT_INK, labelFontSize=12, symbolType="square"
    )
    return (
        altair.Chart(altair.Data(values=bars))
        .mark_rect(stroke="white")
        .encode(
            _time_axis(altair, backtest),
            altair.X2("until"),
            altair.Y("low:Q", title="Queries").axis(tickCount=3, ticks=False, format=",d"),
            altair.Y2("high"),
            altair.Color("who:N", scale=scale, legend=legend),
        )
        .properties(width=WIDTH, height=90)
    )


def _points(backtest: Backtest) -> dict[str, list[dict[str, Any]]]:
    """Figures by whose queries they are, of each window and model; `sure` where there are users enough."""
    points: dict[str, list[dict[str, Any]]] = {who: [] for who in (EVERYONE, NEW_USERS, ACQUAINTED)}
    for window, groups in zip(backtest.windows, backtest.by_window, strict=True):
        at = _show((window.opens + window.closes) // 2)
        for who, part in groups.items():
            points[who] += [
                {"at": at, "model": model, "sure": part.has_interval, **vars(metrics[MAIN])}
                for model, metrics in part.figures.items()
            ]
    return points


def _label_ends(lines: list[dict[str, Any]], models: list[str]) -> list[dict[str, Any]]:
    """The last point of each line with the `place` of its name; names that are closer than a line are pushed apart."""
    ends = sorted(
        (next(p for p in reversed(lines) if p["model"] == m) for m in models), key=lambda p: float(p["mean"])
    )
    height = max(point["high"] for point in lines)
    push = (
        max(0.0, LABEL_HEIGHT * height - (ends[-1]["mean"] - ends[0]["mean"])) / 2 if len(ends) > 1 else 0.0
    )
    return [end | {"place": end["mean"] + shift} for end, shift in zip(ends, (-push, push), strict=False)]


def _time_axis(altair: Any, backtest: Backtest, ticks: int = 8) -> Any:
    ends = [_show(backtest.plan.start), _show(backtest.windows[-1].closes)]
    axis = altair.Axis(title=None, grid=False, tickCount=ticks, format="%b %Y", labelOverlap=True)
    return altair.X("at:T", axis=axis, scale=altair.Scale(type="utc", domain=ends, nice=False))


def _show(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
