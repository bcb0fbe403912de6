"""Writing an altair chart as SVG and PNG, in the manner that all pictures share."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from nextreel.atomic_files import replacing
from nextreel.errors import require

INK, FAINT_INK, RULE = "#1f2933", "#616e7c", "#e4e7eb"
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
"""Characters of a line under the title."""


def write_picture(chart: Any, title: str, sentences: Sequence[str], directory: Path, name: str) -> None:
    """Write a chart under a title and sentences as `name`.svg and `name`.png.

    Raises MissingExtraError without vl-convert.
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
