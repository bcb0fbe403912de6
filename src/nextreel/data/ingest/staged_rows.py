"""What an ingest has read so far: the rows of each file as blocks of Parquet, which outlive a run that is killed.

Each step writes under another name first, so that what has its name is complete, and a run that is started again with
the same files continues after the last complete step.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Self

import polars as pl
from polars.io.partition import FileProviderArgs
from pydantic import BaseModel

from nextreel.atomic_files import write_json
from nextreel.atomic_files.durability import sync_tree
from nextreel.atomic_files.unfinished import remove
from nextreel.data.data_format import DataFormat
from nextreel.data.ids import IdKind, kind_of
from nextreel.data.ingest.id_dictionaries import encode_column, merge_dictionaries
from nextreel.data.reading.partition_manifest import describe_columns, partition_of
from nextreel.data.reading.partitioned_rows import DICTIONARIES
from nextreel.data.reading.row_blocks import BLOCK_BYTES, RereadError, open_blocks
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.documents import read_json_file

STAGING = ".ingest"
"""Name of the directory, inside that of the data."""
RUN_FILE = "run.json"
PARTITION, ROW = "Partition", "Row"
"""Further columns of staged rows: the partition of the user, and a number that grows in the order of the files."""
CLEANING_ATTEMPTS, SECONDS_BETWEEN_ATTEMPTS = 20, 0.05
"""How often unfinished files are deleted after an error: a thread of polars may still create one that it had begun."""
MOST_ROWS = 2**40
"""Number of rows that a file has at most, so that those of the next file have higher numbers."""


class StagedFile(BaseModel):
    """What was found in one file of interactions."""

    rows: int
    user_ids: IdKind
    movie_ids: IdKind
    sources: dict[str, str]
    notes: tuple[str, ...]

    @property
    def rated(self) -> bool:
        """Whether the file has ratings."""
        return RATING in self.sources


def clean_repeatedly(clean: Callable[[], None], hindrance: type[OSError]) -> None:
    """Call a function that deletes unfinished files until nothing hinders it, CLEANING_ATTEMPTS times at most."""
    for attempts_left in reversed(range(CLEANING_ATTEMPTS)):
        try:
            clean()
        except hindrance:
            if not attempts_left:
                raise
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        else:
            break


@dataclass(frozen=True)
class Staging:
    """The directory of an ingest that is under way."""

    directory: Path
    partitions: int
    """Number of partitions of the data."""
    block_bytes: int = BLOCK_BYTES
    """About how many bytes of text are read at once."""

    def begin(self, run: str) -> bool:
        """Prepare the directory for a run; return whether an earlier one with this identity left something to continue.

        What another run left is deleted.
        """
        file = self.directory / RUN_FILE
        if file.is_file():
            try:
                if read_json_file(file) == {"run": run}:
                    return True
            except ValueError:  # damaged: nothing of it can be trusted
                pass

        def start_anew() -> None:
            remove(self.directory)
            self.directory.mkdir(parents=True)

        clean_repeatedly(start_anew, FileExistsError)
        write_json({"run": run}, file)
        return False

    def read_file(self, path: Path, number: int, format_: DataFormat) -> StagedFile:
        """Read the interactions of a file, check them, and stage them; what is staged already isn't read again.

        Parameters
        ----------
        path : Path
            The file.
        number : int
            Its position among the files of the run, whose order is that of rows in the same second.
        format_ : DataFormat
            What is known of the format.

        Raises
        ------
        DataError
            The file is malformed.
        """
        facts_file = self.directory / f"file-{number:05}.json"
        if facts_file.is_file():
            facts = StagedFile.model_validate(read_json_file(facts_file))
            if all(
                format_.kind_of(column) in (None, kind)
                for column, kind in ((USER_ID, facts.user_ids), (MOVIE_ID, facts.movie_ids))
            ):
                return facts
            facts_file.unlink()
        exactly = False
        while True:
            try:
                facts = self._write_blocks(path, number, format_, exactly)
                break
            except RereadError as reread:
                format_, exactly = reread.format, reread.exactly
        write_json(facts.model_dump(mode="json"), facts_file)
        return facts

    def _write_blocks(self, path: Path, number: int, format_: DataFormat, exactly: bool) -> StagedFile:
        target, scratch = self._blocks_of(number), self.directory / "scratch"
        for directory in (target, scratch):
            remove(directory)
            directory.mkdir()
        blocks = open_blocks(path, format_, scratch, exactly, self.block_bytes)
        rated = RATING in dict(blocks.sources)
        texts: dict[str, pl.DataFrame] = {}
        kinds: dict[str, IdKind] = {
            column: format_.kind_of(column) or "number" for column in (USER_ID, MOVIE_ID)
        }
        rows = 0
        for index, frame in enumerate(blocks.frames):
            for column in kinds:
                kinds[column] = kind_of(frame[column])
                frame, new = encode_column(frame, column)
                if new is not None:
                    texts[column] = merge_dictionaries([*_get(texts, column), new], column)
            numbered = frame.select(*describe_columns(rated)).with_row_index(ROW)
            numbered.with_columns(
                pl.col(ROW).cast(pl.Int64) + (number * MOST_ROWS + rows),
                partition_of(pl.col(USER_ID), self.partitions).alias(PARTITION),
            ).write_parquet((target / f"{index:05}.parquet").absolute(), compression="lz4")
            rows += frame.height
        for column, dictionary in texts.items():
            dictionary.write_parquet((target / f"{DICTIONARIES[column]}.parquet").absolute())
        sync_tree(target)
        remove(scratch)
        return StagedFile(
            rows=rows,
            user_ids=kinds[USER_ID],
            movie_ids=kinds[MOVIE_ID],
            sources=dict(blocks.sources),
            notes=blocks.notes,
        )

    def partition(self, n_files: int) -> dict[int, Path]:
        """Return a directory with the rows of all files for each partition that has any, written unless it is there."""
        target = self.directory / "partitioned"
        if not target.exists():
            unfinished = self.directory / "partitioning"
            remove(unfinished)
            unfinished.mkdir()
            blocks = [
                file.absolute() for n in range(n_files) for file in sorted(self._blocks_of(n).glob("[0-9]*"))
            ]
            with _PartitionFiles(unfinished.absolute(), self.partitions) as files:
                target_files = pl.PartitionBy(
                    files.directory, file_path_provider=files.create, key=PARTITION, include_key=False
                )
                pl.scan_parquet(blocks, glob=False).sink_parquet(target_files, compression="lz4")
            sync_tree(unfinished)
            unfinished.rename(target)
            for file in (file for n in range(n_files) for file in self._blocks_of(n).glob("[0-9]*")):
                remove(file)
        return {int(path.name.partition("=")[2]): path for path in sorted(target.iterdir())}

    def dictionaries(self, n_files: int) -> dict[str, list[pl.DataFrame]]:
        """Return the dictionaries of text ids of all files, for UserID and MovieID."""
        return {
            column: [
                pl.read_parquet(file.absolute(), glob=False)
                for number in range(n_files)
                if (file := self._blocks_of(number) / f"{name}.parquet").exists()
            ]
            for column, name in DICTIONARIES.items()
        }

    def _blocks_of(self, number: int) -> Path:
        return self.directory / f"file-{number:05}"


class _PartitionFiles:
    """The files that polars partitions rows into, in one directory for each partition.

    After an error, some threads of polars still write, and would bring back directories that were deleted meanwhile.
    Here they can't create a file any more.
    """

    def __init__(self, directory: Path, partitions: int) -> None:
        self.directory, self._partitions = directory, partitions
        self._files = ExitStack()
        self._is_finished, self._lock = False, Lock()

    def __enter__(self) -> Self:
        for partition in range(self._partitions):
            self._directory_of(partition).mkdir()
        return self

    def create(self, file: FileProviderArgs) -> BinaryIO:
        """Create the next file of a partition."""
        name = f"{file.index_in_partition:05}.parquet"
        path = self._directory_of(file.partition_keys.item()) / name
        with self._lock:
            if self._is_finished:
                raise FileNotFoundError(path)
            return self._files.enter_context(path.open("wb"))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_finished = True
            self._files.close()
        if error is None:
            for directory in self.directory.iterdir():
                if not any(directory.iterdir()):
                    directory.rmdir()

    def _directory_of(self, partition: int) -> Path:
        return self.directory / f"{PARTITION}={partition}"


def sort_rows(directory: Path, columns: Sequence[str]) -> pl.LazyFrame:
    """Return the staged rows of a partition by user, time and file order, as its part file holds them."""
    files = sorted(file.absolute() for file in directory.rglob("*.parquet"))
    staged = pl.scan_parquet(files, glob=False, hive_partitioning=False)
    return staged.sort(USER_ID, TIMESTAMP, ROW).select(columns)


def _get(texts: dict[str, pl.DataFrame], column: str) -> list[pl.DataFrame]:
    return [texts[column]] if column in texts else []


def delete_staging(directory: Path) -> None:
    """Delete what an unfinished ingest has left in a directory of partitioned data."""
    shutil.rmtree(directory / STAGING, ignore_errors=True)
