"""Output to a terminal: results go to stdout, progress to stderr and only if it is a terminal.

Text is printed as it is: a title, a path or an option may hold brackets or codes that rich would take for markup. What
we style ourselves is styled with `style=` or as a `rich.text.Text`.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, HighlighterType, JustifyMethod, OverflowMethod, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.style import Style
from rich.text import Text

from nextreel.cli.terminal.fitting_table import FittingTable
from nextreel.errors import QueryError

PIPE_WIDTH = 160
"""Width in characters of a table in a pipe: wide enough for all columns of the largest table."""


class PlainConsole(Console):
    """A console that knows no markup in strings, and that prints no control characters that stand in them."""

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: HighlighterType | None = None,
    ) -> Text:
        """Return the string as text, whatever rich's settings say of markup, emoji codes and highlighting."""
        return Text(_without_controls(text), style=style, justify=justify, overflow=overflow)


def stdout() -> Console:
    """Return a console for results; in a pipe, tables have a fixed width and no colours."""
    console = PlainConsole()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


@contextmanager
def stages(description: str) -> Iterator[Callable[[str], None]]:
    """Show a clock as `progress_bar` does, for work whose length is unknown; yield what names the present stage."""
    with progress_bar(description) as (progress, task):
        yield lambda stage: progress.update(task, note=stage, refresh=True)


@contextmanager
def progress_bar(description: str) -> Iterator[tuple[Progress, TaskID]]:
    """Show on stderr, if that is a terminal, what is being done and for how long; yield it and the id of its only task.

    The field `note` of the task names the stage, such as "reading data". A bar appears once a part of the work is done.
    """
    console = PlainConsole(stderr=True)
    columns = (
        SpinnerColumn("line" if console.options.ascii_only else "dots"),
        TextColumn("{task.description}", markup=False),
        _BarOfKnownLength(width=20),
        _Clock(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress, progress.add_task(description, total=None, note="")


class _BarOfKnownLength(ProgressColumn):
    """A bar that isn't there before a part of the work is done: one that stays at 0 % looks like a hang."""

    def __init__(self, width: int) -> None:
        self._bar = BarColumn(bar_width=width)
        super().__init__()

    def render(self, task: Task) -> RenderableType:
        return self._bar.render(task) if _is_under_way(task) else Text("")


class _Clock(ProgressColumn):
    """Elapsed time, and where the length of the work is known, the share that is done and the time that is left."""

    def render(self, task: Task) -> Text:
        parts = [_show_seconds(task.elapsed or 0.0)]
        if _is_under_way(task):
            parts.insert(0, f"{task.percentage:.0f}%")
            if task.time_remaining:
                parts.append(f"{_show_seconds(task.time_remaining)} left")
        return Text(", ".join(parts), style="dim")


def print_sentences(console: Console, sentences: Iterable[str]) -> None:
    """Print each sentence on a line of its own; in a terminal, a long one is wrapped between words."""
    for sentence in sentences:
        console.print(sentence, soft_wrap=not console.is_terminal)


def table(title: str, *columns: str, numbers: int = 0) -> FittingTable:
    """Return an empty table whose last `numbers` columns are aligned right."""
    return FittingTable(title, columns, numbers)


def refuse_existing(path: Path) -> None:
    """Raise QueryError if the output file exists already, so that no file is overwritten by mistake."""
    if path.exists():
        raise QueryError(
            f"{path} exists already; nothing was written: name another file, or replace it with --force"
        )


def refuse_filled(directory: Path) -> None:
    """Raise QueryError if the output directory exists and has files, or is a file itself."""
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise QueryError(
            f"{directory} exists and isn't empty; nothing was written: name another directory, or use --force"
        )


def _is_under_way(task: Task) -> bool:
    return bool(task.total and task.completed)


def _show_seconds(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def _without_controls(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        "?" if unicodedata.category(char) == "Cc" and char not in "\n\t" else char for char in text
    )
