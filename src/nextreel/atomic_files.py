"""Files and directories that appear whole or not at all, and runs that go on where they stopped."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from nextreel.errors import ArtifactError, DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` when the block ends well."""
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
        # Polars tells of a full disk in words of its own.
        raise DataError(f"{path}: can't be written ({getattr(error, 'strerror', None) or error})") from error


@contextmanager
def atomic_directory(path: Path, marker: str) -> Iterator[Path]:
    """A directory to fill that takes the place of `path` when the block ends well, and vanishes otherwise.

    Only a directory that holds the file `marker`, and so was made the same way, is replaced; an empty one is
    filled; ArtifactError if anything else is there.
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
        if replaced.exists() and not path.exists():  # stopped between the two renames
            replaced.rename(path)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def claim_directory(directory: Path, marker: str, about: Mapping[str, Any]) -> None:
    """Begin in a new or empty directory, which gets the file `marker`, or go on in one of the same run.

    `about` is what makes two runs the same one. Raises ArtifactError for a directory that holds another run, naming
    what differs, or something else altogether.
    """
    file, about = directory / marker, json.loads(json.dumps(about))
    if not file.is_file():
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise ArtifactError(
                f"{directory} exists and holds no {marker}; nothing was written: choose another name"
            )
        write_json(about, file)
        return
    try:
        there = dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{file} is damaged: {error}; choose another name") from None
    different = [
        f"{name} was {there.get(name)}, now is {about.get(name)}"
        for name in sorted(there.keys() | about.keys())
        if there.get(name) != about.get(name)
    ]
    if different:
        raise ArtifactError(
            f"{directory} holds another run: {'; '.join(different)}. Choose another name with --out"
        )


def write_json(facts: Mapping[str, object], file: Path) -> None:
    """Write facts for people and programs, whole or not at all."""
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
