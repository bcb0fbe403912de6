"""HTML with which objects introduce themselves in a notebook: a title, a small table, and notes."""

from collections.abc import Sequence
from html import escape


def to_html(
    title: str, rows: Sequence[Sequence[str]], header: Sequence[str] = (), notes: Sequence[str] = ()
) -> str:
    """Return a table with a title above it and notes below; all texts are escaped."""
    lines = [f"<p><strong>{escape(title)}</strong></p>", "<table>"]
    if header:
        lines.append("<thead><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr></thead>")
    lines.append("<tbody>")
    for first, *others in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        lines.append(f'<tr><th style="text-align: left">{escape(first)}</th>{cells}</tr>')
    lines.append("</tbody></table>")
    return "\n".join([*lines, *(f"<p>{escape(note)}</p>" for note in notes)])
