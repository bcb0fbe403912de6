"""Writing tables as CSV, gzipped CSV or Parquet; a file appears whole or not at all."""

import gzip
from pathlib import Path
from typing import IO, cast

import polars as pl

from nextreel.atomic_files import replacing
from nextreel.data.schema import RATING
from nextreel.errors import DataError


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
