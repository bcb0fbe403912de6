"""A table that stays readable in a narrow terminal, where rich would shrink the column of names to nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

LEAST_TEXT_WIDTH = 16
"""Width in characters down to which a column of text is wrapped."""


class FittingTable(Table):
    """A table in the first of three forms that fits: whole; intervals below their values; one block for each row.

    The first column names the row and isn't wrapped. If it has no heading, it holds a number, and the second column
    names the row. The last `numbers` columns are aligned right and aren't wrapped either. All others may be wrapped.
    """

    def __init__(self, title: str, headings: Sequence[str], numbers: int) -> None:
        super().__init__(title=title, title_justify="left", title_style="bold", header_style="bold")
        self.notes: Sequence[str] = ()
        """Sentences below the table, which are as wide as the console; rich's caption is as narrow as the table."""
        for position, heading in enumerate(headings):
            is_number = position >= len(headings) - numbers
            self.add_column(heading, justify="right" if is_number else "left", no_wrap=is_number)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the form that fits the width of the console, and the notes."""
        yield from self._fit_to(console, options)
        for note in self.notes:
            yield console.render_str(note, style="italic dim")

    def _fit_to(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [self._measure(position) for position in range(len(self.columns))]
        available = options.max_width - 3 * len(columns) - 1  # two blanks and a line for each column
        if sum(column.whole for column in columns) <= available:
            yield from super().__rich_console__(console, options)
            return
        for is_broken in (False, True):
            widths = _fit([column.choices(is_broken) for column in columns], available)
            if widths is not None:
                yield self._with_widths(widths, is_broken)
                return
        yield from self._stack(console)

    def _measure(self, position: int) -> "_ColumnWidths":
        column = self.columns[position]
        heading, cells = str(column.header), [str(cell) for cell in column.cells]
        is_text = position > 0 and not column.no_wrap
        return _ColumnWidths(heading, cells, is_text)

    def _with_widths(self, widths: Sequence[int], is_broken: bool) -> Table:
        narrow = Table(title=self.title, title_justify="left", title_style="bold", header_style="bold")
        for column, width in zip(self.columns, widths, strict=True):
            narrow.add_column(column.header, justify=column.justify, width=width)
        for row in self._rows_of_text():
            narrow.add_row(*(_break_interval(cell) if is_broken else cell for cell in row))
        return narrow

    def _stack(self, console: Console) -> Iterator[Text | Padding]:
        """Yield a heading and the named values of each row, below one another."""
        headings = [_in_one_line(str(column.header)) for column in self.columns]
        if self.title:
            yield console.render_str(str(self.title), style="bold")
        for row in self._rows_of_text():
            values = list(zip(headings, row, strict=True))
            (first_heading, name), *values = values
            if not first_heading and values:
                (_, second), *values = values
                name = f"{name} {second}".strip()
            yield console.render_str(name, style="bold")
            block = Table.grid(padding=(0, 0, 0, 2))
            block.add_column(style="dim", no_wrap=max(map(len, headings)) <= 2 * LEAST_TEXT_WIDTH)
            block.add_column(overflow="fold")
            for heading, value in values:
                if value:
                    block.add_row(heading, value)
            yield Padding(block, (0, 0, 0, 2))

    def _rows_of_text(self) -> Iterator[tuple[str, ...]]:
        columns: list[Column] = self.columns
        return zip(*(map(str, column.cells) for column in columns), strict=True)


@dataclass(frozen=True)
class _ColumnWidths:
    """How wide a column is in each form of the table."""

    heading: str
    cells: list[str]
    is_text: bool
    """Whether the cells may be wrapped between words."""

    @property
    def whole(self) -> int:
        """Width at which nothing is wrapped."""
        return max(map(_width, (self.heading, *self.cells)))

    def choices(self, is_broken: bool) -> tuple[int, int]:
        """Return the least width and the width that is wanted; headings may be wrapped between words in both."""
        cells = [_break_interval(cell) if is_broken else cell for cell in self.cells]
        of_heading = max((cell_len(word) for word in self.heading.split()), default=1)
        wanted = max([of_heading, *map(_width, cells)])
        if not self.is_text:
            return wanted, wanted
        words = [cell_len(word) for cell in cells for word in cell.split()]
        return min(wanted, max([LEAST_TEXT_WIDTH, of_heading, *words])), wanted


def _fit(choices: Sequence[tuple[int, int]], available: int) -> list[int] | None:
    """Return widths of columns between the least and the wanted ones that fit together; None if there are none."""
    least, widths = [low for low, _ in choices], [wanted for _, wanted in choices]
    if sum(least) > available:
        return None
    while sum(widths) > available:
        slack = [width - low for width, low in zip(widths, least, strict=True)]
        widths[slack.index(max(slack))] -= 1
    return widths


def _width(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _break_interval(cell: str) -> str:
    """Put the interval of an estimate such as "0.0123 [0.0100, 0.0145]" on a line of its own."""
    return cell.replace(" [", "\n[")


def _in_one_line(text: str) -> str:
    return ", ".join(text.split("\n"))
