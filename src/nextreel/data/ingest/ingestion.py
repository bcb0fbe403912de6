"""Adding files of interactions to partitioned data.

    read       each file in blocks, checked as the reader checks them, into staged rows        staged_rows
    partition  all staged rows by a hash of the user, and sort each partition by user and time  staged_rows
    write      the sorted partitions as one new part                                            part_files
    commit     the manifest, which lists the new part                                           partition_manifest

Until the manifest is written, the data are what they were. A run that was killed is continued by the same command; an
error leaves nothing behind.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nextreel.artifacts import hash_file
from nextreel.atomic_files import WRITE_ERRORS, explain_write_error
from nextreel.atomic_files.durability import make_directories
from nextreel.atomic_files.exclusive import exclusive
from nextreel.data.data_format import ANY_FORMAT, PARTITIONS_FILE, DataFormat
from nextreel.data.frames import require_given_columns
from nextreel.data.ids import IdKind
from nextreel.data.ingest.carried_tables import (
    join_errors,
    kinds_of,
    read_carried,
    sources_of,
    write_carried,
)
from nextreel.data.ingest.id_dictionaries import merge_dictionaries
from nextreel.data.ingest.part_files import (
    delete_unlisted,
    describe_part,
    is_ours,
    name_part,
    read_side_table,
    write_part,
    write_side_table,
)
from nextreel.data.ingest.staged_rows import (
    STAGING,
    StagedFile,
    Staging,
    clean_repeatedly,
    delete_staging,
    sort_rows,
)
from nextreel.data.rating_scale import RatingScale
from nextreel.data.reading.csv_text import check_regular
from nextreel.data.reading.data_files import TableFiles, find_tables
from nextreel.data.reading.partition_manifest import (
    IngestedFile,
    ListedFile,
    PartFile,
    PartitionManifest,
    describe_columns,
    read_manifest,
)
from nextreel.data.reading.partitioned_rows import DICTIONARIES
from nextreel.data.reading.row_blocks import BLOCK_BYTES
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, USER_ID
from nextreel.errors import ArtifactError, DataError, DataProblem
from nextreel.version import __version__

PARTITIONS = 64
"""Number of partitions of new data: of a billion rows, one has 16 million, which are sorted in memory."""
FIELDS = {USER_ID: "user_ids", MOVIE_ID: "movie_ids"}
"""Fields of a data set's format with the kind of the ids in a column."""


@dataclass(frozen=True)
class Ingested:
    """What an ingest has added."""

    files: int
    rows: int
    manifest: PartitionManifest
    notes: tuple[str, ...]
    """Messages about accepted deviations from the format."""
    continued: bool
    """Whether an earlier run was continued."""


@dataclass(frozen=True)
class Sizes:
    """How much is handled at once; tests choose less."""

    partitions: int = PARTITIONS
    block_bytes: int = BLOCK_BYTES


@dataclass(frozen=True)
class _Run:
    """One ingest: where from, where to, and what is known of the format."""

    source: Path
    directory: Path
    files: TableFiles
    request: DataFormat
    present: PartitionManifest | None
    sizes: Sizes
    show_stage: Callable[[str], None]
    hashes: tuple[str, ...]
    """SHA-256 of each file of interactions."""

    @property
    def paths(self) -> list[Path]:
        """The files of interactions."""
        return self.files[INTERACTIONS]

    @property
    def part(self) -> int:
        """Number of the part that is written."""
        return 1 if self.present is None else self.present.last_part + 1

    @property
    def staging(self) -> Staging:
        """The staged rows of the run."""
        partitions = self.sizes.partitions if self.present is None else self.present.partitions
        return Staging(self.directory / STAGING, partitions, self.sizes.block_bytes)

    @property
    def remembered(self) -> DataFormat:
        """What the present data say of the format; their scale isn't final, new ratings may widen it."""
        if self.present is None:
            return ANY_FORMAT
        return self.present.data_format.model_copy(update={"scale": None})

    @property
    def format(self) -> DataFormat:
        """The format in which the files are read."""
        format_ = self.remembered.with_request(self.request)
        if self.request.liked_from is not None:
            return format_
        return format_.model_copy(update={"liked_from": self.remembered.liked_from})


