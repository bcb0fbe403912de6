"""The style that all charts share, and a function that writes a chart as SVG and PNG without a browser."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from nextreel.atomic_files import replacing
from nextreel.errors import require

Chart = Any
"""A chart of altair or a part of one, such as an axis. Altair is optional, so its types can't be imported here."""
Points = Sequence[Mapping[str, object]]
"""The data of a chart: points with their fields by name."""

INK, FAINT_INK, RULE = "#1f2933", "#616e7c", "#e4e7eb"
BLUE, VERMILION = "#0072b2", "#d55e00"
"""The two main colours of the charts, from Okabe and Ito's palette: colour-blind readers can tell them apart."""
SUBTITLE = {"subtitleFontSize": 13, "subtitleColor": FAINT_INK, "subtitlePadding": 6}
AXIS = {
    "labelColor": FAINT_INK,
    "labelFontSize": 12,
    "labelPadding": 6,
    "labelFlush": False,
    "titleColor": FAINT_INK,
    "titleFontSize": 13,
    "titleFontWeight": "normal",
    "titlePadding": 12,
    "domain": False,
    "gridColor": RULE,
    "tickColor": RULE,
}
SUBTITLE_WIDTH = 105
"""Maximum number of characters in a line of the sentences below a chart's title."""
LABEL_HEIGHT = 0.06
"""Height of the label at the end of a curve as a share of the plot's height: labels closer than this would overlap."""


def write_picture(chart: Chart, title: str, sentences: Sequence[str], directory: Path, name: str) -> None:
    """Write a chart as `name`.svg and `name`.png, with the title and the sentences above it.

    Raises MissingExtraError if vl-convert isn't installed and DataError if a file can't be written.
    """
    subtitle = [line for sentence in sentences for line in wrap(sentence, SUBTITLE_WIDTH)]
    vl_convert = require("vl_convert", "plots")
    specification = (
        chart.properties(padding=24, title={"text": title, "subtitle": subtitle})
        .configure(background="white", font="Helvetica, Arial, sans-serif", view={"stroke": None})
        .configure_title(anchor="start", offset=18, fontSize=19, color=INK, **SUBTITLE)
        .configure_axis(**AXIS)
        .to_dict()
    )
    with replacing(directory / f"{name}.svg") as svg, replacing(directory / f"{name}.png") as png:
        svg.write_text(vl_convert.vegalite_to_svg(specification), encoding="utf-8")
        png.write_bytes(vl_convert.vegalite_to_png(specification, scale=2))


def chart_of(points: Points) -> Chart:
    """Return an altair chart of the points that has no marks yet.

    Raises MissingExtraError if altair isn't installed.
    """
    altair = require("altair", "plots")
    return altair.Chart(altair.Data(values=points))


def space_labels(values: Sequence[float], height: float) -> list[float]:
    """Return the vertical positions of the labels of one or two curves, moved apart until they don't overlap.

    `values` are the curves' last values, ascending; `height` is the height of the plot in the unit of these values.
    """
    if len(values) < 2:
        return list(values)
    low, high = values
    shift = max(0.0, LABEL_HEIGHT * height - (high - low)) / 2
    return [low - shift, high + shift]
