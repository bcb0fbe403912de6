"""Reading partitioned data: each user's rows in order of time, whatever the parts in which they came."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from nextreel.artifacts import hash_file
from nextreel.data.data_format import PARTITIONS_FILE
from nextreel.data.frames import complete
from nextreel.data.reading.partition_manifest import ListedFile, PartitionManifest, read_manifest
from nextreel.data.reading.typed_files import scan_parquet
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.errors import DataError

CODE = "Code"
"""Column of a dictionary of ids: the integer that stands for a text; the other one is UserID or MovieID."""
DICTIONARIES = {USER_ID: "user_ids", MOVIE_ID: "movie_ids"}
"""Names of the dictionaries in a manifest, for the columns that may hold text ids."""


@dataclass(frozen=True)
class PartitionedData:
    """A directory that `nextreel ingest` wrote."""

    directory: Path
    manifest: PartitionManifest

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """The columns that the data have; the parts have our names for them."""
        return tuple((name, name) for name in self.manifest.columns)

    @cached_property
    def dictionaries(self) -> dict[str, pl.DataFrame]:
        """The texts of ids for UserID, MovieID or both: a column of that name, and Code."""
        tables = self.manifest.tables
        return {
            column: scan_parquet(self.verify(tables[name])).collect()
            for column, name in DICTIONARIES.items()
            if name in tables
        }

    def iterate(self) -> Iterator[pl.DataFrame]:
        """Iterate over the interactions of each partition that has any, as `read_partition` returns them."""
        for partition in sorted({file.partition for file in self.manifest.parts}):
            yield self.read_partition(partition)

    def read_partition(self, partition: int) -> pl.DataFrame:
        """Return the interactions of a partition, sorted by user, then by time, rows of one second in their order.

        Raises
        ------
        DataError
            A file is missing or was changed.
        """
        rows = self.scan_partition(partition).collect()
        for column, texts in self.dictionaries.items():
            decoded = rows[column].to_frame(CODE).join(texts, on=CODE, how="left", maintain_order="left")
            rows = rows.with_columns(decoded[column])
        return complete(rows, INTERACTIONS)

    def scan_partition(self, partition: int) -> pl.LazyFrame:
        """Return the rows of a partition as `read_partition` does, but not read yet, and with integers for text ids.

        Raises DataError as `read_partition` does.
        """
        parts = [scan_parquet(self.verify(file)) for file in self.manifest.parts_of(partition)]
        if len(parts) == 1:
            return parts[0]
        order = "Row"
        rows = pl.concat(parts).with_row_index(order)
        return rows.sort(USER_ID, TIMESTAMP, order).drop(order)

    def verify(self, listed: ListedFile) -> Path:
        """Return the path of a file of the manifest; DataError if it is missing or was changed."""
        file = self.directory / listed.file
        try:
            is_intact = file.stat().st_size == listed.bytes and hash_file(file) == listed.sha256
        except FileNotFoundError:
            raise DataError(f"{file} is missing: ingest the files again into a new directory") from None
        if not is_intact:
            raise DataError(
                f"{file} isn't what was ingested, its size or SHA-256 differs: ingest the files again into a new "
                "directory"
            )
        return file


def is_manifest(path: Path) -> bool:
    """Return whether a file is the manifest of partitioned data."""
    return path.name == PARTITIONS_FILE


def open_partitioned(directory: Path) -> PartitionedData:
    """Open a directory that `nextreel ingest` wrote; DataError if it isn't one, or its manifest is damaged."""
    manifest = read_manifest(directory)
    if manifest is None:
        raise DataError(f"{directory} has no {PARTITIONS_FILE}: nextreel ingest SRC {directory} writes it")
    return PartitionedData(directory, manifest)


def read_all_partitions(directory: Path) -> pl.DataFrame:
    """Return the interactions of a directory that `nextreel ingest` wrote, by partition, user and time.

    Raises
    ------
    DataError
        A file is missing or was changed.
    """
    data = open_partitioned(directory)
    kinds = {column: texts.schema[column] for column, texts in data.dictionaries.items()}
    return pl.concat([pl.DataFrame(schema={**INTERACTIONS.schema, **kinds}), *data.iterate()])
