"""The chart of a search for options: the best metric so far, and the metric by the value of each option."""

from itertools import accumulate
from pathlib import Path

from nextreel.errors import require
from nextreel.options import Choice, Range
from nextreel.reporting.chart_style import BLUE, INK, Chart, Points, chart_of, write_picture
from nextreel.tuning.tuning_result import DEFAULTS, MAIN, Trial, TuningResult

WIDTH, PANELS_IN_A_ROW, GAP = 660, 3, 44
TRIED, BEST = "#9aa5b1", BLUE
LEFT_OUT = 0.1
"""Maximum share of the trials, those with the lowest metric, that may lie below the visible range of the chart: they
would flatten all others."""


def plot_search(tuned: TuningResult, directory: Path) -> None:
    """Write the chart of a search for options to the directory, as `search.svg` and `search.png`.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    altair = require("altair", "plots")
    finished = [trial for trial in tuned.trials if trial.ndcg is not None]
    options = [
        _draw_option(tuned, name, values)
        for name, values in tuned.search.space.items()
        if any(name in trial.options for trial in finished)
    ]
    rows = [
        altair.hconcat(*options[start : start + PANELS_IN_A_ROW], spacing=GAP)
        for start in range(0, len(options), PANELS_IN_A_ROW)
    ]
    chart = altair.vconcat(_draw_progress(tuned), *rows, spacing=30)
    title = f"Search for the options of {tuned.model}"
    write_picture(chart, title, tuned.sentences(), directory, "search")


def _draw_progress(tuned: TuningResult) -> Chart:
    """Return the panel of progress: each trial as a dot, the best metric so far as a rising line, and the metric of the
    default options as a dashed line."""
    altair = require("altair", "plots")
    finished = [(trial.number, trial.ndcg) for trial in tuned.trials if trial.ndcg is not None]
    best_so_far = list(accumulate((ndcg for _, ndcg in finished), max))
    steps = [{"trial": number, "best": best} for (number, _), best in zip(finished, best_so_far, strict=True)]
    last, default = max(tuned.trials[-1].number, 1), tuned.estimate(DEFAULTS).mean
    ends = [{"trial": 0, "ndcg": default}, {"trial": last, "ndcg": default}]
    labels = [{"trial": last, "ndcg": default, "label": f"defaults {default:.4f}", "color": INK}]
    if tuned.best.number != DEFAULTS:
        best = best_so_far[-1]
        labels.append({"trial": last, "ndcg": best, "label": f"best {best:.4f}", "color": BEST})
    x = altair.X("trial:Q", title="Trial").axis(format="d", grid=False, tickMinStep=1)
    x, y = x.scale(domain=[0, last], nice=False), _metric_axis(tuned)
    trials = [{"trial": trial.number, "ndcg": trial.ndcg} for trial in _shown_trials(tuned)]
    layers = [
        chart_of(ends).mark_line(strokeDash=[5, 4], color=INK).encode(x, y),
        chart_of(steps)
        .mark_line(interpolate="step-after", strokeWidth=2.5, color=BEST)
        .encode(x, y="best:Q"),
        _draw_dots(trials).encode(x, y),
        _draw_dots([{"trial": 0, "ndcg": default}], INK, 60).encode(x, y),
        _draw_dots([{"trial": tuned.best.number, "ndcg": tuned.best.ndcg}], BEST, 90).encode(x, y),
        chart_of(labels)
        .mark_text(align="left", dx=12, fontSize=13, fontWeight="bold")
        .encode(x, y, text="label:N", color=altair.Color("color:N", scale=None)),
    ]
    return altair.layer(*layers).properties(width=WIDTH, height=220)


def _draw_option(tuned: TuningResult, name: str, values: Range | Choice) -> Chart:
    """Return the panel of one option: the metric of each trial by its value of the option. The trial of the default
    options, if it has a place on the axis, is black."""
    altair = require("altair", "plots")
    x = _option_axis(name, values)
    trials = [
        {name: trial.options[name], "ndcg": trial.ndcg}
        for trial in _shown_trials(tuned)
        if name in trial.options
    ]
    layers = [_draw_dots(trials).encode(x, _metric_axis(tuned))]
    default = tuned.defaults[name]
    if values.contains(default):
        point = {name: default, "ndcg": tuned.estimate(DEFAULTS).mean}
        layers.append(_draw_dots([point], INK, 60).encode(x, _metric_axis(tuned)))
    if name in tuned.best.options:
        point = {name: tuned.best.options[name], "ndcg": tuned.best.ndcg}
        layers.append(_draw_dots([point], BEST, 90).encode(x, _metric_axis(tuned)))
    return altair.layer(*layers).properties(width=(WIDTH - 2 * (GAP + 60)) // PANELS_IN_A_ROW, height=130)


def _option_axis(name: str, values: Range | Choice) -> Chart:
    altair = require("altair", "plots")
    title = name.replace("_", " ").capitalize()
    if isinstance(values, Choice):
        axis = altair.Axis(grid=False, ticks=False, labelAngle=0)
        return altair.X(f"{name}:O", title=title, sort=list(values.values), axis=axis)
    kind = "log" if values.log else "linear"
    scale = altair.Scale(type=kind, domain=[values.low, values.high], nice=False)
    number_format = "~s" if values.high >= 1000 else "~g"
    axis = altair.Axis(grid=False, ticks=False, tickCount=4, format=number_format, labelOverlap=True)
    return altair.X(f"{name}:Q", title=title, scale=scale, axis=axis)


def _metric_axis(tuned: TuningResult) -> Chart:
    low, high = _shown_range(tuned)
    margin = 0.08 * (high - low) or 0.01
    altair = require("altair", "plots")
    scale = altair.Scale(domain=[low - margin, high + margin], nice=False)
    return altair.Y("ndcg:Q", title=MAIN, scale=scale).axis(tickCount=4, ticks=False, format=".3f")


def _draw_dots(points: Points, color: str = TRIED, size: int = 32) -> Chart:
    return chart_of(points).mark_point(filled=True, size=size, opacity=1, color=color)


def _shown_trials(tuned: TuningResult) -> list[Trial]:
    low, _ = _shown_range(tuned)
    return [trial for trial in tuned.trials if trial.ndcg is not None and trial.ndcg >= low]


def _shown_range(tuned: TuningResult) -> tuple[float, float]:
    """Return the lowest and the highest value of the metric that the chart shows."""
    ndcgs = sorted(trial.ndcg for trial in tuned.trials if trial.ndcg is not None)
    return min(ndcgs[int(LEFT_OUT * len(ndcgs))], tuned.estimate(DEFAULTS).mean), ndcgs[-1]
