"""Reading data sets and single tables from files: CSV of any usual dialect, JSON lines and Parquet.

An ordinary CSV file is read fast, by polars. A file with anything unusual in it, or with any problem, is read again
by the exact reader: it reports every problem with its line, and reads what polars would read differently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from nextreel.data.data_format import ANY_FORMAT, DataFormat, remembered_format
from nextreel.data.dataset import Dataset
from nextreel.data.frames import complete, require_given_columns
from nextreel.data.ids import IdKind, kind_of
from nextreel.data.links import with_numbers
from nextreel.data.reading.csv_kinds import find_text_ids, resolve_csv
from nextreel.data.reading.csv_text import CsvText, open_csv
from nextreel.data.reading.data_files import find_table, find_tables
from nextreel.data.reading.exact_csv import read_exactly
from nextreel.data.reading.fast_csv import read_plain
from nextreel.data.reading.partitioned_rows import is_manifest, open_partitioned, read_all_partitions
from nextreel.data.reading.row_blocks import BLOCK_BYTES, RereadError, open_blocks
from nextreel.data.reading.typed_files import is_typed, open_typed
from nextreel.data.schema import (
    INTERACTIONS,
    LINKS,
    MOVIE_ID,
    MOVIES,
    QUERIES,
    RATING,
    USER_ID,
    USERS,
    Table,
)
from nextreel.data.tables import Tables, find_scale
from nextreel.errors import DataError, DataProblem

LARGE_BYTES = 2**27
"""Size from which on a file of interactions is read block by block: some five million rows."""


@dataclass(frozen=True)
class NotedTable:
    """A table read from a file, with notes on accepted deviations from the format."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()
    """One message for each deviation from the format that the reader accepted."""
    sources: tuple[tuple[str, str], ...] = ()
    """The table's columns that the file has, each with the file's name for it."""


def read_dataset(
    path: Path | str, columns: dict[str, str] | None = None, liked_from: float | None = None
) -> Dataset:
    """Read the interactions, users and movies of a data directory, or a file of interactions, into a dataset.

    Parameters
    ----------
    path : Path | str
        A data directory, a file of interactions, or a pattern with * or ? for part files.
    columns : dict[str, str], optional
        Names of the columns in the files by role, such as {"user": "account_id"}; usual names are recognised.
    liked_from : float, optional
        Lowest rating that counts as liked; needed for another scale than 0.5 to 5 stars, where it is 4.

    Raises
    ------
    DataError
        A file is missing, malformed or inconsistent; the first problems of all files are listed.
    ConfigError
        `columns` names a role that no column has.
    """
    return Dataset.from_tables(read_tables(Path(path), DataFormat.request(columns, liked_from)))


def read_tables(path: Path, request: DataFormat | None = None) -> Tables:
    """Read the tables of a data set.

    Parameters
    ----------
    path : Path
        A data directory, a file of interactions, or a pattern for part files.
    request : DataFormat, optional
        What the caller says of the format; a directory written by `nextreel split` remembers the rest.

    Raises
    ------
    DataError
        A file is missing, malformed or inconsistent; the first problems of all files are listed.
    """
    files = find_tables(path)
    remembered = remembered_format(path) if path.is_dir() else ANY_FORMAT
    format_ = remembered.with_request(request)
    noted = _read_all(files, format_)
    if request is not None:
        require_given_columns(
            request, remembered, {table: reading.sources for table, reading in noted.items()}
        )
    kinds = {
        name: _common_kind([reading.frame[name] for reading in noted.values() if name in reading.frame])
        for name in (USER_ID, MOVIE_ID)
    }
    decided = format_.model_copy(update={"user_ids": kinds[USER_ID], "movie_ids": kinds[MOVIE_ID]})
    if any(_differs(reading.frame, kinds) for reading in noted.values()):
        noted = _read_all(files, decided)
    links = read_links(path, files, decided)
    rows, sources = noted[INTERACTIONS].frame, dict(noted[INTERACTIONS].sources)
    scale = find_scale(rows, RATING in sources, format_)
    return Tables(
        interactions=rows,
        users=noted[USERS].frame if USERS in noted else None,
        movies=noted[MOVIES].frame if MOVIES in noted else None,
        links=links,
        notes=tuple(note for reading in noted.values() for note in reading.notes),
        format=decided.model_copy(update={"scale": scale, "liked_from": None}),
        sources={table: reading.sources for table, reading in noted.items()},
    )


def read_links(path: Path, files: dict[Table, list[Path]], format_: DataFormat) -> pl.DataFrame | None:
    """Read the IMDb ids of a data directory's movies from links.csv, or else from a column of movies.csv.

    Returns None if neither has any: a file links.csv with other columns is none of ours.

    Raises DataError if a value isn't an IMDb id, or a movie is there twice.
    """
    named = find_table(path, LINKS) if path.is_dir() else None
    candidates = [*([named] if named else []), *files.get(MOVIES, [])]
    for file in candidates:
        if not _has_links(file, format_):
            continue
        return with_numbers(read_table(file, LINKS, format_), file.name)
    return None


def _has_links(file: Path, format_: DataFormat) -> bool:
    """Return whether the header of a file names movies and their IMDb ids."""
    try:
        if is_typed(file):
            open_typed(file, LINKS, format_)
        else:
            open_csv(file, LINKS, format_)
    except DataError:
        return False
    return True


