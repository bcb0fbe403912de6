"""The charts of docs/how-to/scale.md: time and memory of commands by the number of ratings or of movies.

`python -m benchmarks.render` writes them. They are narrow, so that their text can be read on a phone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.run import Result, read_result
from benchmarks.svg import draw_picture
from benchmarks.tables import show_count, show_exponent
from nextreel.reporting.chart_style import BLUE, FAINT_INK, INK, RULE, VERMILION

COLOURS = {
    "check": "#009e73",
    "ingest": "#5b6b00",
    "split": "#b8558a",
    "fit popularity": "#9a7200",
    "fit item-knn": INK,
    "fit ease": BLUE,
    "fit als": "#8a5fbf",
    "fit sequential-ridge": VERMILION,
}
"""The colour of each task in every chart, after Okabe and Ito's palette, dark enough for text on white."""
WIDTH, HEIGHT = 492, 430
LEFT, RIGHT, TOP, BOTTOM = 64, 206, 92, 48
"""Pixels around the plot: for the axes' labels, for the names of the lines, and for the heading."""
LABEL_HEIGHT = 18.0
"""Pixels between the names of two lines."""


@dataclass(frozen=True)
class _Measure:
    name: str
    key: str
    """Of a task's figures in the result file."""
    unit: str
    scale: tuple[float, ...]
    """The lines of the scale, as far as they are needed."""


_TIME = _Measure("Time", "cpu_seconds", "s", (1, 3, 10, 30, 100, 300, 1000, 3000))
_MEMORY = _Measure("Peak memory", "peak_memory_gib", "GiB", (0.1, 0.2, 0.5, 1, 2, 5, 10))


@dataclass(frozen=True)
class _Line:
    task: str
    label: str
    """What stands behind the name."""
    points: tuple[tuple[float, float], ...]

    @property
    def colour(self) -> str:
        return COLOURS[self.task]


def draw_time_by_rows() -> str:
    """Return the chart of the time by the number of ratings, with exponents, as SVG."""
    return _draw_chart(read_result("scaling"), _TIME)


def draw_memory_by_rows() -> str:
    """Return the chart of the peak memory by the number of ratings as SVG."""
    return _draw_chart(read_result("scaling"), _MEMORY)


def draw_time_by_movies() -> str:
    """Return the chart of the time of fits by the number of movies, with exponents, as SVG."""
    return _draw_chart(read_result("scaling-movies"), _TIME, "fit ")


def _draw_chart(result: Result, measure: _Measure, kind: str = "") -> str:
    """Draw the tasks whose name begins with `kind` and whose time grows."""
    along, sizes = result["config"]["growth"]["of"], result["sizes"]
    tasks = [task for task, exponent in result["exponents"].items() if exponent is not None]
    tasks = [task for task in tasks if task.startswith(kind)]
    figures = {
        task: [(size[along], size["tasks"][task][measure.key]) for size in sizes if task in size["tasks"]]
        for task in tasks
    }
    counts = [size[along] for size in sizes]
    heights = [height for points in figures.values() for _, height in points]
    across, up = (min(counts), max(counts)), (min(heights), max(heights))
    lines = [
        _Line(
            task,
            show_exponent(result["exponents"][task]) if measure is _TIME else _show(points[-1][1], measure),
            tuple(
                (
                    _place(count, across, LEFT, WIDTH - RIGHT),
                    _place(height, up, HEIGHT - BOTTOM, TOP),
                )
                for count, height in points
            ),
        )
        for task, points in figures.items()
    ]
    behind = "its exponent" if measure is _TIME else "its largest"
    heading = f"{measure.name} by number of {'ratings' if along == 'rows' else 'movies'}"
    largest = (
        f"{task} {_show(points[-1][1], measure)} for {show_count(points[-1][0])}"
        for task, points in figures.items()
    )
    return draw_picture(
        WIDTH,
        HEIGHT,
        heading,
        f"Behind each name: {behind}. Both scales are logarithmic.",
        f"{heading}: {', '.join(largest)}",
        [
            *_draw_scales(counts, across, up, measure),
            *(part for line in lines for part in _draw_line(line)),
            *_draw_labels(lines),
        ],
    )


def _show(height: float, measure: _Measure) -> str:
    """Return a time or a memory with its unit; small ones with a decimal place."""
    return f"{height:,.0f} {measure.unit}" if height >= 10 else f"{height:.1f} {measure.unit}"


def _draw_scales(
    counts: Sequence[int], across: tuple[float, float], up: tuple[float, float], measure: _Measure
) -> Iterator[str]:
    for height in measure.scale:
        if not up[0] <= height <= up[1]:
            continue
        y = _place(height, up, HEIGHT - BOTTOM, TOP)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{RULE}"/>'
        yield (
            f'<text x="{LEFT - 8}" y="{y + 5:g}" text-anchor="end" fill="{FAINT_INK}">'
            f"{height:,g} {measure.unit}</text>"
        )
    for count in counts:
        x = _place(count, across, LEFT, WIDTH - RIGHT)
        yield f'<path d="M{x} {TOP - 6}V{HEIGHT - BOTTOM + 6}" stroke="{RULE}"/>'
        yield (
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 26}" text-anchor="middle" fill="{FAINT_INK}" font-size="12">'
            f"{show_count(count)}</text>"
        )


def _draw_line(line: _Line) -> Iterator[str]:
    path = "L".join(f"{x} {y}" for x, y in line.points)
    yield f'<path d="M{path}" stroke="{line.colour}" stroke-width="2.5" fill="none"/>'
    for x, y in line.points:
        yield f'<circle cx="{x}" cy="{y}" r="4" fill="{line.colour}"/>'


def _draw_labels(lines: Sequence[_Line]) -> Iterator[str]:
    """Write the names beside the ends of the lines, moved apart, each joined with its end."""
    by_height = sorted(lines, key=lambda line: line.points[-1][1])
    heights = _move_apart([line.points[-1][1] for line in by_height])
    left = WIDTH - RIGHT + 26
    for line, y in zip(by_height, heights, strict=True):
        end_x, end_y = line.points[-1]
        yield (
            f'<path d="M{end_x} {end_y}L{left - 4} {y}" stroke="{line.colour}" stroke-dasharray="2 3" fill="none"/>'
        )
        yield (
            f'<text x="{left}" y="{y + 5:g}" fill="{line.colour}" class="label">{line.task} {line.label}</text>'
        )


def _move_apart(heights: Sequence[float]) -> list[float]:
    """Return ascending heights at least LABEL_HEIGHT apart, each group that was moved around its own mean."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _start(groups[-1]) < _start(groups[-2]) + LABEL_HEIGHT * len(groups[-2]):
            last = groups.pop()
            groups[-1] += last
    return [round(_start(group) + LABEL_HEIGHT * place, 1) for group in groups for place in range(len(group))]


def _start(group: Sequence[float]) -> float:
    """Return the height of the first label of a group whose labels stand around their mean."""
    return sum(group) / len(group) - LABEL_HEIGHT * (len(group) - 1) / 2


def _place(value: float, ends: tuple[float, float], first: float, last: float) -> float:
    """Return the pixel of a value on a logarithmic scale, rounded so that every machine writes the same digits."""
    share = math.log(value / ends[0]) / math.log(ends[1] / ends[0])
    return round(first + share * (last - first), 1)
