"""Output to a terminal: results go to stdout, progress to stderr and only if it is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from nextreel.errors import QueryError

PIPE_WIDTH = 160
"""Width in characters of a table in a pipe: wide enough for all columns of the largest table."""


def stdout() -> Console:
    """Return a console for results; in a pipe, tables have a fixed width and no colours."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


@contextmanager
def progress_bar(description: str) -> Iterator[tuple[Progress, TaskID]]:
    """Show a progress bar on stderr, if that is a terminal; yield the bar and the id of its only task."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress, progress.add_task(description, total=None, note="")


def table(title: str, *columns: str, numbers: int = 0) -> Table:
    """Return an empty table whose last `numbers` columns are aligned right."""
    empty_table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for position, column in enumerate(columns):
        right = position >= len(columns) - numbers
        empty_table.add_column(column, justify="right" if right else "left", no_wrap=right)
    return empty_table


def refuse_existing(path: Path) -> None:
    """Raise QueryError if the output file exists already, so that no file is overwritten by mistake."""
    if path.exists():
        raise QueryError(f"{path} exists already; nothing was written: name another file or remove it")
