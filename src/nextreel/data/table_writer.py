"""Writing tables as CSV, gzipped CSV or Parquet."""

import gzip
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import polars as pl

from nextreel.atomic_files import replacing
from nextreel.data.schema import RATING
from nextreel.errors import DataError

WRITTEN_SUFFIXES = (".csv", ".csv.gz", ".parquet")


def is_writable(path: Path) -> bool:
    """Return whether a file's name has an ending in whose format tables can be written."""
    return path.name.endswith(WRITTEN_SUFFIXES)


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame to a file, completely or not at all, in the format of its suffix: .csv, .csv.gz or .parquet.

    Raises
    ------
    DataError
        The file has another suffix, or it can't be written.
    """
    write_tables({path: frame})


def write_tables(frames: Mapping[Path, pl.DataFrame]) -> None:
    """Write several frames to files as `write_table` does; none of them appears before all are written.

    They then appear in the order of the mapping, so that whoever finds the last one finds all.

    Raises
    ------
    DataError
        A file has another suffix, or can't be written.
    """
    for path in frames:
        if not is_writable(path):
            raise DataError(f"{path}: expected a name that ends with .csv, .csv.gz or .parquet")
    with ExitStack() as stack:  # which leaves the blocks in the opposite order
        temporaries = {path: stack.enter_context(replacing(path)) for path in reversed(list(frames))}
        for path, frame in frames.items():
            # Polars takes a name that begins with ~ for one in the home directory.
            _write(frame, temporaries[path].absolute(), path.suffix)


def write_csv_parts(frames: Iterable[pl.DataFrame], path: Path) -> None:
    """Write frames one after another to a CSV file, completely or not at all; only one at a time is in memory.

    They have the same columns, and a column in which there are only integers in one has an integer type in all.

    Raises
    ------
    DataError
        The file can't be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0)


def _write(frame: pl.DataFrame, file: Path, suffix: str) -> None:
    if suffix == ".parquet":
        frame.write_parquet(file)
        return
    frame = _with_integer_ratings(frame)
    if suffix == ".gz":
        with file.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            frame.write_csv(cast("IO[bytes]", packed))
    else:
        frame.write_csv(file)


def _with_integer_ratings(frame: pl.DataFrame) -> pl.DataFrame:
    """Cast ratings to integers if there are no half stars, so that "4" in the course's files isn't written as "4.0"."""
    if RATING not in frame.columns or not (frame[RATING] == frame[RATING].round()).all():
        return frame
    return frame.with_columns(pl.col(RATING).cast(pl.Int64))