def ingest(
    source: Path,
    directory: Path,
    request: DataFormat = ANY_FORMAT,
    sizes: Sizes | None = None,
    show_stage: Callable[[str], None] = lambda _: None,
) -> Ingested:
    """Add the interactions of files of any size to a directory of partitioned data, which is created if need be.

    Parameters
    ----------
    source : Path
        A data directory, a file of interactions, or a pattern for part files.
    directory : Path
        The partitioned data. Users and movies of the source are added, too, and replace those with the same ids.
    request : DataFormat
        What the caller says of the format; what was said before is remembered.
    sizes : Sizes, optional
        How much is handled at once.
    show_stage : callable
        Is told what is being done.

    Raises
    ------
    DataError
        A file is missing or malformed, was ingested before, or has ids of another kind. Nothing has changed then.
    ArtifactError
        The directory holds something else, or another run is writing to it.
    """
    files = find_tables(source)
    if directory.resolve() in {source.resolve(), *(path.resolve().parent for path in files[INTERACTIONS])}:
        raise DataError(f"{directory}: can't be both the source and the partitioned data")
    if directory.exists() and not (directory.is_dir() and is_ours(directory)):
        raise ArtifactError(
            f"{directory} exists and holds no {PARTITIONS_FILE}; nothing was written: choose another name"
        )
    make_directories(directory)
    with exclusive(directory), _nothing_left_of_an_error(directory), _told_as_data_errors(directory):
        show_stage("comparing with what was ingested before")
        hashes = tuple(_hash_regular(path) for path in files[INTERACTIONS])
        present = read_manifest(directory)
        run = _Run(source, directory, files, request, present, sizes or Sizes(), show_stage, hashes)
        _refuse_ingested(run)
        return _ingest(run)


def _hash_regular(path: Path) -> str:
    check_regular(path)  # to read a pipe would wait for a writer, and a device may never end
    return hash_file(path)


@contextmanager
def _nothing_left_of_an_error(directory: Path) -> Iterator[None]:
    """Delete what the block has written if it raises a DataError; what else ends it leaves a run to continue."""
    try:
        yield
    except DataError:
        with suppress(DataError, OSError):  # a manifest that can't be read stays so
            clean_repeatedly(lambda: _delete_unfinished(directory), OSError)
        raise


def _delete_unfinished(directory: Path) -> None:
    """Delete what no manifest lists, and the directory itself if there is none."""
    manifest = read_manifest(directory)
    delete_staging(directory)
    delete_unlisted(directory, manifest.listed() if manifest else ())
    if manifest is None and directory.exists():
        for path in sorted(directory.rglob("*"), reverse=True):
            path.rmdir()
        directory.rmdir()


@contextmanager
def _told_as_data_errors(directory: Path) -> Iterator[None]:
    """Raise DataError where staged rows can't be written."""
    try:
        yield
    except WRITE_ERRORS as error:
        raise DataError(f"{directory}: can't be written ({explain_write_error(error)})") from error


def _ingest(run: _Run) -> Ingested:
    staging = run.staging
    others = [path for table, paths in run.files.items() if table is not INTERACTIONS for path in paths]
    identity = {
        "version": __version__,
        "files": run.hashes,
        "tables": [_hash_regular(path) for path in others],
        "names": [path.name for path in run.paths],
        "format": run.format.model_dump(mode="json"),
        "part": run.part,
        "partitions": staging.partitions,
    }
    continued = staging.begin(hashlib.sha256(json.dumps(identity).encode()).hexdigest())
    if not continued:
        delete_unlisted(run.directory, run.present.listed() if run.present else ())
    staged, format_, notes = _read_files(run, staging)
    run.show_stage("partitioning")
    partitions = staging.partition(len(staged))
    columns = describe_columns(staged[0].rated)
    parts = []
    for number, (partition, rows) in enumerate(partitions.items()):
        run.show_stage(f"sorting partition {number + 1} of {len(partitions)}")
        is_written = name_part(run.directory, partition, run.part).exists()
        written = (
            describe_part(run.directory, partition, run.part)
            if is_written
            else write_part(run.directory, partition, run.part, sort_rows(rows, list(columns)))
        )
        parts += [written] if written else []
    manifest = _describe(run, staged, format_, parts)
    manifest.write(run.directory)
    delete_staging(run.directory)
    delete_unlisted(run.directory, manifest.listed())
    return Ingested(len(staged), sum(file.rows for file in staged), manifest, notes, continued)


def _refuse_ingested(run: _Run) -> None:
    known = {file.sha256: file.file for file in (run.present.ingested if run.present else ()) if file.rows}
    for path, sha256 in zip(run.paths, run.hashes, strict=True):
        if sha256 in known:
            raise DataError(
                f"{path} was ingested already, as {known[sha256]} with the same SHA-256; nothing was written: name "
                "only new files"
            )


