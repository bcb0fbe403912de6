"""The chart of docs/how-to/scale.md: the time of each command by the number of ratings, with its exponent.

`python -m benchmarks.render` writes it. It is narrow, so that its text can be read on a phone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.run import Result, read_result
from benchmarks.svg import draw_picture
from nextreel.reporting.chart_style import BLUE, FAINT_INK, INK, RULE, VERMILION

COLOURS = ("#009e73", "#b8558a", "#9a7200", INK, BLUE, "#2a7fb0", "#8a5fbf", VERMILION)
"""One for each task, after Okabe and Ito's palette, dark enough for text on white."""
WIDTH, HEIGHT = 480, 430
LEFT, RIGHT, TOP, BOTTOM = 58, 196, 92, 48
"""Pixels around the plot: for the axes' labels, for the names of the lines, and for the heading."""
LABEL_HEIGHT = 18.0
"""Pixels between the names of two lines."""
SECONDS = (1, 3, 10, 30, 100, 300, 1000)
"""The lines of the scale, as far as they are needed."""


@dataclass(frozen=True)
class _Line:
    task: str
    exponent: float
    colour: str
    points: tuple[tuple[float, float], ...]


def draw_scaling() -> str:
    """Return the chart as SVG."""
    result = read_result("scaling")
    tasks = [task for task, exponent in result["exponents"].items() if exponent is not None]
    seconds = [
        size["tasks"][task]["seconds"] for size in result["sizes"] for task in tasks if task in size["tasks"]
    ]
    rows = [size["rows"] for size in result["sizes"]]
    across, up = (min(rows), max(rows)), (min(seconds), max(seconds))
    lines = [
        _Line(
            task,
            result["exponents"][task],
            COLOURS[number % len(COLOURS)],
            tuple(
                (
                    _place(size["rows"], across, LEFT, WIDTH - RIGHT),
                    _place(size["tasks"][task]["seconds"], up, HEIGHT - BOTTOM, TOP),
                )
                for size in result["sizes"]
                if task in size["tasks"]
            ),
        )
        for number, task in enumerate(tasks)
    ]
    return draw_picture(
        WIDTH,
        HEIGHT,
        "Time by number of ratings",
        "Behind each name: its exponent. Both scales are logarithmic.",
        _describe(result, tasks),
        [
            *_draw_scales(rows, across, up),
            *(part for line in lines for part in _draw_line(line)),
            *_draw_labels(lines),
        ],
    )


def _describe(result: Result, tasks: Sequence[str]) -> str:
    largest = {
        task: [
            (size["rows"], size["tasks"][task]["seconds"])
            for size in result["sizes"]
            if task in size["tasks"]
        ][-1]
        for task in tasks
    }
    times = (f"{task} {seconds:,.0f} s for {rows / 1e6:.1f}M" for task, (rows, seconds) in largest.items())
    return f"Time by number of ratings: {', '.join(times)}"


def _draw_scales(rows: Sequence[int], across: tuple[float, float], up: tuple[float, float]) -> Iterator[str]:
    for seconds in SECONDS:
        if not up[0] <= seconds <= up[1]:
            continue
        y = _place(seconds, up, HEIGHT - BOTTOM, TOP)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="{RULE}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 5:g}" text-anchor="end" fill="{FAINT_INK}">{seconds:,} s</text>'
    for number in rows:
        x = _place(number, across, LEFT, WIDTH - RIGHT)
        yield f'<path d="M{x} {TOP - 6}V{HEIGHT - BOTTOM + 6}" stroke="{RULE}"/>'
        yield (
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 26}" text-anchor="middle" fill="{FAINT_INK}">'
            f"{number / 1e6:.1f}M</text>"
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
            f'<text x="{left}" y="{y + 5:g}" fill="{line.colour}" class="label">{line.task} {line.exponent:.2f}</text>'
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
