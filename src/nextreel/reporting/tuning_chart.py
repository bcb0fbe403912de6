"""The picture of a search: how its best figure rose, and what each option did."""

from pathlib import Path
from typing import Any

from nextreel.errors import require
from nextreel.options import Choice, Range
from nextreel.reporting.chart_style import INK, write_picture
from nextreel.reporting.loss_curve import COLORS
from nextreel.tuning.tuning_result import DEFAULTS, MAIN, TuningResult

WIDTH, PANELS_IN_A_ROW, GAP = 660, 3, 44
TRIED, BEST = "#9aa5b1", COLORS["train"]
LEFT_OUT = 0.1
"""Share of the trials, the worst, that may lie below the picture: they would flatten all others."""


def plot_search(tuned: TuningResult, directory: Path) -> None:
    """Write `search.svg` and `search.png`; raises MissingExtraError without altair and vl-convert."""
    altair = require("altair", "plots")
    finished = [trial for trial in tuned.trials if trial.ndcg is not None]
    options = [
        _draw_option(altair, tuned, name, values)
        for name, values in tuned.search.space.items()
        if any(name in trial.options for trial in finished)
    ]
    rows = [
        altair.hconcat(*options[start : start + PANELS_IN_A_ROW], spacing=GAP)
        for start in range(0, len(options), PANELS_IN_A_ROW)
    ]
    chart = altair.vconcat(_draw_progress(altair, tuned), *rows, spacing=30)
    title = f"Search for the options of {tuned.model}"
    write_picture(chart, title, tuned.sentences(), directory, "search")


def _draw_progress(altair: Any, tuned: TuningResult) -> Any:
    """Each trial, and the best so far as a line that rises; the defaults are a rule of their own."""
    finished = [(trial.number, trial.ndcg) for trial in tuned.trials if trial.ndcg is not None]
    best = [max(ndcg for other, ndcg in finished if other <= number) for number, _ in finished]
    points = [
        {"trial": number, "ndcg": ndcg, "best": so_far}
        for (number, ndcg), so_far in zip(finished, best, strict=True)
    ]
    last, default = max(tuned.trials[-1].number, 1), tuned.estimate(DEFAULTS).mean
    ends = [{"trial": 0, "ndcg": default}, {"trial": last, "ndcg": default}]
    labels = [{"trial": last, "ndcg": default, "label": f"defaults {default:.4f}", "color": INK}]
    if tuned.best.number != DEFAULTS:
        labels.append({"trial": last, "ndcg": best[-1], "label": f"best {best[-1]:.4f}", "color": BEST})
    x = altair.X("trial:Q", title="Trial").axis(format="d", grid=False, tickMinStep=1)
    x = x.scale(domain=[0, last], nice=False)
    y, line = _y_axis(altair, tuned), altair.Chart(altair.Data(values=points))
    layers = [
        altair.Chart(altair.Data(values=ends)).mark_line(strokeDash=[5, 4], color=INK).encode(x, y),
        line.mark_line(interpolate="step-after", strokeWidth=2.5, color=BEST).encode(x, y="best:Q"),
        _dots(altair, _shown(tuned, points)).encode(x, y),
        _dots(altair, [{"trial": 0, "ndcg": default}], INK, 60).encode(x, y),
        _dots(altair, [{"trial": tuned.best.number, "ndcg": tuned.best.ndcg}], BEST, 90).encode(x, y),
        altair.Chart(altair.Data(values=labels))
        .mark_text(align="left", dx=12, fontSize=13, fontWeight="bold")
        .encode(x, y, text="label:N", color=altair.Color("color:N", scale=None)),
    ]
    return altair.layer(*layers).properties(width=WIDTH, height=220)


def _draw_option(altair: Any, tuned: TuningResult, name: str, values: Range | Choice) -> Any:
    """Figures of the trials by what they tried of one option; the defaults are black where they have a value."""
    points = [
        {name: trial.options[name], "ndcg": trial.ndcg}
        for trial in tuned.trials
        if trial.ndcg is not None and name in trial.options
    ]
    title = name.replace("_", " ").capitalize()
    if isinstance(values, Range):
        kind = "log" if values.log else "linear"
        scale = altair.Scale(type=kind, domain=[values.low, values.high], nice=False)
        axis = altair.Axis(
            grid=False,
            ticks=False,
            tickCount=4,
            format="~s" if values.high >= 1000 else "~g",
            labelOverlap=True,
        )
        x = altair.X(f"{name}:Q", title=title, scale=scale, axis=axis)
    else:
        axis = altair.Axis(grid=False, ticks=False, labelAngle=0)
        x = altair.X(f"{name}:O", title=title, sort=list(values.values), axis=axis)
    layers = [_dots(altair, _shown(tuned, points)).encode(x, _y_axis(altair, tuned))]
    default = tuned.defaults[name]
    if values.contains(default):
        point = {name: default, "ndcg": tuned.estimate(DEFAULTS).mean}
        layers.append(_dots(altair, [point], INK, 60).encode(x, _y_axis(altair, tuned)))
    if name in tuned.best.options:
        point = {name: tuned.best.options[name], "ndcg": tuned.best.ndcg}
        layers.append(_dots(altair, [point], BEST, 90).encode(x, _y_axis(altair, tuned)))
    return altair.layer(*layers).properties(width=(WIDTH - 2 * (GAP + 60)) // PANELS_IN_A_ROW, height=130)


def _dots(altair: Any, points: list[dict[str, Any]], color: str = TRIED, size: int = 32) -> Any:
    return altair.Chart(altair.Data(values=points)).mark_point(filled=True, size=size, opacity=1, color=color)


def _shown(tuned: TuningResult, points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    low, _ = _span(tuned)
    return [point for point in points if point["ndcg"] >= low]


def _span(tuned: TuningResult) -> tuple[float, float]:
    """Lowest and highest figure that are shown."""
    ndcgs = sorted(trial.ndcg for trial in tuned.trials if trial.ndcg is not None)
    return min(ndcgs[int(LEFT_OUT * len(ndcgs))], tuned.estimate(DEFAULTS).mean), ndcgs[-1]


def _y_axis(altair: Any, tuned: TuningResult) -> Any:
    low, high = _span(tuned)
    margin = 0.08 * (high - low) or 0.01
    scale = altair.Scale(domain=[low - margin, high + margin], nice=False)
    return altair.Y("ndcg:Q", title=MAIN, scale=scale).axis(tickCount=4, ticks=False, format=".3f")
