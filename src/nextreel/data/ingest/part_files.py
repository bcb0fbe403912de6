"""The files of partitioned data: writing one part of a partition, and deleting what no longer belongs to the data."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from nextreel.atomic_files import replacing
from nextreel.atomic_files.unfinished import remove
from nextreel.data.data_format import PARTITIONS_FILE
from nextreel.data.ingest.staged_rows import STAGING
from nextreel.data.reading.partition_manifest import ListedFile, PartFile
from nextreel.data.reading.typed_files import scan_parquet
from nextreel.data.schema import RATING

ROWS, TABLES = "rows", "tables"
"""Directories of the parts, and of the users, movies, links and dictionaries."""
ROW_GROUP = 2**17
"""Rows that are stored together: what a streaming reader holds of each file."""


def name_part(directory: Path, partition: int, part: int) -> Path:
    """Return the path of one part of a partition."""
    return directory / ROWS / f"partition-{partition:03}" / f"part-{part:05}.parquet"


def write_part(directory: Path, partition: int, part: int, rows: pl.LazyFrame) -> PartFile | None:
    """Write sorted rows as a part of a partition, completely or not at all; return None if there are no rows.

    Raises DataError if it can't be written.
    """
    file = name_part(directory, partition, part)
    with replacing(file) as temporary:
        rows.sink_parquet(temporary.absolute(), row_group_size=ROW_GROUP)
    described = describe_part(directory, partition, part)
    if described is None:
        remove(file)
    return described


def describe_part(directory: Path, partition: int, part: int) -> PartFile | None:
    """Return what a manifest says of a part that is written; None if it has no rows."""
    file = name_part(directory, partition, part)
    lazy = scan_parquet(file)
    rated = RATING in lazy.collect_schema()
    rating = pl.col(RATING) if rated else pl.lit(None, dtype=pl.Float32)
    count, lowest, highest = (
        lazy.select(pl.len(), rating.min().alias("lowest"), rating.max().alias("highest")).collect().row(0)
    )
    if not count:
        return None
    return PartFile(
        **ListedFile.of(directory, file).model_dump(),
        partition=partition,
        part=part,
        rows=count,
        lowest=lowest,
        highest=highest,
    )


def write_side_table(directory: Path, name: str, part: int, frame: pl.DataFrame) -> ListedFile:
    """Write a table beside the rows, such as the users, under a new name; DataError if it can't be written."""
    file = directory / TABLES / f"{name}-{part:05}.parquet"
    with replacing(file) as temporary:
        frame.write_parquet(temporary.absolute())
    return ListedFile.of(directory, file)


def read_side_table(directory: Path, listed: ListedFile) -> pl.DataFrame:
    """Read a table that `write_side_table` wrote."""
    return scan_parquet(directory / listed.file).collect()


def delete_unlisted(directory: Path, listed: Collection[str]) -> None:
    """Delete the parts and tables in a directory of partitioned data whose names aren't listed."""
    for file in [*(directory / ROWS).rglob("*"), *(directory / TABLES).glob("*")]:
        if not file.is_dir() and file.relative_to(directory).as_posix() not in listed:
            remove(file)


def is_ours(directory: Path) -> bool:
    """Return whether a directory holds partitioned data, an unfinished ingest, or nothing."""
    names = {path.name for path in directory.iterdir()}
    return not names or PARTITIONS_FILE in names or STAGING in names
