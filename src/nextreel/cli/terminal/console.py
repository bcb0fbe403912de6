"""What the commands share with the terminal: results go to stdout, progress to stderr and only to a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from nextreel.errors import QueryError


def stdout() -> Console:
    """A console for results; in a pipe, tables keep their full width and carry no colour."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    return console


@contextmanager
def progress_bar(description: str) -> Iterator[tuple[Progress, Any]]:
    """A bar on stderr with one task; it shows nothing where stderr isn't a terminal."""
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
    """An empty table; the last `numbers` columns are aligned right."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for position, column in enumerate(columns):
        right = position >= len(columns) - numbers
        made.add_column(column, justify="right" if right else "left", no_wrap=right)
    return made


def refuse_existing(path: Path) -> None:
    """An output file is never overwritten by surprise."""
    if path.exists():
        raise QueryError(f"{path} exists already; nothing was written: name another file or remove it")
