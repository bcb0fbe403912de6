"""Finding the files of a data set: a directory, one file of any name, or part files."""

import re
from collections.abc import Iterable
from glob import glob  # a pattern may be absolute, which Path.glob doesn't take
from pathlib import Path

from nextreel.artifacts import MANIFEST
from nextreel.atomic_files.unfinished import recover_directory
from nextreel.data.data_format import PARTITIONS_FILE
from nextreel.data.reading.partition_manifest import read_manifest
from nextreel.data.schema import INTERACTIONS, LINKS, MOVIES, USERS, Table
from nextreel.errors import DataError

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
JSON_SUFFIXES = (".jsonl", ".ndjson")
SUFFIXES = (
    *(suffix + packed for suffix in (*CSV_SUFFIXES, *JSON_SUFFIXES) for packed in ("", ".gz")),
    ".parquet",
)
"""Endings of the names of files that can be read."""
TEST_PART = "test"
"""Name, without the ending, of the file in a split directory that isn't part of the data set."""
RAW_FILES = ("u.data", "ratings.dat")
"""Files of interactions of MovieLens releases that only `nextreel convert` reads."""
PART_NUMBER = re.compile(r"[-_.]?\d+([-_.].*)?$")

TableFiles = dict[Table, list[Path]]
"""The files of each table that a data set has; several files are parts of one table, in this order."""


def find_tables(path: Path) -> TableFiles:
    """Return the files of each table of the data set at a path.

    Parameters
    ----------
    path : Path
        A directory whose files have the tables' names, such as ratings_train.csv and movies.csv; a directory with one
        other file or with numbered part files of interactions; a file of interactions; or, if no file has this name,
        a pattern with * or ? for part files.

    Raises
    ------
    DataError
        There are no interactions, or it isn't clear which files hold them.
    """
    recover_directory(path)
    if path.is_dir():
        return _find_in_directory(path)
    if path.exists():
        return {INTERACTIONS: [path]}
    if any(mark in str(path) for mark in "*?"):
        # Only * and ? make a pattern: a bracket is part of a name.
        parts = [Path(name) for name in glob(str(path).replace("[", "[[]"))]  # noqa: PTH207
        if parts:
            return {INTERACTIONS: _in_order(parts)}
        raise DataError(f"{path}: no file has a name of this pattern")
    raise DataError(f"{path}: no such file or directory")


def find_table(directory: Path, table: Table) -> Path | None:
    """Return the file of a table in a directory: the first of the table's file names that exists, or None.

    The interactions of partitioned data are in the files of their manifest, which is returned for all of them.

    Raises
    ------
    DataError
        Two files have the name of the table with different endings, such as users.csv and users.parquet.
    """
    manifest = read_manifest(directory)
    if manifest is not None:
        listed = manifest.tables.get(table.stems[0])
        file = directory / PARTITIONS_FILE if table is INTERACTIONS else None
        return directory / listed.file if listed else file
    for stem in table.stems:
        paths = [path for suffix in SUFFIXES if (path := directory / f"{stem}{suffix}").exists()]
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            raise DataError(f"{directory}: {names} both exist; expected only one of them")
        if paths:
            return paths[0]
    return None


def _find_in_directory(directory: Path) -> TableFiles:
    named = {table: find_table(directory, table) for table in (INTERACTIONS, USERS, MOVIES, LINKS)}
    files = {table: [path] for table, path in named.items() if path is not None and table is not LINKS}
    if INTERACTIONS in files:
        return files
    if (directory / MANIFEST).is_file():
        raise DataError(
            f"{directory} is a saved model; expected a data directory, such as the one it was fitted on"
        )
    for raw in RAW_FILES:
        if (directory / raw).exists():
            raise DataError(
                f"{directory}: {raw} is a raw GroupLens file: run `nextreel convert {directory} OUT` first"
            )
    return {INTERACTIONS: _find_other_interactions(directory, set(named.values())), **files}


def _find_other_interactions(directory: Path, known: set[Path | None]) -> list[Path]:
    """Return the only file of a directory with another name, or its numbered part files."""
    others = _in_order(
        path
        for path in directory.iterdir()
        if path not in known and path.name.lower().endswith(SUFFIXES) and _stem(path) != TEST_PART
    )
    if not others:
        names = ", ".join(f"{stem}.csv" for stem in INTERACTIONS.stems)
        raise DataError(
            f"{directory}: no interactions; looked for {names}, one file of another name, and part files "
            f"({', '.join(SUFFIXES)})"
        )
    series = {PART_NUMBER.sub("", _stem(path)) for path in others}
    if len(others) > 1 and (len(series) > 1 or not all(PART_NUMBER.search(_stem(path)) for path in others)):
        names = ", ".join(path.name for path in others[:5])
        raise DataError(
            f"{directory}: several files may hold the interactions ({names}{', ...' * (len(others) > 5)}): name one "
            "of them, or rename it to ratings_train"
        )
    return others


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Return the parts of a table in the order of their numbers, without empty ones, as some tools write them."""
    ordered = sorted(paths, key=_sort_key)
    return [
        path for path in ordered if path.suffix.lower() == ".parquet" or path.stat().st_size > 0
    ] or ordered


def _sort_key(path: Path) -> list[tuple[int, str]]:
    """Return a key by which part-2 comes before part-10."""
    pieces = re.split(r"(\d+)", str(path))
    return [(int(piece), piece) if piece.isdecimal() else (-1, piece) for piece in pieces]


def _stem(path: Path) -> str:
    name = path.name.lower()
    suffix = next(suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(suffix))
    return path.name[: -len(suffix)]
