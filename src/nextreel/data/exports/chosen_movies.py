"""The small file in which a person says which movies unmatched titles mean: Title, Year (optional), MovieID.

An empty MovieID says that the title is none of the catalog's movies and needn't be listed again. `nextreel recommend
--unmatched` writes such a file to be filled in; further columns of it are for the reader.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from nextreel.data.data_format import ANY_FORMAT
from nextreel.data.exports.export_files import MOST_BYTES, ExportFile
from nextreel.data.exports.export_reading import MOST_ROWS
from nextreel.data.frames import find_columns
from nextreel.data.reading.csv_text import SEPARATORS, to_text
from nextreel.data.reading.exact_csv import split_records
from nextreel.data.schema import MOVIE_ID, MOVIES, YEAR, Column, Table
from nextreel.errors import DataError, DataProblem
from nextreel.wording import number_of, shorten

CHOICES = Table(stems=(), columns=(MOVIES.columns[1], YEAR, Column(MOVIE_ID, "id", "movie", (("movieid",),))))
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
"""Signs by which spreadsheets take a cell for a formula (OWASP, "CSV Injection")."""
QUOTE = "'"
"""What makes a cell that begins with one of these signs a text."""


@dataclass(frozen=True)
class ChosenMovie:
    """Which movie a title means, as a person says."""

    title: str
    year: int | None
    movie_id: str | None
    """MovieID as the file has it; None if the title means none."""
    line: int


def read_choices(file: ExportFile) -> list[ChosenMovie]:
    """Read a file of choices.

    Raises
    ------
    DataError
        The file is too large, isn't CSV, lacks a column, or holds a value that isn't allowed there.
    """
    if len(file.data) > MOST_BYTES:
        _refuse(file, f"has more than {MOST_BYTES:,} bytes")
    data, _ = to_text(file.name, file.data, "the columns Title, Year and MovieID")
    header_line = next(_lines(data))
    separator = max(SEPARATORS, key=header_line.count)
    records = split_records(_lines(data), separator)
    header = [name.strip() for name in next(records).cells]
    try:
        found = find_columns(header, CHOICES, ANY_FORMAT)
    except DataError as error:
        _refuse(file, str(error), 1)
    if found.missing:
        _refuse(file, f"missing; the header has {shorten(', '.join(header), 200)}", 1, found.missing[0])
    positions = {name: header.index(source) for name, source in found.sources.items()}
    choices = []
    for number, (line, _, cells, broken) in enumerate(records, start=1):
        if broken or len(cells) != len(header) or number > MOST_ROWS:
            expected = f"{number_of(len(cells), 'field')}; expected {len(header)} as in the header"
            _refuse(
                file, broken or (expected if number <= MOST_ROWS else f"more than {MOST_ROWS:,} rows"), line
            )
        choices.append(_read_choice(file, line, {name: cells[i].strip() for name, i in positions.items()}))
    return choices


def _lines(data: bytes) -> Iterator[str]:
    return iter(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""))


def _read_choice(file: ExportFile, line: int, cells: dict[str, str]) -> ChosenMovie:
    title, year = _without_quote(cells["Title"]), cells.get(YEAR.name, "")
    if not title:
        _refuse(file, "is empty; expected a title as in the export", line, "Title")
    if year and not (year.isascii() and year.isdecimal() and len(year) == 4):
        _refuse(file, f"{shorten(year, 40)!r} is not a year", line, YEAR.name)
    return ChosenMovie(title, int(year) if year else None, cells[MOVIE_ID] or None, line)


def write_rows(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV text in which no cell is a formula to a spreadsheet; `read_choices` undoes that."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_with_quote("" if cell is None else str(cell)) for cell in row] for row in rows)
    return text.getvalue()


def _with_quote(cell: str) -> str:
    return QUOTE + cell if cell.startswith(FORMULA_BEGINNINGS) else cell


def _without_quote(cell: str) -> str:
    return cell[1:] if cell.startswith(QUOTE) and cell[1:].startswith(FORMULA_BEGINNINGS) else cell


def _refuse(file: ExportFile, message: str, line: int | None = None, column: str | None = None) -> NoReturn:
    raise DataError([DataProblem(shorten(file.name, 100), line, column, message)])
