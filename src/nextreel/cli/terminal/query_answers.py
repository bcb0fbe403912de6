"""Many queries at once: where they come from, the table of their answers, and how many aren't the model's own."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nextreel.data.data_format import DataFormat
from nextreel.data.reading.polars_panics import panics_as_errors
from nextreel.data.reading.table_reader import read_queries
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.timeline import Ties
from nextreel.data.times import end_of_this_second
from nextreel.errors import DataError, QueryError
from nextreel.prediction.predictor import Predictor
from nextreel.wording import number_of

STDOUT = Path("-")


def make_queries(predictor: Predictor, file: Path | None, timestamp: int | None) -> pl.DataFrame:
    """Return the queries of a file, or one for each user that the predictor knows, by default about now.

    Raises
    ------
    DataError, QueryError
        As `read_query_file` does.
    """
    if file is not None:
        return read_query_file(file, timestamp, predictor.dataset.format)
    at = end_of_this_second() if timestamp is None else timestamp
    return (
        predictor.dataset.users.select(USER_ID)
        .sort(USER_ID)
        .with_columns(pl.lit(at, dtype=pl.Int64).alias(TIMESTAMP))
    )


def answer(
    predictor: Predictor, queries: pl.DataFrame, k: int, exclude_seen: bool, ties: Ties = "strict"
) -> pl.DataFrame:
    """Return UserID, Timestamp, MovieID1 to MovieIDk, Fallback and Shortfall, as `Predictor.recommend_wide` does."""
    return predictor.recommend_wide(queries, k, exclude_seen, with_fallback=True, ties=ties)


def write_answers(answers: pl.DataFrame, out: Path, with_fallback: bool) -> None:
    """Write answers to a file, or as CSV to stdout if its name is "-".

    Raises
    ------
    DataError
        The file has a suffix of no known format, or it can't be written.
    """
    table = answers if with_fallback else answers.drop("Fallback", "Shortfall")
    if out == STDOUT:
        sys.stdout.buffer.write(table.write_csv().encode())
        sys.stdout.buffer.flush()
    else:
        write_table(table, out)


def count_fallbacks(answers: pl.DataFrame) -> Iterator[str]:
    """Yield a sentence on the lists of popular movies and one on those that were filled up, if there are any."""
    of_all = f"of {number_of(len(answers), 'query', 'queries')}"
    if unknown := answers["Fallback"].count():
        yield f"{unknown:,} {of_all}: unknown user, answered with popularity"
    if short := int((answers["Shortfall"] > 0).sum()):
        fillers = number_of(int(answers["Shortfall"].sum()), "movie only fills", "movies only fill")
        yield f"{short:,} {of_all}: too few movies left to recommend, so that {fillers} up the list"


def read_query_file(file: Path, timestamp: int | None, format_: DataFormat) -> pl.DataFrame:
    """Read queries from a file, in the order of its rows.

    Parameters
    ----------
    file : Path
        A table of users and times, or of users only.
    timestamp : int or None
        Time of all queries, POSIX seconds, for a file without times.
    format_ : DataFormat
        The format of the data that the model was fitted on.

    Raises
    ------
    DataError
        The file is missing or malformed; the first 20 problems are listed.
    QueryError
        Both the file and `timestamp` name times, or neither does.
    """
    try:
        queries = read_queries(file, format_)
    except DataError as error:
        missing = {problem.column for problem in error.problems if problem.message.startswith("missing")}
        frame = _read_as_it_is(file) if missing == {TIMESTAMP} else None
        if frame is None:
            raise
        if timestamp is None:
            raise QueryError(
                f"{file} has no column {TIMESTAMP}: give the time of all queries with --at"
            ) from None
        return _read_again(frame.with_columns(pl.lit(timestamp).alias(TIMESTAMP)), file, format_)
    if timestamp is not None:
        raise QueryError(f"{file} has a time for each query, in the column {TIMESTAMP}: leave --at out")
    return queries


def _read_as_it_is(file: Path) -> pl.DataFrame | None:
    """Read a table without checks, a CSV file as text; None if that is impossible."""
    try:
        if file.suffix == ".parquet":
            with panics_as_errors():
                return pl.read_parquet(file.absolute(), glob=False)
        return pl.read_csv(file.absolute(), infer_schema=False, glob=False)
    except (OSError, pl.exceptions.PolarsError):
        return None


def _read_again(frame: pl.DataFrame, file: Path, format_: DataFormat) -> pl.DataFrame:
    """Read queries whose times are known from a copy of their file, with the usual checks of everything else."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / file.name.removesuffix(".gz")
        if file.suffix == ".parquet":
            frame.write_parquet(copy)
        else:
            frame.write_csv(copy)
        return read_queries(copy, format_)
