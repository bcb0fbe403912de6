"""The chart of README.md: NDCG@10 of every model of the leaderboard, with its interval.

`python -m benchmarks.render` writes it.
"""

from collections.abc import Iterator
from html import escape

from benchmarks.run import Result, read_result
from benchmarks.svg import draw_picture
from nextreel.reporting.chart_style import BLUE, FAINT_INK, INK, RULE

OURS = "nextreel "
"""How the names of our own models begin."""
GREY = "#9aa5b1"
WIDTH, TOP, ROW, BAR = 880, 112, 28, 18
LEFT, RIGHT = 290, 90
"""Pixels left and right of the bars: for the names and the values."""
HIGHEST, STEP = 0.18, 0.03
"""The end of the scale, and the distance of its lines."""


def draw_leaderboard() -> str:
    """Return the chart as SVG, the best model at the top."""
    board = read_result("leaderboard")["frozen"]
    models = sorted(board["models"], key=lambda model: -_ndcg(model)["mean"])
    height = TOP + ROW * len(models) + 24
    parts = [
        *_draw_scale(height),
        *(line for place, model in enumerate(models) for line in _draw_model(model, TOP + ROW * place)),
    ]
    note = f"{board['queries']:,} queries of {board['users']:,} users, the same for all; lines are 95 % intervals"
    return draw_picture(WIDTH, height, "NDCG@10 on MovieLens-1M", note, _describe(models), parts)


def _describe(models: list[Result]) -> str:
    values = ", ".join(f"{_label(model)} {_ndcg(model)['mean']:.4f}" for model in models)
    return f"NDCG@10 on MovieLens-1M: {values}"


def _draw_scale(height: int) -> Iterator[str]:
    for number in range(round(HIGHEST / STEP) + 1):
        x = _x(number * STEP)
        yield f'<path d="M{x} {TOP - 8}V{height - 20}" stroke="{RULE}"/>'
        yield (
            f'<text x="{x}" y="{TOP - 16}" text-anchor="middle" font-size="12" fill="{FAINT_INK}">'
            f"{number * STEP:.2f}</text>"
        )


def _draw_model(model: Result, top: int) -> Iterator[str]:
    estimate, is_ours = _ndcg(model), model["name"].startswith(OURS)
    low, mean, high = (_x(estimate[key]) for key in ("low", "mean", "high"))
    middle = top + ROW / 2
    weight = ' font-weight="600"' if is_ours else ""
    yield (
        f'<text x="{LEFT - 12}" y="{middle + 5:g}" text-anchor="end"{weight}>{escape(_label(model))}</text>'
    )
    yield (
        f'<rect x="{LEFT}" y="{middle - BAR / 2:g}" width="{mean - LEFT:.1f}" height="{BAR}" '
        f'fill="{BLUE if is_ours else GREY}"/>'
    )
    yield f'<path d="M{low} {middle:g}H{high}" stroke="{INK}" stroke-width="2"/>'
    yield f'<text x="{high + 10:.1f}" y="{middle + 5:g}"{weight}>{estimate["mean"]:.4f}</text>'


def _label(model: Result) -> str:
    return str(model["name"]).replace("`", "")


def _ndcg(model: Result) -> dict[str, float]:
    estimate: dict[str, float] = model["histories"]["frozen"]["metrics"]["NDCG@10"]
    return estimate


def _x(value: float) -> float:
    """Return the horizontal position of a value, rounded so that every machine writes the same digits."""
    return round(LEFT + value / HIGHEST * (WIDTH - LEFT - RIGHT), 1)