def _read_files(run: _Run, staging: Staging) -> tuple[list[StagedFile], DataFormat, tuple[str, ...]]:
    """Stage all files and check all tables; return what was found, the format with the kinds of ids, and notes."""
    carried, errors = read_carried(run.files, run.format)
    format_ = _with_texts(run.format, [kinds_of(carried)])
    staged: list[StagedFile] = []
    kinds: list[dict[str, IdKind]] = []
    try:
        while True:
            staged = []
            for number, path in enumerate(run.paths):
                run.show_stage(f"reading {path.name}")
                staged.append(staging.read_file(path, number, format_))
            kinds = [{USER_ID: file.user_ids, MOVIE_ID: file.movie_ids} for file in staged if file.rows]
            decided = _with_texts(format_, kinds)
            if decided == format_:
                break
            format_ = decided
        _check_columns(run, staged)
    except DataError as error:
        errors.insert(0, error)
    if errors:
        raise join_errors(errors)
    require_given_columns(
        run.request,
        run.remembered,
        {INTERACTIONS: tuple(staged[0].sources.items()), **sources_of(carried)},
    )
    _check_kinds(run, format_, [*kinds, kinds_of(carried)])
    of_tables = (note for reading in carried.values() for note in reading.notes)
    notes = tuple(dict.fromkeys([*(note for file in staged for note in file.notes), *of_tables]))
    update = {field: format_.kind_of(column) or "number" for column, field in FIELDS.items()}
    return staged, format_.model_copy(update=update), notes


def _with_texts(format_: DataFormat, kinds: Sequence[dict[str, IdKind]]) -> DataFormat:
    """Return the format with texts for the ids that are texts somewhere and of which nothing is known."""
    texts = {
        FIELDS[column]: "text"
        for found in kinds
        for column, kind in found.items()
        if kind == "text" and format_.kind_of(column) is None
    }
    return format_.model_copy(update=texts)


def _check_kinds(run: _Run, format_: DataFormat, kinds: Sequence[dict[str, IdKind]]) -> None:
    """Raise DataError if ids are texts in new files, but numbers in the present data."""
    for column in FIELDS:
        if format_.kind_of(column) == "number" and any(found.get(column) == "text" for found in kinds):
            raise DataError(
                f"{run.source}: the {column}s are texts, but those of {run.directory} are whole numbers; ingest all "
                "files together into a new directory"
            )


def _check_columns(run: _Run, staged: Sequence[StagedFile]) -> None:
    """Raise DataError if the files have different columns, no rows, or ratings only here or only there."""
    for path, file in zip(run.paths, staged, strict=True):
        if list(file.sources) != list(staged[0].sources):
            names = ", ".join(staged[0].sources.values())
            message = f"has other columns than {run.paths[0].name}: {names}"
            raise DataError([DataProblem(path.name, None, None, message)])
    if not any(file.rows for file in staged):
        raise DataError([DataProblem(run.paths[0].name, None, None, "has a header but no rows")])
    if run.present is not None and run.present.rated != staged[0].rated:
        has, have = ("ratings", "none") if staged[0].rated else ("no ratings", "some")
        raise DataError(
            f"{run.source} has {has}, but the data in {run.directory} have {have}; expected the same columns"
        )
    seen: dict[str, Path] = {}
    for path, sha256, file in zip(run.paths, run.hashes, staged, strict=True):
        first = seen.setdefault(sha256, path)
        if first is not path and file.rows:
            raise DataError(f"{path} is the same file as {first}, by its SHA-256; nothing was written")


def _describe(
    run: _Run, staged: Sequence[StagedFile], format_: DataFormat, parts: Sequence[PartFile]
) -> PartitionManifest:
    """Write the tables beside the rows, and return the manifest that lists them and the parts."""
    present = run.present
    earlier = present.tables if present else {}
    tables = write_carried(run.directory, run.part, run.source, run.files, format_, earlier)
    for column, found in run.staging.dictionaries(len(staged)).items():
        tables |= _write_dictionary(run, column, found)
    all_parts = (*(present.parts if present else ()), *parts)
    ingested = [
        IngestedFile(file=path.name, sha256=sha256, rows=file.rows, part=run.part)
        for path, sha256, file in zip(run.paths, run.hashes, staged, strict=True)
    ]
    return PartitionManifest(
        partitions=run.staging.partitions,
        rows=sum(file.rows for file in all_parts),
        columns=describe_columns(staged[0].rated),
        sources=present.sources if present else staged[0].sources,
        data_format=format_.model_copy(update={"scale": find_scale_of(all_parts, format_.liked_from)}),
        ingested=(*(present.ingested if present else ()), *ingested),
        parts=all_parts,
        tables=tables,
    )


def _write_dictionary(run: _Run, column: str, found: Sequence[pl.DataFrame]) -> dict[str, ListedFile]:
    """Write the texts of ids, those of the present data and new ones, if there are any."""
    name = DICTIONARIES[column]
    listed = run.present.tables.get(name) if run.present else None
    dictionaries = [*([read_side_table(run.directory, listed)] if listed else []), *found]
    if not dictionaries:
        return {}
    return {name: write_side_table(run.directory, name, run.part, merge_dictionaries(dictionaries, column))}


def find_scale_of(parts: Sequence[PartFile], liked_from: float | None) -> RatingScale:
    """Return the scale of the ratings in parts, as the reader finds it for all their rows together."""
    ends = [end for file in parts for end in (file.lowest, file.highest) if end is not None]
    if parts and not ends:
        return RatingScale.without_ratings()
    return RatingScale.of(np.array(ends, dtype=np.float32), liked_from)
