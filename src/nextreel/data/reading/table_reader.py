"""Reading tables from CSV and Parquet files, with strict types and a check of every value.

CSV is first read by the fast reader of polars. A file that it can't read, or that holds an invalid value, is read
again by the exact reader: it returns the rows of unusual but valid CSV, or names each problem with its place. No
value is guessed and no row is dropped.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextreel.artifacts import MANIFEST
from nextreel.data.dataset import Dataset
from nextreel.data.reading.csv_text import CsvText, open_csv
from nextreel.data.reading.exact_csv import read_exactly
from nextreel.data.reading.parquet import read_parquet
from nextreel.data.schema import INTERACTIONS, MOVIES, QUERIES, USERS, Table
from nextreel.data.tables import Tables
from nextreel.data.value_checks import is_valid
from nextreel.errors import DataError, DataProblem

SUFFIXES = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class NotedTable:
    """A table read from a file, with notes on accepted deviations from the format."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()
    """One message for each deviation from the format that the reader accepted."""


def read_dataset(directory: Path | str) -> Dataset:
    """Read the interactions, users and movies of a data directory into a dataset.

    Raises
    ------
    DataError
        A file is missing, malformed or inconsistent; the first problems of all files are listed.
    """
    return Dataset.from_tables(read_tables(Path(directory)))


def read_tables(directory: Path) -> Tables:
    """Read the tables of a data directory with the columns that their files have.

    Raises
    ------
    DataError
        A file is missing, malformed or inconsistent; the first problems of all files are listed.
    """
    noted: dict[Table, NotedTable] = {}
    problems: list[DataProblem] = []
    total = 0
    is_partial = False
    for table, path in find_tables(directory).items():
        try:
            noted[table] = read_noted_table(path, table)
        except DataError as error:
            problems += error.problems
            total += error.total
            is_partial |= error.is_partial
    if problems:
        raise DataError(problems, total, is_partial)
    frames = {table: noted_table.frame for table, noted_table in noted.items()}
    return Tables(
        interactions=frames[INTERACTIONS],
        users=frames.get(USERS),
        movies=frames.get(MOVIES),
        notes=tuple(note for noted_table in noted.values() for note in noted_table.notes),
    )


def read_interactions(path: Path | str) -> pl.DataFrame:
    """Read UserID, MovieID, Rating, Timestamp from a CSV or Parquet file, in the order of its rows.

    Raises
    ------
    DataError
        The file is missing or malformed; the first 20 problems are listed.
    """
    return read_table(Path(path), INTERACTIONS)


def read_queries(path: Path | str) -> pl.DataFrame:
    """Read UserID, Timestamp from a CSV or Parquet file, in the order of its rows; other columns are ignored.

    Raises
    ------
    DataError
        The file is missing or malformed; the first 20 problems are listed.
    """
    return read_table(Path(path), QUERIES)


def read_table(path: Path, table: Table) -> pl.DataFrame:
    """Read a table from a CSV or Parquet file, with the columns in the table's order and types.

    Raises
    ------
    DataError
        The file is missing or malformed; the first 20 problems are listed.
    """
    return read_noted_table(path, table).frame


def read_noted_table(path: Path, table: Table) -> NotedTable:
    """Read a table as `read_table` does, with notes on accepted deviations from the format.

    Raises DataError as `read_table` does.
    """
    if path.suffix == ".parquet":
        noted = NotedTable(read_parquet(path, table))
    else:
        text = open_csv(path, table)
        frame = _read_fast(text, table)
        noted = NotedTable(read_exactly(text, table) if frame is None else frame, text.notes)
    if table.needs_rows and noted.frame.is_empty():
        raise DataError([DataProblem(path.name, None, None, "has a header but no rows")])
    return noted


def _read_fast(text: CsvText, table: Table) -> pl.DataFrame | None:
    """Read a CSV file with polars; return None if only the exact reader can tell what the file holds."""
    if not _is_plain(text, table):
        return None
    types = table.schema
    names = [name if name in types else f"ignored {position}" for position, name in enumerate(text.header)]
    try:
        frame = pl.read_csv(
            text.data.rstrip(b"\r\n"),
            has_header=False,
            skip_rows=1,
            schema={name: types.get(name, pl.String()) for name in names},
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=types)
    except pl.exceptions.PolarsError:
        return None
    # Polars fills a row that has too few fields with nulls, as it does for empty cells.
    may_be_ragged = frame[names[-1]].null_count() > 0
    if may_be_ragged or not frame.select(pl.all_horizontal(is_valid(c).all() for c in table.columns)).item():
        return None
    frame = frame.select(types.names()).with_columns(pl.col(pl.String).replace("", None))
    repeats_a_key = table.key is not None and frame[table.key].is_duplicated().any()
    return None if repeats_a_key else frame


def _is_plain(text: CsvText, table: Table) -> bool:
    """Return whether a file has none of the CSV constructs that parsers treat differently.

    These are quotes around texts or without a partner, a CR outside a CRLF, and a comma at the end of a line.
    """
    data = text.data
    header_end = data.find(b"\n") + 1
    has_text = len(text.header) > len(table.columns) or "text" in {column.kind for column in table.columns}
    if not header_end or (has_text and data.find(b'"', header_end) >= 0):
        return False
    if data.count(b'"', 0, header_end) % 2 or data.count(b'"') % 2:
        return False
    if data.count(b"\r") != data.count(b"\r\n"):
        return False
    return not data.endswith(b",") and b",\n" not in data and b",\r\n" not in data


def find_tables(directory: Path) -> dict[Table, Path]:
    """Return the path of each table that a data directory has.

    Raises
    ------
    DataError
        The directory or the file of interactions is missing, or a table has two files.
    """
    if not directory.exists():
        raise DataError(f"{directory}: no such directory")
    if not directory.is_dir():
        raise DataError(f"{directory}: is a file; expected the directory that holds it")
    paths = {table: find_table(directory, table) for table in (INTERACTIONS, USERS, MOVIES)}
    if paths[INTERACTIONS] is None:
        raise DataError(_explain_no_interactions(directory))
    return {table: path for table, path in paths.items() if path is not None}


def find_table(directory: Path, table: Table) -> Path | None:
    """Return the file of a table in a directory: the first of the table's file names that exists, or None.

    Raises
    ------
    DataError
        Two files have the name of the table with different suffixes, such as users.csv and users.parquet.
    """
    for stem in table.stems:
        paths = [path for suffix in SUFFIXES if (path := directory / f"{stem}{suffix}").exists()]
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            raise DataError(f"{directory}: {names} both exist; expected only one of them")
        if paths:
            return paths[0]
    return None


def _explain_no_interactions(directory: Path) -> str:
    if (directory / MANIFEST).is_file():
        return f"{directory} is a saved model; expected a data directory, such as the one it was fitted on"
    names = ", ".join(f"{stem}{suffix}" for stem in INTERACTIONS.stems for suffix in SUFFIXES)
    message = f"{directory}: no interactions; looked for {names}"
    ratings = directory / "ratings.csv"
    raw = [name for name in ("u.data", "ratings.dat") if (directory / name).exists()]
    if ratings.is_file():
        with ratings.open("rb") as file:
            raw += ["ratings.csv"] * file.read(64).startswith(b"userId")
    if raw:
        return f"{message}. {raw[0]} is a raw GroupLens file: run `nextreel convert {directory} OUT` first"
    if ratings.exists():
        return f"{message}. There is a ratings.csv: should it be named ratings_train.csv?"
    return message
