"""The manifest of partitioned data: `partitions.json`, which says what the files beside it hold.

`nextreel ingest` writes it, last of all: a file that it doesn't list isn't part of the data.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from nextreel.artifacts import hash_file
from nextreel.atomic_files import replacing
from nextreel.data.data_format import PARTITIONS_FILE, DataFormat
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.documents import read_json_file
from nextreel.errors import DataError

FORMAT: Final = 1
MIXER: Final = 0x9E3779B97F4A7C15
"""Odd number near 2⁶⁴ divided by the golden ratio: multiplying by it spreads ids over the upper bits."""


class ListedFile(BaseModel):
    """A file beside the manifest."""

    model_config = ConfigDict(frozen=True)

    file: str
    """Path within the directory."""
    bytes: int
    sha256: str

    @classmethod
    def of(cls, directory: Path, file: Path) -> "ListedFile":
        """Return what a manifest says of a file in its directory."""
        name = file.relative_to(directory).as_posix()
        return cls(file=name, bytes=file.stat().st_size, sha256=hash_file(file))


class PartFile(ListedFile):
    """The rows of one partition in one part: sorted by user, then by time; a second's rows in their files' order."""

    partition: int
    part: int
    """Number of the ingest, compaction or erasure that wrote it; among rows of one second, later parts come later."""
    rows: int
    lowest: float | None = None
    """Lowest rating; None for data without ratings."""
    highest: float | None = None
    """Highest rating; None for data without ratings."""


class IngestedFile(BaseModel):
    """A file of interactions that was ingested."""

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    rows: int
    part: int


class PartitionManifest(BaseModel):
    """What partitions.json says; the fields are in the file's order."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    partitions: int
    """Number of partitions; a user's rows are in the one that `partition_of` names."""
    rows: int
    columns: dict[str, str]
    """Name and type of each column of the parts; text ids are there as their codes (`nextreel.data.ids`)."""
    sources: dict[str, str]
    """For each column, its name in the first file that was ingested."""
    data_format: DataFormat
    """Names of columns, kinds of ids, the scale of the ratings, and what counts as liked if the user said it."""
    ingested: tuple[IngestedFile, ...]
    parts: tuple[PartFile, ...]
    tables: dict[str, ListedFile]
    """The files of users, movies and links, and of user_ids and movie_ids: the text of each code."""

    @cached_property
    def last_part(self) -> int:
        """Number of the newest part, 0 if there is none."""
        return max([0, *(file.part for file in self.parts), *(file.part for file in self.ingested)])

    @property
    def rated(self) -> bool:
        """Whether the data have ratings."""
        return RATING in self.columns

    def parts_of(self, partition: int) -> list[PartFile]:
        """Return the parts of a partition, the oldest first."""
        return sorted(
            (file for file in self.parts if file.partition == partition), key=lambda file: file.part
        )

    def listed(self) -> set[str]:
        """Return the names of all files that are part of the data."""
        return {file.file for file in (*self.parts, *self.tables.values())}

    def write(self, directory: Path) -> None:
        """Write the manifest of a directory, completely or not at all; from then on, it says what the data are."""
        text = json.dumps(self.model_dump(mode="json", exclude_none=True), indent=1)
        with replacing(directory / PARTITIONS_FILE) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def describe_columns(rated: bool) -> dict[str, str]:
    """Return the columns of the parts, with their types."""
    rating = {RATING: "Float32"} if rated else {}
    return {USER_ID: "Int64", MOVIE_ID: "Int64", **rating, TIMESTAMP: "Int64"}


def partition_of(user: pl.Expr, partitions: int) -> pl.Expr:
    """Return a polars expression: the partition of a user, whose id is given as the integer that stands for it."""
    mixed = user.cast(pl.UInt64) * pl.lit(MIXER, dtype=pl.UInt64)
    return (mixed // 2**32 % partitions).cast(pl.UInt16)


def read_manifest(directory: Path) -> PartitionManifest | None:
    """Read the manifest of a directory; None if it has none.

    Raises
    ------
    DataError
        The manifest is damaged, or a later nextreel wrote it.
    """
    file = directory / PARTITIONS_FILE
    if not file.is_file():
        return None
    try:
        manifest = PartitionManifest.model_validate(read_json_file(file))
    except (ValidationError, ValueError, OSError) as error:
        raise DataError(f"{file} is damaged: {str(error).splitlines()[0]}; ingest the files again") from None
    if manifest.format != FORMAT:
        raise DataError(
            f"{directory} has format {manifest.format}; this nextreel reads format {FORMAT}: upgrade"
        )
    return manifest
