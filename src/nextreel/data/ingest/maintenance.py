"""Changing partitioned data in place: merging the parts of each partition, and erasing users.

New files are written under new names, then the manifest, and then the old files are deleted. A run that is killed
before the manifest has changed nothing; one that is killed after it is completed by the next run on the directory.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextreel.atomic_files.exclusive import exclusive
from nextreel.data.ids import Id, encode_id, kind_of
from nextreel.data.ingest.ingestion import find_scale_of
from nextreel.data.ingest.part_files import delete_unlisted, read_side_table, write_part, write_side_table
from nextreel.data.ingest.staged_rows import delete_staging
from nextreel.data.reading.partition_manifest import PartFile, PartitionManifest, partition_of
from nextreel.data.reading.partitioned_rows import DICTIONARIES, PartitionedData, open_partitioned
from nextreel.data.schema import USER_ID, USERS
from nextreel.data.value_checks import parse_cell
from nextreel.errors import DataError, QueryError


@dataclass(frozen=True)
class Compacted:
    """What merging the parts has done."""

    files_before: int
    files: int


@dataclass(frozen=True)
class Forgotten:
    """What erasing users has removed."""

    users: int
    """Number of users that had a row here, among the interactions or the users."""
    rows: int
    """Number of their interactions."""


def compact(directory: Path, show_stage: Callable[[str], None] = lambda _: None) -> Compacted:
    """Merge the parts of each partition into one, so that readers open fewer files.

    Raises
    ------
    DataError
        The directory holds no partitioned data, or a file of it is missing or was changed.
    ArtifactError
        Another run is writing to it.
    """
    with _changing(directory) as data:
        manifest = data.manifest
        kept: list[PartFile] = []
        partitions = sorted({file.partition for file in manifest.parts})
        for number, partition in enumerate(partitions):
            parts = manifest.parts_of(partition)
            if len(parts) == 1:
                kept += parts
                continue
            show_stage(f"merging partition {number + 1} of {len(partitions)}")
            merged = write_part(directory, partition, manifest.last_part + 1, data.scan_partition(partition))
            kept += [merged] if merged else []
        _commit(directory, manifest.model_copy(update={"parts": tuple(kept)}))
    return Compacted(len(manifest.parts), len(kept))


def forget(
    directory: Path, user_ids: Collection[Id], show_stage: Callable[[str], None] = lambda _: None
) -> Forgotten:
    """Erase users from partitioned data: their interactions, their rows among the users, and their ids' texts.

    What an unfinished ingest has read is deleted, too. That the files which they came in were ingested is remembered,
    so that those aren't ingested again; other files may bring the users back.

    Parameters
    ----------
    directory : Path
        The partitioned data.
    user_ids : Collection[Id]
        Ids as the files have them; who isn't there is left out.

    Raises
    ------
    DataError
        The directory holds no partitioned data, or a file of it is missing or was changed.
    ArtifactError
        Another run is writing to it.
    """
    with _changing(directory) as data:
        manifest = data.manifest
        codes = pl.DataFrame(
            {USER_ID: sorted({encode_id(user) for user in user_ids})}, schema={USER_ID: pl.Int64}
        )
        of_users = partition_of(pl.col(USER_ID), manifest.partitions)
        affected = set(codes.select(of_users).to_series())
        part, found = manifest.last_part + 1, set[int]()
        kept = [file for file in manifest.parts if file.partition not in affected]
        partitions = sorted({file.partition for file in manifest.parts} & affected)
        for number, partition in enumerate(partitions):
            show_stage(f"searching partition {number + 1} of {len(partitions)}")
            rows = data.scan_partition(partition)
            here = rows.join(codes.lazy(), on=USER_ID, how="semi").select(pl.col(USER_ID).unique()).collect()
            if here.is_empty():
                kept += manifest.parts_of(partition)
                continue
            found.update(here[USER_ID])
            others = rows.filter(~pl.col(USER_ID).is_in(here[USER_ID].implode()))
            rewritten = write_part(directory, partition, part, others)
            kept += [rewritten] if rewritten else []
        tables = dict(manifest.tables)
        for name, column in ((USERS.stems[0], USER_ID), (DICTIONARIES[USER_ID], USER_ID)):
            if name in tables:
                frame = read_side_table(directory, tables[name])
                is_forgotten = frame[column].is_in(
                    list(user_ids) if kind_of(frame[column]) == "text" else codes[USER_ID].implode()
                )
                found.update(encode_id(user) for user in frame[column].filter(is_forgotten))
                tables[name] = write_side_table(directory, name, part, frame.filter(~is_forgotten))
        n_rows = sum(file.rows for file in kept)
        scale = find_scale_of(kept, manifest.data_format.liked_from) if kept else manifest.data_format.scale
        changed = manifest.model_copy(
            update={
                "rows": n_rows,
                "parts": tuple(kept),
                "tables": tables,
                "data_format": manifest.data_format.model_copy(update={"scale": scale}),
            }
        )
        _commit(directory, changed)
    return Forgotten(len(found), manifest.rows - n_rows)


def parse_users(directory: Path, texts: Sequence[str], name: str) -> list[Id]:
    """Return the users that texts name, by the kind of ids of the data; QueryError names the option of a bad one."""
    kind = open_partitioned(directory).manifest.data_format.user_ids
    try:
        return [parse_cell("text id" if kind == "text" else "id", text) for text in texts]  # type: ignore[misc]
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from None


@contextmanager
def _changing(directory: Path) -> Iterator[PartitionedData]:
    """Open partitioned data for a change; what an error leaves unlisted is deleted."""
    open_partitioned(directory)  # which refuses another directory before anything is locked
    with exclusive(directory):
        data = open_partitioned(directory)
        try:
            yield data
        except DataError:
            delete_unlisted(directory, data.manifest.listed())
            raise


def _commit(directory: Path, manifest: PartitionManifest) -> None:
    manifest.write(directory)
    delete_staging(directory)
    delete_unlisted(directory, manifest.listed())
