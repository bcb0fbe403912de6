"""Writing tables as CSV, gzipped CSV or Parquet."""

import gzip
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
    if not is_writable(path):
        raise DataError(f"{path}: expected a name that ends with .csv, .csv.gz or .parquet")
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            frame.write_parquet(temporary)
            return
        frame = _with_integer_ratings(frame)
        if path.suffix == ".gz":
            with temporary.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                frame.write_csv(cast("IO[bytes]", packed))
        else:
            frame.write_csv(temporary)


def _with_integer_ratings(frame: pl.DataFrame) -> pl.DataFrame:
    """Cast ratings to integers if there are no half stars, so that "4" in the course's files isn't written as "4.0"."""
    if RATING not in frame.columns or not (frame[RATING] == frame[RATING].round()).all():
        return frame
    return frame.with_columns(pl.col(RATING).cast(pl.Int64))
