"""Many queries at once: where they come from, and where their answers go."""

import sys
import tempfile
from functools import partial
from pathlib import Path

import polars as pl
import typer

from nextreel.cli.terminal.console import progress_bar, refuse_existing, stages
from nextreel.data.data_format import DataFormat
from nextreel.data.reading.polars_panics import panics_as_errors
from nextreel.data.reading.table_reader import read_queries
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.times import end_of_this_second
from nextreel.errors import DataError, QueryError
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, load_mapped
from nextreel.scale.list_parts import BatchRequest, ListCounts, describe_run, write_parts
from nextreel.scale.ray_cluster import check_place
from nextreel.scale.ray_lists import answer_at
from nextreel.scale.ray_tasks import prepare_place
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


def is_directory(out: Path) -> bool:
    """Return whether `--out` names a directory of parts: one that exists, or a new name without an ending."""
    return out.is_dir() or (out != STDOUT and not out.suffix and not out.exists())


def answer_into_file(
    model: Path,
    file: Path | None,
    timestamp: int | None,
    request: BatchRequest,
    out: Path,
    with_fallback: bool,
    force: bool,
) -> None:
    """Answer the queries of `make_queries` in this process, write the lists to a file, and say so.

    Raises
    ------
    ArtifactError, DataError, QueryError
        As `load`, `make_queries` and `write_answers` do, or the file exists and isn't to be replaced.
    """
    if not force:
        refuse_existing(out)
    with stages("Recommending") as show_stage:
        show_stage("loading the model")
        predictor = load(model)
        show_stage("reading the queries")
        queries = make_queries(predictor, file, timestamp)
        show_stage(f"ranking for {number_of(len(queries), 'query', 'queries')}")
        answers = request.answer_in_parts(predictor, queries)
    write_answers(answers, out, with_fallback)
    _report(ListCounts.of(answers), request, out)


def answer_into_directory(
    model: Path,
    file: Path | None,
    timestamp: int | None,
    request: BatchRequest,
    out: Path,
    place: str,
    force: bool,
) -> None:
    """Answer the queries of `make_queries` at a place, write the lists to a directory of parts, and say so.

    Raises
    ------
    ArtifactError, ConfigError, DataError, MissingExtraError, QueryError
        As `load_mapped`, `make_queries`, `write_parts` and `connect` do, or an option doesn't fit a directory.
    """
    check_place(place)
    if force:
        raise QueryError("--force replaces a file: a directory of parts is continued, or choose another name")
    if file is None and timestamp is None:
        raise QueryError(
            "a directory of parts needs the time of all queries, so that it can be continued: give --at"
        )
    prepare_place(place)
    with progress_bar("Recommending") as (progress, task):
        progress.update(task, note="loading the model", refresh=True)
        predictor, manifest = load_mapped(model)
        progress.update(task, note="reading the queries", refresh=True)
        queries = make_queries(predictor, file, timestamp)

        answer_parts = partial(answer_at, place, predictor, request)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, note=f"{done} of {number_of(total, 'part')}")

        counts = write_parts(queries, describe_run(manifest, request), out, answer_parts, show)
    _report(counts, request, out)


def _report(counts: ListCounts, request: BatchRequest, out: Path) -> None:
    for sentence in counts.sentences():
        typer.echo(sentence, err=True)
    if out != STDOUT:
        lists = f"{number_of(counts.queries, 'list')} of {number_of(request.k, 'movie')}"
        typer.echo(f"{lists} written to {out}")


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
