"""What our charts in SVG have in common.

They are drawn without a library, so that the same result file gives the same bytes on every machine, whatever fonts and
versions it has, and a test can compare them. Their background is white on dark pages, too.
"""

from collections.abc import Iterable
from html import escape

from nextreel.reporting.chart_style import FAINT_INK, INK

FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def draw_picture(
    width: int, height: int, heading: str, note: str, description: str, parts: Iterable[str]
) -> str:
    """Return a picture of a heading, a note below it, and parts, each a line of SVG.

    `description` is for those who can't see it.
    """
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="{FONT}" font-size="14" fill="{INK}" role="img">',
            f"<title>{escape(description)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
            f'<text x="24" y="36" font-size="19" font-weight="600">{escape(heading)}</text>',
            f'<text x="24" y="60" fill="{FAINT_INK}">{escape(note)}</text>',
            *parts,
            "</svg>\n",
        ]
    )
