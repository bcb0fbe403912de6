"""Writing tables as CSV, gzipped CSV or Parquet; a file appears whole or not at all."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import polars as pl

from nextreel.data.schema import RATING
from nextreel.errors import DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    if path.is_dir():
        raise DataError(f"{path}: can't be written (it is a directory)")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, pl.exceptions.ComputeError) as error:
        # Polars tells of a full disk in words of its own.
        raise DataError(f"{path}: can't be written ({getattr(error, 'strerror', None) or error})") from error


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame in the form that the name ends with: .csv, .csv.gz or .parquet."""
    if not path.name.endswith((".csv", ".csv.gz", ".parquet")):
        raise DataError(f"{path}: expected a name that ends with .csv, .csv.gz or .parquet")
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            frame.write_parquet(temporary)
            return
        frame = _in_whole_stars(frame)
        if path.suffix == ".gz":
            with temporary.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                frame.write_csv(cast("IO[bytes]", packed))
        else:
            frame.write_csv(temporary)


def _in_whole_stars(frame: pl.DataFrame) -> pl.DataFrame:
    """Ratings without halves as integers, so that a course's "4" doesn't come back as "4.0"."""
    if RATING not in frame.columns or not (frame[RATING] == frame[RATING].round()).all():
        return frame
    return frame.with_columns(pl.col(RATING).cast(pl.Int64))
