"""Reading the three tables from CSV or Parquet: strict types, one fast pass, every value checked.

A file that the fast pass refuses is read again exactly (`problems`), which either names each place that
is wrong or, for unusual but valid CSV, gives the rows. Nothing is guessed and nothing is dropped.
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
class Reading:
    """A table as read, and what was accepted though it isn't as it should be."""

    frame: pl.DataFrame
    notes: tuple[str, ...] = ()


def read_dataset(directory: Path | str) -> Dataset:
    """Read and index a directory's interactions, users and movies.

    Raises
    ------
    DataError
        Something is missing or wrong; the first problems of all files are listed.
    """
    return Dataset.from_tables(read_tables(Path(directory)))


def read_tables(directory: Path) -> Tables:
    """Read a directory's tables as they stand in their files; raises DataError with the problems of all."""
    paths = find_tables(directory)
    readings: dict[Table, Reading] = {}
    problems: list[DataProblem] = []
    total = 0
    for table, path in paths.items():
        try:
            readings[table] = load_table(path, table)
        except DataError as error:
            problems += error.problems
            total += error.total
    if problems:
        raise DataError(problems, total)
    frames = {table: reading.frame for table, reading in readings.items()}
    return Tables(
        interactions=frames[INTERACTIONS],
        users=frames.get(USERS),
        movies=frames.get(MOVIES),
        notes=tuple(note for reading in readings.values() for note in reading.notes),
    )


def find_tables(directory: Path) -> dict[Table, Path]:
    """The files of the tables that a directory has; raises DataError if there are no interactions."""
    if not directory.exists():
        raise DataError(f"{directory}: no such directory")
    if not directory.is_dir():
        raise DataError(f"{directory}: is a file; expected the directory that holds it")
    found = {table: find_table(directory, table) for table in (INTERACTIONS, USERS, MOVIES)}
    if found[INTERACTIONS] is None:
        raise DataError(_explain_no_interactions(directory))
    return {table: path for table, path in found.items() if path is not None}


def find_table(directory: Path, table: Table) -> Path | None:
    """The file of a table, the first of its names that is there; two forms of one name are a DataError."""
    for stem in table.stems:
        found = [path for suffix in SUFFIXES if (path := directory / f"{stem}{suffix}").exists()]
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise DataError(f"{directory}: {names} are both there; expected one of them")
        if found:
            return found[0]
    return None


def read_interactions(path: Path | str) -> pl.DataFrame:
    """UserID, MovieID, Rating, Timestamp of a CSV or Parquet file, rows in the file's order."""
    return read_table(Path(path), INTERACTIONS)


def read_queries(path: Path | str) -> pl.DataFrame:
    """UserID, Timestamp of a CSV or Parquet file, rows in the file's order; other columns are ignored."""
    return read_table(Path(path), QUERIES)


def read_table(path: Path, table: Table) -> pl.DataFrame:
    """The table's columns in the table's order and types; raises DataError with the first 20 problems."""
    return load_table(path, table).frame


def load_table(path: Path, table: Table) -> Reading:
    """As `read_table`, with notes on what was accepted though it isn't as it should be."""
    if path.suffix == ".parquet":
        reading = Reading(read_parquet(path, table))
    else:
        text = open_csv(path, table)
        frame = _read_fast(text, table)
        if frame is None:
            frame, problems, total = read_exactly(text, table)
            if problems:
                raise DataError(problems, total)
        reading = Reading(frame, text.notes)
    if table.needs_rows and reading.frame.is_empty():
        raise DataError([DataProblem(path.name, None, None, "has a header and no rows")])
    return reading


def _read_fast(text: CsvText, table: Table) -> pl.DataFrame | None:
    """The rows, or None when the file needs the exact reading."""
    if not _is_plain(text, table):
        return None
    types = table.schema
    names = [name if name in types else f"ignored {place}" for place, name in enumerate(text.header)]
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
    # A row with too few fields ends in a null, which may also be an empty cell.
    maybe_ragged = frame[names[-1]].null_count() > 0
    if maybe_ragged or not frame.select(pl.all_horizontal(is_valid(c).all() for c in table.columns)).item():
        return None
    texts = pl.col(pl.String).replace("", None)
    frame = frame.select(types.names()).with_columns(texts)
    return None if _repeats_a_key(frame, table) else frame


def _is_plain(text: CsvText, table: Table) -> bool:
    """Whether the file has nothing that parsers differ on.

    That is: quotes beside texts or without a partner, a CR outside a CRLF, a comma at a line's end.
    """
    data = text.data
    header = data.find(b"\n") + 1
    has_text = len(text.header) > len(table.columns) or "text" in {column.kind for column in table.columns}
    if not header or (has_text and data.find(b'"', header) >= 0):
        return False
    if data.count(b'"', 0, header) % 2 or data.count(b'"') % 2:
        return False
    if data.count(b"\r") != data.count(b"\r\n"):
        return False
    return not data.endswith(b",") and b",\n" not in data and b",\r\n" not in data


def _repeats_a_key(frame: pl.DataFrame, table: Table) -> bool:
    return table.key is not None and bool(frame[table.key].is_duplicated().any())


def _explain_no_interactions(directory: Path) -> str:
    if (directory / MANIFEST).is_file():
        return f"{directory} is a saved model; expected a directory of data, such as it was fitted on"
    wanted = ", ".join(f"{stem}{suffix}" for stem in INTERACTIONS.stems for suffix in SUFFIXES)
    missing = f"{directory}: no interactions; looked for {wanted}"
    ratings = directory / "ratings.csv"
    raw = [name for name in ("u.data", "ratings.dat") if (directory / name).exists()]
    if ratings.is_file():
        with ratings.open("rb") as file:
            raw += ["ratings.csv"] * file.read(64).startswith(b"userId")
    if raw:
        return f"{missing}. {raw[0]} is a raw file of GroupLens: run `nextreel convert {directory} OUT` first"
    if ratings.exists():
        return f"{missing}. ratings.csv is there: should it be named ratings_train.csv?"
    return missing
