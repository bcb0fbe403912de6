"""Files and directories that are written completely or not at all, and directories of long computations (runs), such as
a backtest, that can be resumed."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from nextreel.documents import read_json_file
from nextreel.errors import ArtifactError, DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file name beside `path`; the file replaces `path` if the block ends without an error.

    Raises
    ------
    DataError
        `path` can't be written.
    """
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
        # Polars reports a full disk as a ComputeError.
        raise DataError(f"{path}: can't be written ({getattr(error, 'strerror', None) or error})") from error


@contextmanager
def atomic_directory(path: Path, marker: str) -> Iterator[Path]:
    """Yield an empty directory to fill; when the block ends, it replaces `path`; if the block raises, it is deleted.

    `path` may be absent, an empty directory, or a directory that holds the file `marker`, which shows that an
    earlier call wrote it.

    Raises
    ------
    ArtifactError
        `path` is anything else, or it can't be written.
    """
    given, path = path, path.absolute()
    if path.exists() and not (path.is_dir() and ((path / marker).is_file() or not any(path.iterdir()))):
        raise ArtifactError(f"{given} exists and holds no {marker}; nothing was written: choose another name")
    aside = path.with_name(f".{path.name}.{os.getpid()}.writing")
    replaced = path.with_name(f".{path.name}.{os.getpid()}.replaced")
    try:
        aside.mkdir(parents=True)
        yield aside
        if path.exists():
            path.rename(replaced)
        aside.rename(path)
    except OSError as error:
        raise ArtifactError(f"can't write {given}: {error.strerror or error}") from error
    finally:
        if replaced.exists() and not path.exists():  # interrupted between the two renames
            replaced.rename(path)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def claim_directory(directory: Path, marker: str, about: Mapping[str, object]) -> None:
    """Start a run in a new or empty directory, or resume the same run in its directory.

    A new run writes `about`, which identifies it, to the file `marker`. A run can be resumed if the file holds the
    same content.

    Raises
    ------
    ArtifactError
        The directory holds another run, in which case the message names the differences, or something else.
    """
    file, wanted = directory / marker, json.loads(json.dumps(about))
    if not file.is_file():
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise ArtifactError(
                f"{directory} exists and holds no {marker}; nothing was written: choose another name"
            )
        write_json(wanted, file)
        return
    try:
        present = read_json_file(file)
        if not isinstance(present, dict):
            raise TypeError("expected an object")
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{file} is damaged: {error}; choose another name") from None
    differences = [
        f"{name} was {present.get(name)}, now is {wanted.get(name)}"
        for name in sorted(present.keys() | wanted.keys())
        if present.get(name) != wanted.get(name)
    ]
    if differences:
        raise ArtifactError(
            f"{directory} holds another run: {'; '.join(differences)}. Choose another name with --out"
        )


def write_json(facts: Mapping[str, object], file: Path) -> None:
    """Write `facts` to a file as indented JSON, completely or not at all.

    Raises
    ------
    DataError
        The file can't be written.
    """
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
