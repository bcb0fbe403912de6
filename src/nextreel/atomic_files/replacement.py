"""Writing a file or a directory completely or not at all.

Whenever the machine stops, a reader finds the old state or the new one: the new one is complete on the disk before it
gets its name. A file is replaced by a rename, a directory by an exchange of the two names. Where the system can't
exchange names, the old directory is renamed aside first. If the run is killed between these two renames, the next
command that reads or writes the directory brings the old one back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from nextreel.atomic_files.durability import sync_directory, sync_file, sync_tree
from nextreel.atomic_files.exchange import exchange
from nextreel.atomic_files.unfinished import (
    is_empty,
    recover_directory,
    remove,
    replaced_name,
    unfinished_directory,
    unfinished_file,
)
from nextreel.errors import ArtifactError, DataError

WRITE_ERRORS = (OSError, pl.exceptions.ComputeError)
"""What is raised when something can't be written; polars reports a full disk as a ComputeError."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of an empty temporary file; it replaces `path` if the block ends without an error.

    The file is on the disk then, and stays there if the power fails.

    Raises
    ------
    DataError
        `path` can't be written.
    """
    if path.is_dir():
        raise DataError(f"{path}: can't be written (it is a directory)")
    try:
        with unfinished_file(path) as temporary:
            yield temporary
            sync_file(temporary)
            temporary.replace(path)
            sync_directory(path.parent)
    except WRITE_ERRORS as error:
        raise DataError(f"{path}: can't be written ({explain_write_error(error)})") from error


@contextmanager
def atomic_directory(path: Path, marker: str) -> Iterator[Path]:
    """Yield an empty directory to fill; when the block ends, it replaces `path`; if the block raises, it is deleted.

    `path` may be absent, an empty directory, or a directory that holds the file `marker`, which shows that an
    earlier call wrote it. The directory is on the disk when the block has ended, and stays there if the power fails.

    Raises
    ------
    ArtifactError
        `path` is anything else, or it can't be written.
    """
    given, path = path, path.absolute()
    recover_directory(path, is_writer=True)
    _require_replaceable(path, given, marker)
    try:
        with unfinished_directory(path) as aside:
            yield aside
            sync_tree(aside)
            _require_replaceable(path, given, marker)  # somebody else may have used the name meanwhile
            _put_in_place(aside, path)
            sync_directory(path.parent)
    except WRITE_ERRORS as error:
        raise ArtifactError(f"can't write {given}: {explain_write_error(error)}") from error


def explain_write_error(error: Exception) -> str:
    """Return why the system couldn't write, in its words and in one line."""
    lines = str(getattr(error, "strerror", None) or error).splitlines()
    return lines[0] if lines else type(error).__name__


def _require_replaceable(path: Path, given: Path, marker: str) -> None:
    if path.exists() and not (path.is_dir() and ((path / marker).is_file() or is_empty(path))):
        raise ArtifactError(f"{given} exists and holds no {marker}; nothing was written: choose another name")


def _put_in_place(aside: Path, path: Path) -> None:
    """Give the complete directory `aside` the name `path`; what had this name is deleted, or left at `aside`."""
    if not path.exists():
        aside.rename(path)
    elif not exchange(aside, path):
        replaced = replaced_name(aside)
        path.rename(replaced)
        try:
            aside.rename(path)
        except OSError:
            replaced.rename(path)
            raise
        remove(replaced)
