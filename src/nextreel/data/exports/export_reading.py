"""Reading a person's export: an untrusted file, which is read in memory and within limits.

A row with something wrong in it is left out and listed; a file that isn't an export at all is an error.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NoReturn

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.exports.export_dates import DayOrder, ExportTime, find_day_order, parse_time
from nextreel.data.exports.export_files import BEGINNING, ExportFile, unpack_export
from nextreel.data.exports.export_forms import (
    DIARY,
    EXPECTED,
    FORMS,
    IMDB_FORMS,
    LETTERBOXD,
    NETFLIX,
    NOT_A_MOVIE,
    RATINGS,
    SEASON,
    WATCHED,
    FoundForm,
    find_any_form,
    find_known_form,
)
from nextreel.data.exports.viewings import Export, Viewing, merge_letterboxd
from nextreel.data.links import parse_imdb_id
from nextreel.data.reading.csv_text import SEPARATORS, to_text
from nextreel.data.reading.exact_csv import RawRecord, split_records
from nextreel.data.schema import HIGHEST_RATING, LOWEST_RATING
from nextreel.data.times import DAY
from nextreel.data.titles import parse_name
from nextreel.errors import DataError, DataProblem
from nextreel.wording import number_of, shorten

MOST_ROWS = 50_000
"""Greatest number of rows of an export: a movie a day for 137 years."""
MOST_BROKEN = 50
"""Number of rows that can't be split into cells after which a file is no CSV file; each takes time to find its end."""
LONGEST_TITLE = 500
"""Greatest number of characters of a title."""
LONGEST_CELL = 255
"""Greatest number of characters of an id."""
LISTED_PROBLEMS = 100
"""Number of rows with something wrong that are listed; the others are only counted."""
NUMBER = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{1,6})?", re.ASCII)
SCALED_NUMBER = re.compile(r"-?[0-9]{1,9}(?:[.,][0-9]{1,9})?", re.ASCII)
YEAR = re.compile(r"([0-9]{4})(?:\.0)?", re.ASCII)
WATCHLIST = "watchlist"
"""Beginning of the name of Letterboxd's list of movies to watch, whose header is that of the movies watched."""


class RowError(ValueError):
    """Something is wrong with a row: the column and what is wrong with it."""

    def __init__(self, column: str | None, message: str) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class ReadRows:
    """What was read from one file."""

    found: FoundForm
    viewings: list[Viewing]
    n_episodes: int
    n_unrated: int
    problems: list[DataProblem]
    notes: list[str]


def read_export(
    file: ExportFile,
    now: int,
    format_: DataFormat = ANY_FORMAT,
    day_order: DayOrder | None = None,
) -> Export:
    """Read one person's export: a CSV file, or a zip of several.

    Parameters
    ----------
    file : ExportFile
        The file, in memory.
    now : int
        The present in POSIX seconds: a later date, by more than a day, is wrong.
    format_ : DataFormat
        The names of columns that the caller gives; with any, a file has no other form.
    day_order : DayOrder, optional
        How dates such as 3/4/21 are written; by default it is found in the file.

    Raises
    ------
    DataError
        The file is too large, damaged, or no export; it holds more than MOST_ROWS rows, or not one that can be read;
        or it can't be decided which way its dates are written.
    """
    files = unpack_export(file, _is_known_member)
    if not files:
        _refuse(file.name, f"is a zip without an export in it; {EXPECTED}")
    read = [_read_rows(member, now, format_, day_order) for member in files]
    n_rows = sum(len(rows.viewings) for rows in read)
    if n_rows > MOST_ROWS:
        _refuse(file.name, f"has more than {MOST_ROWS:,} rows; expected one person's export")
    problems = [problem for rows in read for problem in rows.problems]
    if not n_rows and problems:
        raise DataError(problems[: DataError.SHOWN], len(problems))
    if not any((rows.viewings, rows.n_episodes, rows.n_unrated) != ([], 0, 0) for rows in read):
        _refuse(file.name, "has a header but no rows")
    n_unrated = sum(rows.n_unrated for rows in read)
    notes = [note for rows in read for note in rows.notes]
    if n_unrated:
        notes.append(f"{number_of(n_unrated, 'title')} of a list without your rating left out.")
    return Export(
        viewings=tuple(_in_order(_merge(read))),
        forms=tuple(dict.fromkeys(rows.found.form.name for rows in read)),
        n_episodes=sum(rows.n_episodes for rows in read),
        problems=tuple(problems[:LISTED_PROBLEMS]),
        n_problems=len(problems),
        notes=tuple(dict.fromkeys(notes)),
    )


def _is_known_member(member: ExportFile) -> bool:
    """Return whether the beginning of a file in a zip shows the header of a site's export."""
    first_line = (
        member.data[:BEGINNING].decode("utf-8", errors="replace").removeprefix("\ufeff").partition("\n")[0]
    )
    name = PurePosixPath(member.name).name.lower()
    if name.startswith((WATCHLIST, ".")) or "__MACOSX" in member.name:
        return False
    return any(find_known_form(_split_line(first_line, separator)) is not None for separator in SEPARATORS)


