"""The users, the movies and the movies' IMDb ids that are carried along with partitioned interactions."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from nextreel.data.data_format import DataFormat
from nextreel.data.ids import IdKind, kind_of
from nextreel.data.ingest.part_files import read_side_table, write_side_table
from nextreel.data.reading.data_files import TableFiles
from nextreel.data.reading.partition_manifest import ListedFile
from nextreel.data.reading.table_reader import NotedTable, read_links, read_noted_table
from nextreel.data.schema import IMDB_ID, LINKS, MOVIE_ID, MOVIES, USER_ID, USERS, Table
from nextreel.errors import DataError, DataProblem

Carried = dict[Table, NotedTable]
"""The tables beside the interactions that a source has."""


def read_carried(files: TableFiles, format_: DataFormat) -> tuple[Carried, list[DataError]]:
    """Read the users and movies of a source; return them, and the errors of those that can't be read."""
    carried: Carried = {}
    errors: list[DataError] = []
    for table in (USERS, MOVIES):
        if table in files:
            try:
                carried[table] = read_noted_table(files[table], table, format_)
            except DataError as error:
                errors.append(error)
    return carried, errors


def join_errors(errors: list[DataError]) -> DataError:
    """Return one error with the problems of several files."""
    for error in errors:
        if not error.problems:
            return error
    problems: list[DataProblem] = [problem for error in errors for problem in error.problems]
    return DataError(
        problems, sum(error.total for error in errors), any(error.is_partial for error in errors)
    )


def kinds_of(carried: Carried) -> dict[str, IdKind]:
    """Return the kind of the ids in the tables, for UserID and MovieID as far as they are there."""
    return {
        column: kind_of(reading.frame[column])
        for reading in carried.values()
        for column in (USER_ID, MOVIE_ID)
        if column in reading.frame
    }


def write_carried(
    directory: Path,
    part: int,
    source: Path,
    files: TableFiles,
    format_: DataFormat,
    present: Mapping[str, ListedFile],
) -> dict[str, ListedFile]:
    """Write the users, movies and links of a source beside the rows, together with those that are there already.

    A row of the source replaces one with the same id. `format_` says of which kind the ids are.

    Raises
    ------
    DataError
        A table can't be read or written.
    """
    carried, errors = read_carried(files, format_)
    if errors:
        raise join_errors(errors)
    frames = {table: reading.frame for table, reading in carried.items()}
    links = read_links(source, files, format_)
    if links is not None:
        frames[LINKS] = links.with_columns(pl.col(IMDB_ID.name).cast(pl.String))
    written: dict[str, ListedFile] = {}
    for table in (USERS, MOVIES, LINKS):
        name = table.stems[0]
        if table not in frames:
            written |= {name: present[name]} if name in present else {}
            continue
        frame = frames[table]
        if name in present:
            earlier = read_side_table(directory, present[name])
            kept = earlier.join(frame, on=str(table.key), how="anti", maintain_order="left")
            frame = pl.concat([kept, frame])
        written[name] = write_side_table(directory, name, part, frame)
    return written


def sources_of(carried: Carried) -> dict[Table, tuple[tuple[str, str], ...]]:
    """Return the columns that each table has, with the files' names for them."""
    return {table: reading.sources for table, reading in carried.items()}