def _read_all(files: dict[Table, list[Path]], format_: DataFormat) -> dict[Table, NotedTable]:
    noted: dict[Table, NotedTable] = {}
    problems: list[DataProblem] = []
    total = 0
    is_partial = False
    for table, paths in files.items():
        try:
            noted[table] = read_noted_table(paths, table, format_)
        except DataError as error:
            if not error.problems:
                raise
            problems += error.problems
            total += error.total
            is_partial |= error.is_partial
    if problems:
        raise DataError(problems, total, is_partial)
    return noted


def _common_kind(columns: Sequence[pl.Series]) -> IdKind:
    """Return the kind of the ids in columns of several files: numbers only if they are in all of them."""
    return "text" if any(kind_of(column) == "text" for column in columns) else "number"


def _differs(frame: pl.DataFrame, kinds: dict[str, IdKind]) -> bool:
    return any(name in frame and kind_of(frame[name]) != kind for name, kind in kinds.items())


def read_interactions(path: Path | str, format_: DataFormat = ANY_FORMAT) -> pl.DataFrame:
    """Read UserID, MovieID, Rating, Timestamp from a file, in the order of its rows.

    Parameters
    ----------
    path : Path | str
        A CSV file, a file of JSON lines, or a Parquet file.
    format_ : DataFormat
        The format of the data set that the rows belong to, such as `Dataset.format`.

    Raises
    ------
    DataError
        The file is missing or malformed; the first 20 problems are listed.
    """
    return read_table(Path(path), INTERACTIONS, format_)


def read_queries(path: Path | str, format_: DataFormat = ANY_FORMAT) -> pl.DataFrame:
    """Read UserID, Timestamp from a file, in the order of its rows; other columns are ignored.

    Raises
    ------
    DataError
        The file is missing or malformed; the first 20 problems are listed.
    """
    return read_table(Path(path), QUERIES, format_)


def read_table(path: Path, table: Table, format_: DataFormat = ANY_FORMAT) -> pl.DataFrame:
    """Read a table from a file, with the columns in the table's order and types.

    Raises
    ------
    DataError
        The file is missing or malformed; the first 20 problems are listed.
    """
    return read_noted_table([path], table, format_).frame


def read_noted_table(paths: Sequence[Path], table: Table, format_: DataFormat = ANY_FORMAT) -> NotedTable:
    """Read a table from one file or several parts as `read_table` does, with notes on accepted deviations.

    Raises DataError as `read_table` does.
    """
    parts = [_read_file(path, table, format_) for path in paths]
    for name in (USER_ID, MOVIE_ID):
        columns = [part.frame[name] for part in parts if name in part.frame]
        if columns and len({kind_of(column) for column in columns}) > 1:
            field = "user_ids" if name == USER_ID else "movie_ids"
            return read_noted_table(paths, table, format_.model_copy(update={field: "text"}))
    for path, part in zip(paths, parts, strict=True):
        if [ours for ours, _ in part.sources] != [ours for ours, _ in parts[0].sources]:
            names = ", ".join(source for _, source in parts[0].sources)
            raise DataError(
                [DataProblem(path.name, None, None, f"has other columns than {paths[0].name}: {names}")]
            )
    frame = parts[0].frame if len(parts) == 1 else pl.concat([part.frame for part in parts])
    if table.needs_rows and frame.is_empty():
        raise DataError([DataProblem(paths[0].name, None, None, "has a header but no rows")])
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return NotedTable(frame, notes, parts[0].sources)


def _read_file(path: Path, table: Table, format_: DataFormat) -> NotedTable:
    if is_manifest(path):
        return NotedTable(read_all_partitions(path.parent), (), open_partitioned(path.parent).sources)
    if is_typed(path):
        typed = open_typed(path, table, format_)
        return NotedTable(typed.read(table), typed.notes, tuple(typed.found.sources.items()))
    if table == INTERACTIONS and _is_large(path) and (read := _read_in_blocks(path, format_)) is not None:
        return read
    text = open_csv(path, table, format_)
    resolved = resolve_csv(text, table, format_)
    sources = tuple((column.name, text.name_of(column.name)) for column in resolved.columns)
    return NotedTable(complete(_read_csv(text, resolved, format_), table), text.notes, sources)


def _is_large(path: Path) -> bool:
    return path.suffix != ".gz" and path.is_file() and path.stat().st_size >= LARGE_BYTES


def _read_in_blocks(path: Path, format_: DataFormat) -> NotedTable | None:
    """Read a large file of interactions block by block, so that its text is never in memory as a whole.

    Returns None for a file with anything that has to be found in the whole text.
    """
    with TemporaryDirectory() as scratch:
        try:
            blocks = open_blocks(path, format_, Path(scratch), size=BLOCK_BYTES)
            frames = list(blocks.frames)
        except RereadError:
            return None
    return NotedTable(pl.concat(frames, rechunk=False), blocks.notes, blocks.sources) if frames else None


def _read_csv(text: CsvText, resolved: Table, format_: DataFormat) -> pl.DataFrame:
    frame = read_plain(text, resolved, format_)
    if frame is not None:
        return frame
    try:
        return read_exactly(text, resolved)
    except DataError:
        found = find_text_ids(text, resolved, format_)
        if found == resolved:
            raise
        return read_exactly(text, found)