def _split_line(line: str, separator: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def _read_rows(file: ExportFile, now: int, format_: DataFormat, day_order: DayOrder | None) -> ReadRows:
    data, notes = to_text(file.name, file.data, "an export")
    found, separator = _find_form(file.name, data, format_)
    if found.form is WATCHED and file.name.lower().startswith(WATCHLIST):
        _refuse(file.name, "is a list of movies to watch; expected those that you have watched")
    records = list(_read_records(file.name, data, separator))
    good = [record for record in records if not record.error and len(record.cells) == len(found.header)]
    problems = [
        DataProblem(file.name, record.line, None, record.error or _explain_length(record, found))
        for record in records
        if record.error or len(record.cells) != len(found.header)
    ]
    _refuse_many_users(file.name, found, good)
    order = day_order or _find_order(file.name, found, good)
    is_episode = _find_episodes(found, good)
    viewings, n_episodes, n_unrated = [], 0, 0
    for record in good:
        try:
            if is_episode(record.cells):
                n_episodes += 1
            elif found.form.rated_only and not found.cell(record.cells, "rating"):
                n_unrated += 1
            else:
                viewings.append(_read_viewing(file.name, record, found, order, now))
        except RowError as error:
            problems.append(DataProblem(file.name, record.line, error.column, str(error)))
    return ReadRows(
        found,
        _oldest_first(viewings),
        n_episodes,
        n_unrated,
        sorted(problems, key=lambda problem: problem.line or 0),
        notes,
    )


def _find_form(name: str, data: bytes, format_: DataFormat) -> tuple[FoundForm, str]:
    """Return the form that a file's header has, and the separator of its columns."""
    first_line = next(iter(_lines(data)))
    headers = {separator: _split_line(first_line, separator) for separator in SEPARATORS}
    widest = max(headers, key=lambda separator: len(headers[separator]))
    if format_.columns:
        _require_given(name, headers[widest], format_)
    else:
        for separator, header in headers.items():
            if (known := find_known_form(header)) is not None:
                return known, separator
    try:
        found = find_any_form(headers[widest], format_)
    except DataError as error:
        _refuse(name, str(error), line=1)
    if found is None:
        _refuse(name, f"has the header {shorten(', '.join(headers[widest]), 200)!r}; {EXPECTED}", line=1)
    return found, widest


def _require_given(name: str, header: Sequence[str], format_: DataFormat) -> None:
    for role, column in format_.columns.items():
        if column not in header:
            found = shorten(", ".join(header), 200)
            _refuse(name, f"no column {column!r}, which is named for {role}; found {found}", line=1)


def _lines(data: bytes) -> Iterator[str]:
    return iter(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""))


def _read_records(name: str, data: bytes, separator: str) -> Iterator[RawRecord]:
    """Yield the records of a file without its header, within the limits."""
    n_broken = 0
    records = split_records(_lines(data), separator)
    next(records)
    for number, record in enumerate(records, start=1):
        if number > MOST_ROWS:
            _refuse(name, f"has more than {MOST_ROWS:,} rows; expected one person's export")
        n_broken += bool(record.error)
        if n_broken > MOST_BROKEN:
            _refuse(name, f"isn't a CSV file: {record.error}", line=record.line)
        yield record


def _explain_length(record: RawRecord, found: FoundForm) -> str:
    return f"{number_of(len(record.cells), 'field')}; expected {len(found.header)} as in the header"


def _refuse_many_users(name: str, found: FoundForm, records: Sequence[RawRecord]) -> None:
    users = {found.cell(record.cells, "user") for record in records} if "user" in found.positions else set()
    if len(users) > 1:
        _refuse(
            name, f"has the rows of {len(users):,} users; expected one person's", column=found.column("user")
        )


def _find_order(name: str, found: FoundForm, records: Sequence[RawRecord]) -> DayOrder:
    """Return how a file writes its dates; raises DataError if that can't be decided."""
    cells = [cell for record in records if (cell := found.cell(record.cells, "time"))]
    order = find_day_order(cells)
    if order is None:
        message = (
            f"dates such as {shorten(cells[0], 20)} may begin with the day or with the month, and nothing in the "
            "column tells which: say --dates day-first or --dates month-first"
        )
        _refuse(name, message, column=found.column("time"))
    return order


def _find_episodes(found: FoundForm, records: Sequence[RawRecord]) -> Callable[[Sequence[str]], bool]:
    """Return a function that tells whether a row is an episode or a series."""
    if found.form in IMDB_FORMS:
        return lambda cells: NOT_A_MOVIE.search(re.sub(r"\W", "", found.cell(cells, "type"))) is not None
    if found.form is not NETFLIX:
        return lambda cells: False
    titles = {found.cell(record.cells, "title") for record in records}
    # Two colons and several titles with the same beginning are a series that doesn't number its seasons.
    shared = Counter(title.split(": ")[0] for title in titles if title.count(": ") >= 2)

    def is_episode(cells: Sequence[str]) -> bool:
        title = found.cell(cells, "title")
        return SEASON.search(title) is not None or (
            title.count(": ") >= 2 and shared[title.split(": ")[0]] > 1
        )

    return is_episode


def _read_viewing(file: str, record: RawRecord, found: FoundForm, order: DayOrder, now: int) -> Viewing:
    cells = record.cells
    title, year = _read_title(found, cells)
    imdb_id = _read_imdb_id(found, cells)
    movie_id = found.cell(cells, "movie") or None
    if movie_id is not None and len(movie_id) > LONGEST_CELL:
        raise RowError(found.column("movie"), f"{shorten(movie_id, 40)!r} is too long for an id")
    if title is None and imdb_id is None and movie_id is None:
        raise RowError(found.column("title"), "no movie is named")
    rating = _read_rating(found, cells)
    return Viewing(
        file,
        record.line,
        title,
        year,
        _clean(found.cell(cells, "original title")) or None,
        imdb_id,
        movie_id,
        stars=rating if found.form.per_star else None,
        rating=None if found.form.per_star else rating,
        time=_read_time(found, cells, order, now),
    )


def _read_title(found: FoundForm, cells: Sequence[str]) -> tuple[str | None, int | None]:
    """Return the title and the year of a row; MovieLens and other data sets write the year into the title."""
    text, year = _clean(found.cell(cells, "title")), found.cell(cells, "year")
    if len(text) > LONGEST_TITLE:
        raise RowError(
            found.column("title"), f"{shorten(text, 40)!r} has more than {LONGEST_TITLE} characters"
        )
    if year:
        number = YEAR.fullmatch(year)
        if number is None:
            raise RowError(found.column("year"), f"{shorten(year, 40)!r} is not a year")
        return text or None, int(number[1])
    if found.form in FORMS and "year" in found.positions:
        return text or None, None
    return parse_name(text) if text else (None, None)


def _clean(text: str) -> str:
    """Return a text on one line, without control characters."""
    return (
        text if text.isprintable() else " ".join("".join(c if c.isprintable() else " " for c in text).split())
    )


def _read_imdb_id(found: FoundForm, cells: Sequence[str]) -> int | None:
    text = found.cell(cells, "imdb")
    try:
        return parse_imdb_id(text) if text else None
    except ValueError as error:
        raise RowError(found.column("imdb"), str(error)) from None


def _read_rating(found: FoundForm, cells: Sequence[str]) -> float | None:
    text = found.cell(cells, "rating")
    if not text:
        return None
    per_star = found.form.per_star
    if (NUMBER if per_star else SCALED_NUMBER).fullmatch(text) is None:
        raise RowError(found.column("rating"), f"{shorten(text, 40)!r} is not a rating")
    value = float(text.replace(",", "."))
    if per_star is None:
        return value
    if not LOWEST_RATING <= value / per_star <= HIGHEST_RATING:
        lowest, highest = LOWEST_RATING * per_star, HIGHEST_RATING * per_star
        raise RowError(found.column("rating"), f"{text} is not a rating from {lowest:g} to {highest:g}")
    return value / per_star


def _read_time(found: FoundForm, cells: Sequence[str], order: DayOrder, now: int) -> ExportTime | None:
    text = found.cell(cells, "time")
    if not text:
        return None
    try:
        time = parse_time(text, order)
    except ValueError as error:
        raise RowError(found.column("time"), str(error)) from None
    if time.timestamp > now + DAY:
        raise RowError(found.column("time"), f"{shorten(text, 40)!r} lies in the future")
    return time


def _oldest_first(viewings: list[Viewing]) -> list[Viewing]:
    """Return the viewings of a file in its order or, if the file has the newest ones first, in the opposite one."""
    times = [viewing.time.timestamp for viewing in viewings if viewing.time is not None]
    falls, rises = (
        sum(one > other for one, other in pairs) for pairs in (pairwise(times), pairwise(times[::-1]))
    )
    return viewings[::-1] if falls > rises else viewings


def _merge(read: Sequence[ReadRows]) -> list[Viewing]:
    """Return the viewings of all files, those of Letterboxd merged."""
    by_form = {
        form: [v for rows in read if rows.found.form is form for v in rows.viewings] for form in LETTERBOXD
    }
    others = [v for rows in read if rows.found.form not in LETTERBOXD for v in rows.viewings]
    return [*merge_letterboxd(by_form[DIARY], by_form[RATINGS], by_form[WATCHED]), *others]


def _in_order(viewings: Sequence[Viewing]) -> list[Viewing]:
    """Return the viewings in the order of time; the sort is stable, so those of one time keep their order."""
    return sorted(
        viewings, key=lambda viewing: (viewing.time is None, viewing.time.timestamp if viewing.time else 0)
    )


def _refuse(name: str, message: str, line: int | None = None, column: str | None = None) -> NoReturn:
    raise DataError([DataProblem(shorten(name, 100), line, column, message)])
